"""The recipe: its sections, and checks that they fit each other."""
