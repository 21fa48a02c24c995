"""Judgments and votes: tasks, judges, the ledger of paid replies, agreement."""
