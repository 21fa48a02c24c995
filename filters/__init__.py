"""Filters: one file each; every dropped row gets a reason and evidence."""
