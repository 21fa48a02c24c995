"""TTS engines: one system per file."""
