"""The recipe: its sections, and whether they fit each other."""
