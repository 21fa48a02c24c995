"""The web app of the listening test."""
