"""Environments of plug-ins: built once, kept in a cache, and sessions that run in their interpreters."""
