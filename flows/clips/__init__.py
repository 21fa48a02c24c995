"""Prompts that are spoken by systems which run elsewhere: they go out as files, and the clips come back as a corpus."""
