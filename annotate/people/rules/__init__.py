"""Rules that tell a listener who can be trusted from one who cannot, one per file."""
