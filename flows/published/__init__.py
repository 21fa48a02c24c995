"""Data sets that others have published, read by our rules."""
