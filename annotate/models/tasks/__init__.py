"""Tasks: one file each, with question, dimensions, scale, reply format and parser."""
