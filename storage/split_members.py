"""Which split each thing of a release lies in, such as a clip or a leakage group, over all configurations."""


class SplitMembers:
    """Finds what lies in two splits. Memory grows with the number of distinct things, not with their uses."""

    def __init__(self) -> None:
        """Know of nothing yet."""
        self._first: dict[str, str] = {}

    def other_split(self, thing: str, split: str) -> str | None:
        """Return the split in which a thing was seen first; None if that is this split, or the thing is new."""
        first = self._first.setdefault(thing, split)
        return None if first == split else first
