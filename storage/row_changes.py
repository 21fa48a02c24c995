"""Changes between the rows of two releases: what they are, and counting them."""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_SHOWN: Final = 5

What = Literal["added", "gone", "moved", "relabelled", "exchanged", "changed"]
WHATS: Final[tuple[What, ...]] = ("added", "gone", "moved", "relabelled", "exchanged", "changed")

Reasons = Callable[[str, Sequence[str]], Mapping[str, str]]
"""Configuration and ids of rows that went -> reason of each."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Change:
    """Rows of one configuration that differ in one way. A row that differs in several ways counts in each.

    Attributes:
        configuration: the configuration.
        what: ``added`` and ``gone``: only one release has it; ``moved``: it is in another split; ``relabelled``: what it is
            judged by is another (``storage.release_diff.TRUTHS``), which an exchange of A and B alone is not; ``exchanged``: A
            and B have changed places, so that other columns are not compared; ``changed``: other columns differ.
        split_before: its split; null = added.
        split_after: its split; null = gone.
        rows: number of rows.
        ids: the first of their ids, in order.
        columns: of ``changed``: column -> rows that differ in it.
        reasons: of ``gone``: reason -> rows, where somebody knows.
        reason_of: of ``gone``: reason of each id of ``ids``.
    """

    configuration: str
    what: What
    split_before: str | None
    split_after: str | None
    rows: int
    ids: tuple[str, ...]
    columns: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    reason_of: Mapping[str, str] = field(default_factory=dict)

    @property
    def split(self) -> str:
        """Both splits in words, or the only one."""
        there = dict.fromkeys(split for split in (self.split_before, self.split_after) if split is not None)
        return " -> ".join(there)


_Key = tuple[str, What, str | None, str | None]
"""Configuration, what, split before and after."""


class ChangeTally:
    """Counts changes, and keeps the first ids of each."""

    def __init__(self, reasons: Reasons | None) -> None:
        self.same = 0
        self._ask = reasons
        self._rows, self._ids = Counter[_Key](), dict[_Key, list[str]]()
        self._columns, self._reasons = dict[_Key, Counter[str]](), dict[_Key, Counter[str]]()
        self._reason_of = dict[_Key, dict[str, str]]()

    def add(
        self,
        config: str,
        what: What,
        ids: pa.ChunkedArray,
        *,
        before: pa.ChunkedArray | None,
        after: pa.ChunkedArray | None,
        columns: Mapping[str, Mask] | None = None,
    ) -> None:
        """Count rows that differ in one way.

        Args:
            config: their configuration.
            what: the way.
            ids: their ids.
            before: split of each; None = they were in none.
            after: likewise.
            columns: column -> which of the rows differ in it.
        """
        names: list[str] = ids.to_pylist()
        splits = [[None] * len(names) if column is None else column.to_pylist() for column in (before, after)]
        rows_of = dict[_Key, list[int]]()
        for row, (was, is_now) in enumerate(zip(*splits, strict=True)):
            rows_of.setdefault((config, what, was, is_now), []).append(row)
        reasons = self._ask(config, names) if what == "gone" and self._ask is not None and names else {}
        for key, rows in rows_of.items():
            own = [names[row] for row in rows]
            self._rows[key] += len(rows)
            self._ids[key] = first = heapq.nsmallest(_SHOWN, [*self._ids.get(key, ()), *own])
            counted = {name: int(np.count_nonzero(mask[rows])) for name, mask in (columns or {}).items()}
            self._columns.setdefault(key, Counter()).update({name: number for name, number in counted.items() if number})
            self._reasons.setdefault(key, Counter()).update(reasons[name] for name in own if name in reasons)
            known = self._reason_of.get(key, {}) | {name: reasons[name] for name in own if name in reasons}
            self._reason_of[key] = {name: known[name] for name in first if name in known}

    def changes(self) -> list[Change]:
        """Return what was counted."""
        keys = sorted(self._rows, key=lambda key: (key[0], WHATS.index(key[1]), key[2] or "", key[3] or ""))
        return [
            Change(
                configuration=key[0],
                what=key[1],
                split_before=key[2],
                split_after=key[3],
                rows=self._rows[key],
                ids=tuple(self._ids[key]),
                columns=_by_number(self._columns[key]),
                reasons=_by_number(self._reasons[key]),
                reason_of=self._reason_of[key],
            )
            for key in keys
        ]


def _by_number(counted: Counter[str]) -> dict[str, int]:
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
