"""Strict parsers of replies, one for every format that a task asks for."""
