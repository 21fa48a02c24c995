"""Rewards: pure functions of a completion and what it is compared with."""
