"""Benchmarks: judges, metrics and files of predictions against the labels and scores of a release."""
