"""Annotation by people: the listening test, its web app, and exchange of votes with other programs."""
