"""Corpus readers: one corpus per file."""
