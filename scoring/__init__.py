"""Numbers about samples and judges: metrics, rewards, bench scores."""
