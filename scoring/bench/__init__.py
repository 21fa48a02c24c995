"""Figures of benchmarks: how well judges agree with the labels and scores of a release, as pure numbers."""
