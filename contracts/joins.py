"""Look-ups between tables that keep order and nested types (Arrow's own join does neither)."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc


def attach(table: pa.Table, on: str, source: pa.Table, key: str, columns: Mapping[str, str]) -> pa.Table:
    """Append columns of ``source`` to ``table``, row by row, null where ``source`` has no such row.

    Args:
        table: any table.
        on: its column that refers to a row of ``source``; null refers to none.
        source: the table looked up; ``key`` is unique in it.
        key: its key column.
        columns: new name -> column of ``source``.
    """
    position = pc.index_in(table[on], value_set=source[key].combine_chunks())
    found = source.select(list(columns.values())).combine_chunks().take(position.combine_chunks())
    for new, old in columns.items():
        table = table.append_column(new, found[old])
    return table


def among(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return the rows whose ``column`` is one of ``values``."""
    flat = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return table.filter(pc.is_in(table[column], value_set=flat))
