"""Tables cut along the prompts that their rows are about, so that a join of all of them holds one piece at a time.

The rows go to temporary files, one per table and piece, in their order. Tables are read some rows at a time; beside these,
memory holds the keys of one table that others are about, and the number of the piece of each row.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.free_memory import give_back
from contracts.joins import Ints, chained, row_numbers, taken
from contracts.schemas import key_of, schema_of
from storage.tables import Part, TableStore

_PROMPTS: Final = "prompts"
_LOOKED_UP: Final = 250_000
"""Rows whose piece is looked up at once: each look-up hashes all keys of the table that they are about."""


class PieceTables(TableStore):
    """Tables of which one piece is read: of those that were cut, the rows of some prompts; of all others, every row."""

    def __init__(self, whole: TableStore, folder: Path, number: int, cut: frozenset[str]) -> None:
        """Take the tables of a workspace.

        Args:
            whole: all rows.
            folder: the files of ``cut_tables``.
            number: number of the piece.
            cut: tables that were cut.
        """
        super().__init__(whole.workspace)
        self._whole, self._folder, self._number, self._cut = whole, folder, number, cut

    def parts(self, name: str) -> list[Part]:
        """Return the committed parts of the whole table."""
        return self._whole.parts(name)

    def partitions(self, name: str) -> list[str]:
        """Return the names of a table's partitions that exist, sorted."""
        return self._whole.partitions(name)

    def read(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of the piece, in order of commit."""
        if name not in self._cut:
            return self._whole.read(name, columns)
        schema = self._schema(name, columns)
        path = _file(self._folder, name, self._number)
        if not path.exists():
            return schema.empty_table()
        fields = [schema_of(name).get_field_index(column) for column in schema.names]
        options = pa.ipc.IpcReadOptions(included_fields=fields)
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file, options=options) as rows:
            return rows.read_all().select(schema.names)


def cut_tables(whole: TableStore, folder: Path, prompts: pa.Table, along: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    """Write each piece of each table to a file; rows that are about no prompt of any piece are left out.

    Args:
        whole: all rows.
        folder: an empty folder.
        prompts: ``prompt_id`` and ``piece``, its number.
        along: table -> its column that names a row of another table, and that table; those named come first. It begins with
            tables that name ``prompts``.

    Returns:
        Table -> rows in all of its pieces.
    """
    written: dict[str, int] = {}
    pieces: dict[str, tuple[pa.ChunkedArray, Ints]] = {_PROMPTS: (prompts["prompt_id"], prompts["piece"].to_numpy())}
    last_use = {parent: name for name, (_, parent) in along.items()}
    for name, (column, parent) in along.items():
        number = _numbers(whole, name, column, *pieces[parent])
        if last_use[parent] == name:
            del pieces[parent]
        if name in last_use and name not in pieces:
            pieces[name] = _numbered_keys(whole, name, number)
        _write(whole, folder, name, number)
        written[name] = int(np.count_nonzero(number >= 0))
        give_back()
    return written


def _numbers(whole: TableStore, name: str, column: str, keys: pa.ChunkedArray, piece_of: Ints) -> npt.NDArray[np.int32]:
    """Return the piece of every row, that of the row that its column names; -1 = none."""
    batches = _gathered_batches(whole, name, column)
    return np.concatenate([chained(row_numbers(some, keys), piece_of).astype(np.int32) for some in batches])


def _gathered_batches(whole: TableStore, name: str, column: str) -> Iterator[pa.ChunkedArray]:
    """Yield the values of a column, about ``_LOOKED_UP`` at a time."""
    chunks, count = list[pa.Array](), 0
    for rows in whole.batches(name, [column]):
        chunks += rows[column].chunks
        count += rows.num_rows
        if count >= _LOOKED_UP:
            yield pa.chunked_array(chunks, pa.string())
            chunks, count = [], 0
    yield pa.chunked_array(chunks, pa.string())


def _numbered_keys(whole: TableStore, name: str, number: npt.NDArray[np.int32]) -> tuple[pa.ChunkedArray, Ints]:
    """Return the keys of the rows that are in a piece, and its number."""
    key, start = key_of(name), 0
    keys = list[pa.Array]()
    for rows in whole.batches(name, [key]):
        here = pa.array(number[start : start + rows.num_rows] >= 0)
        keys += rows[key].filter(here).chunks
        start += rows.num_rows
    # In one chunk: a look-up would put the chunks together each time.
    return pa.chunked_array([pa.chunked_array(keys, pa.string()).combine_chunks()]), number[number >= 0]


def _write(whole: TableStore, folder: Path, name: str, number: npt.NDArray[np.int32]) -> None:
    """Write the rows of a table to the files of their pieces.

    They are Arrow streams: a Parquet file remembers each of the many small groups of rows until it is closed.
    """
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    start = 0
    with contextlib.ExitStack() as open_files:
        writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        for rows in whole.batches(name):
            here = number[start : start + rows.num_rows]
            start += rows.num_rows
            for piece in np.unique(here[here >= 0]).tolist():
                if piece not in writers:
                    file = open_files.enter_context(pa.OSFile(str(_file(folder, name, piece)), "wb"))
                    writers[piece] = open_files.enter_context(pa.ipc.new_stream(file, rows.schema, options=options))
                writers[piece].write_table(taken(rows, pa.array(np.flatnonzero(here == piece))))


def _file(folder: Path, table: str, number: int) -> Path:
    return folder / f"{table}.{number}.arrows"
