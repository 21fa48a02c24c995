"""Protocols of listening tests, one per file: the form that listeners fill in."""
