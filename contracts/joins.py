"""Look-ups between tables that keep order and nested types (Arrow's own join does neither), at any size.

Arrow's ``take`` and ``sort_by`` put the chunks of a column together first, which fails for strings of more than 2 GiB ("offset
overflow"): a million replies of 2 KB. Here a column of that size is taken piece by piece and stays in chunks.

``attach`` joins whole tables; with ``row_numbers`` and ``RowSource`` a join is prepared once and done batch by batch.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_PIECE_BYTES: Final = 1 << 28

Ints = npt.NDArray[np.signedinteger]


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
    found = taken(source.select(list(columns.values())), position)
    for new, old in columns.items():
        table = table.append_column(new, found[old])
    return table


def row_numbers(keys: pa.Array | pa.ChunkedArray, among_keys: pa.ChunkedArray) -> Ints:
    """Return where each key stands among others, which are unique; -1 = null, or nowhere."""
    found: Ints = pc.fill_null(pc.index_in(keys, value_set=among_keys.combine_chunks()), -1).to_numpy()
    return found


def chained(rows: Ints, link: Ints) -> Ints:
    """Return ``link`` at each of these rows: row numbers of a third table; -1 stays -1."""
    return np.where(rows < 0, -1, link[rows]) if len(link) else np.full(len(rows), -1)


class RowSource:
    """Columns of a table of which a few rows are taken, many times: a call takes time for its own rows, not for the table's."""

    def __init__(self, table: pa.Table, columns: Iterable[str]) -> None:
        """Hold these columns; a large one stays in the chunks that it comes in, and is not copied."""
        self._columns = {name: _few_chunks(table[name]) for name in columns}
        self._ends = {name: np.cumsum([0, *map(len, column.chunks)]) for name, column in self._columns.items()}

    def take(self, column: str, rows: Ints) -> pa.Array:
        """Return the values of the rows with these numbers, which must fit into one array; -1 is null."""
        found = self._columns[column]
        if not len(rows):
            return pa.nulls(0, found.type)
        if found.num_chunks == 1:
            return found.chunk(0).take(pa.array(rows, mask=rows < 0))
        return _gathered(found, self._ends[column], rows)

    def select(self, columns: Mapping[str, str], rows: Ints) -> dict[str, pa.Array]:
        """Return the same of several columns: new name -> column."""
        return {new: self.take(old, rows) for new, old in columns.items()}


def _few_chunks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.num_chunks == 1 or column.nbytes > _PIECE_BYTES:
        return column
    return pa.chunked_array([column.combine_chunks()], column.type)


def among(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return the rows whose ``column`` is one of ``values``."""
    flat = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return table.filter(pc.is_in(table[column], value_set=flat))


def sorted_by(table: pa.Table, *keys: str) -> pa.Table:
    """Return the rows in ascending order of ``keys``, equal ones as they were."""
    return taken(table, pc.sort_indices(table.select(keys), sort_keys=[(key, "ascending") for key in keys]))


def taken(table: pa.Table, rows: pa.Array | pa.ChunkedArray | Sequence[int]) -> pa.Table:
    """Return the rows with these numbers, in their order; null is a row of nulls."""
    numbers = pa.chunked_array([rows]) if not isinstance(rows, pa.ChunkedArray) else rows
    where = pc.fill_null(numbers.cast(pa.int64()), -1).to_numpy()
    return pa.Table.from_arrays([_taken(column, where) for column in table.columns], schema=table.schema)


def _taken(column: pa.ChunkedArray, where: Ints) -> pa.ChunkedArray:
    """Return the values at these places; -1 is null."""
    sizes = _sizes(column, where)
    if column.nbytes + sizes.sum() <= _PIECE_BYTES:
        return pa.chunked_array([column.combine_chunks().take(pa.array(where, mask=where < 0))])
    ends = np.cumsum([0, *map(len, column.chunks)])
    pieces = [_gathered(column, ends, where[part]) for part in _parts(sizes)]
    return pa.chunked_array(pieces, column.type)


def _sizes(column: pa.ChunkedArray, where: Ints) -> npt.NDArray[np.float64]:
    """Return about how many bytes each of the values takes."""
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        lengths = pc.fill_null(pc.binary_length(column), 0).to_numpy()
        return np.where(where < 0, 0, lengths[where] if len(lengths) else 0).astype(np.float64)
    return np.full(len(where), column.nbytes / max(len(column), 1))


def _parts(sizes: npt.NDArray[np.float64]) -> Iterator[slice]:
    """Yield neighbouring values that together take no more than a piece, or are a single one."""
    total, start = np.concatenate([[0.0], np.cumsum(sizes)]), 0
    while start < len(sizes):
        end = max(int(np.searchsorted(total, total[start] + _PIECE_BYTES, side="right")) - 1, start + 1)
        yield slice(start, end)
        start = end


def _gathered(column: pa.ChunkedArray, ends: Ints, where: Ints) -> pa.Array:
    """Return the values at these places as one array, chunk by chunk, and then in the order asked for."""
    chunk_of = np.where(where < 0, -1, np.searchsorted(ends, where, side="right") - 1)
    order = np.argsort(chunk_of, kind="stable")
    bounds = np.flatnonzero(np.diff(chunk_of[order], prepend=-2))
    pieces: list[Any] = []
    for places in np.split(order, bounds[1:]):
        number = chunk_of[places[0]]
        if number < 0:
            pieces.append(pa.nulls(len(places), column.type))
        else:
            pieces.append(column.chunk(number).take(pa.array(where[places] - ends[number])))
    found = pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)
    if np.array_equal(order, np.arange(len(order))):
        return found
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return found.take(pa.array(back))
