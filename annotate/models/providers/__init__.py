"""Judges: one provider or rule per file."""
