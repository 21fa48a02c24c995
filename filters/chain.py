"""Filters one after the other; every row that leaves is a row of ``drops``."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.conformance import conform
from contracts.errors import DataError
from contracts.schemas import empty
from filters.verdict import Filter, split

STAGE: Final = "filters"


def apply(table: pa.Table, filters: Sequence[tuple[str, Filter]]) -> tuple[pa.Table, pa.Table]:
    """Run filters in order; each sees only the survivors of those before it.

    Args:
        table: comparisons, with ``item_id`` and every column that the filters read (see ``filters.verdict``).
        filters: (name as the recipe calls it, configured filter).

    Returns:
        The kept rows, all columns, in order; and ``drops`` with stage ``filters`` and the item id as row id, filter by filter.
        Kept and dropped together are as many as the rows of ``table``.

    Raises:
        DataError: a column that a filter reads is missing (all are named before anything runs), or holds a NaN.
    """
    _check(table, filters)
    alive = np.ones(table.num_rows, dtype=np.bool_)
    drops = [empty("drops")]
    for name, plugin in filters:
        view = table.select(list(dict.fromkeys(("item_id", *plugin.columns))))
        if not alive.all():
            view = view.filter(pa.array(alive))
        reasons = _checked(f"filter {name!r}: reasons()", plugin.reasons(view), view.num_rows)
        _, dropped = split(view.select(["item_id"]), reasons)
        if not dropped.num_rows:
            continue
        left = pc.is_valid(reasons)
        evidence = _checked(f"filter {name!r}: evidence()", plugin.evidence(view, reasons), view.num_rows).filter(left)
        if evidence.null_count:
            raise DataError(
                f"filter {name!r}: evidence() must return a string for each of the rows that drop, got null for one"
            )
        drops.append(_drops(name, dropped["item_id"], reasons.filter(left), evidence))
        alive[alive] = ~left.to_numpy(zero_copy_only=False)
    return table.filter(pa.array(alive)), pa.concat_tables(drops).combine_chunks()


def _checked(what: str, given: object, rows: int) -> pa.StringArray:
    """Return what a filter gave, if it is one word or null a row: a mask would drop every row."""
    if isinstance(given, pa.ChunkedArray):
        given = given.combine_chunks()
    if isinstance(given, pa.NullArray):
        given = given.cast(pa.string())
    if not isinstance(given, pa.StringArray) or len(given) != rows:
        got = f"{len(given)} of {given.type}" if isinstance(given, pa.Array) else type(given).__name__
        raise DataError(f"{what} must return one string or null for each of {rows} rows, got {got}")
    return given


def _check(table: pa.Table, filters: Sequence[tuple[str, Filter]]) -> None:
    wanted = {"item_id": "the drops table"}
    for name, plugin in filters:
        wanted |= dict.fromkeys(plugin.columns, f"filter {name}")
    missing = [f"{column} (for {reader})" for column, reader in wanted.items() if column not in table.column_names]
    if missing:
        raise DataError(f"comparisons lack the columns {', '.join(missing)}; there are {', '.join(table.column_names)}")
    for column in wanted:
        if pa.types.is_floating(table[column].type):
            row = pc.index(pc.is_nan(table[column]), True).as_py()
            if row >= 0:
                raise DataError(f"comparisons, column {column}, row {row}: NaN; unknown is null")


def _drops(name: str, item_ids: pa.ChunkedArray, reasons: pa.StringArray, evidence: pa.StringArray) -> pa.Table:
    constant = [pa.repeat(pa.scalar(value, pa.string()), len(item_ids)) for value in (STAGE, name)]
    columns = {"stage": constant[0], "row_id": item_ids, "filter": constant[1], "reason": reasons, "evidence": evidence}
    return conform(pa.table(columns), "drops")
