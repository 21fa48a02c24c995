"""What labels can be told by without listening: the audit of shortcuts, and the rule that balances them. Pure numbers."""
