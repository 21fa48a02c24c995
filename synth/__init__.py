"""From prompts to samples and pairs: engines, signal processing, and what to render and compare."""
