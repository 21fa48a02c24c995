"""The listening test of a build: its store, its items, and the evidence of its votes."""
