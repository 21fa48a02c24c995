"""Items: what a data set is made of, as stages and views see them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from contracts.joins import sorted_by
from contracts.schemas import key_of
from flows.run.pipeline import Build
from flows.run.wanted import made, wanted_rows


@dataclass(frozen=True, kw_only=True)
class ItemTable:
    """What a kind of data set labels, filters, splits and releases: the rows of one table.

    Attributes:
        table: the table; an item's id is its key.
        reads: tables that a stage must declare to read the items.
        table_rows: returns the rows of this recipe, sorted by their key.
        samples: columns with the samples of an item.
        plural: what messages and books call them.
    """

    table: str
    reads: tuple[str, ...]
    table_rows: Callable[[Build], pa.Table]
    samples: tuple[str, ...]
    plural: str

    @property
    def key(self) -> str:
        """Key column of the table."""
        return key_of(self.table)

    def rows(self, build: Build) -> pa.Table:
        """Return ``item_id, group_id, prompt_id`` and the columns ``samples`` of every item, sorted by id."""
        rows = self.table_rows(build)
        items = {"item_id": rows[self.key], "group_id": rows["group_id"], "prompt_id": rows["prompt_id"]}
        return pa.table(items | {name: rows[name] for name in self.samples})


PAIRS: Final = ItemTable(
    table="pairs",
    reads=("pairs",),
    table_rows=lambda build: sorted_by(build.tables.read("pairs"), "pair_id"),
    samples=("sample_a", "sample_b"),
    plural="pairs",
)
"""Two clips that are compared."""

CLIPS: Final = ItemTable(
    table="samples",
    reads=made("samples"),
    table_rows=lambda build: wanted_rows(build, "samples"),
    samples=("sample_id",),
    plural="clips",
)
"""One clip."""
