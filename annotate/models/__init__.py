"""Asking models: judges and writers, their tasks, the calls to them, and the ledger of paid replies."""
