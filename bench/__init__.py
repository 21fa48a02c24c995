"""Figures beside their baselines: ``python -m bench``."""
