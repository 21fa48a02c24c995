"""Exports, one format per file: released rows as the files that a trainer reads."""
