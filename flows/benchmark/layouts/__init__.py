"""Layouts of the papers' tables, one file for each paper."""
