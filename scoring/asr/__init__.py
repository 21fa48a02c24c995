"""Speech recognisers, one per file."""
