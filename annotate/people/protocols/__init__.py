"""Protocols of listening tests: what listeners are asked, one per file."""
