"""Disjoint SFT, RL and bench splits, and the proof that they are."""
