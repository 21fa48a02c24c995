"""The stages, from corpora to the release."""
