"""The listening test: items, protocols, votes, who may vote on what, and whom to trust. Pure, apart from the store."""
