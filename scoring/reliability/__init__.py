"""Reliability of judges and annotators: agreement, aggregation, bias, noise. Pure numbers."""
