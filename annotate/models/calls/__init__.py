"""Calls to judges, one by one or in a provider's batches: retries, rate limits, budgets and durable replies."""
