"""The listening test: items, annotators, assignments, votes, and the rules that exclude annotators."""
