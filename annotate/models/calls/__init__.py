"""Asking judges: one by one, or through a provider's batches; repeating, pacing, paying and remembering."""
