"""Orchestration: the only package that knows Prefect and Ray."""
