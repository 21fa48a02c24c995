"""Exports of releases: from released rows to the examples that export plug-ins write."""
