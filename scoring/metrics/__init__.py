"""Metrics of one sample: one file each."""
