"""Disjoint splits, such as for SFT, RL and a benchmark, and the proof that they are."""
