"""Release rows of pairs of which a teacher was asked about some: its prompt, and whether it was right (pure)."""

from collections.abc import Callable, Sequence

import pyarrow as pa

from contracts.joins import attach
from storage.rows import Rows


class TaughtRows:
    """Pairs with the teacher's prompt, and with its replies where they are right."""

    def __init__(self, pairs: Rows, *, prompt: Callable[..., str], shown: Sequence[str], right: pa.Table) -> None:
        """Take the rows of the pairs.

        Args:
            pairs: rows of pairs, with the columns ``shown`` among them.
            prompt: language and what is shown, by column -> the teacher's prompt.
            shown: columns that the prompt shows.
            right: ``item_id, teacher`` (right or wrong) of the pairs that the teacher was asked about.
        """
        self._pairs, self._prompt, self._shown, self._right = pairs, prompt, tuple(shown), right

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return the rows in the order of a release: all pairs."""
        return self._pairs.ordered(splits)

    def batch(self, splits: pa.Table) -> pa.Table:
        """Return one release row for each of some rows of ``ordered``, in their order."""
        rows = self._pairs.batch(splits)
        shown = rows.select(["language", *(name for name in self._shown if name != "language")]).to_pylist()
        prompts = [self._prompt(one["language"], **{name: one[name] or "" for name in self._shown}) for one in shown]
        rows = rows.append_column("prompt", pa.array(prompts, pa.string()))
        return attach(rows, "pair_id", self._right, "item_id", {"teacher": "teacher"})
