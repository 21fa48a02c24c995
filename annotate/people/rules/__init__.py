"""Rules that exclude unreliable annotators, one per file."""
