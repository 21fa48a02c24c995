"""Asking people: the listening test, its pages, and votes collected elsewhere."""
