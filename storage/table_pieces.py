"""Tables cut along the prompts that their rows are about, so that a join of all of them holds one piece at a time.

The rows go to temporary files, one per table and piece, in their order. Tables are read some rows at a time; beside these,
memory holds the keys of one table, and of the tables that others are about.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import Ints, chained, row_numbers, taken
from contracts.schemas import key_of, schema_of
from storage.tables import Part, TableStore

_PROMPTS: Final = "prompts"


class PieceTables(TableStore):
    """Tables of which one piece is read: of those that were cut, the rows of some prompts; of all others, every row."""

    def __init__(self, whole: TableStore, folder: Path, number: int, cut: frozenset[str], wanted: frozenset[str]) -> None:
        """Take the tables of a workspace.

        Args:
            whole: all rows.
            folder: the files of ``cut_tables``.
            number: number of the piece.
            cut: tables that were cut.
            wanted: tables ``wanted@...`` that the cut respected: all rows of a piece are wanted.
        """
        super().__init__(whole.workspace)
        self._whole, self._folder, self._number, self._cut, self._wanted = whole, folder, number, cut, wanted

    def parts(self, name: str) -> list[Part]:
        """Return the committed parts of the whole table; none of a table that says what is wanted and was respected."""
        return [] if name in self._wanted else self._whole.parts(name)

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


def cut_tables(
    whole: TableStore,
    folder: Path,
    prompts: pa.Table,
    along: Mapping[str, tuple[str, str]],
    wanted: Mapping[str, Callable[[], pa.Array | pa.ChunkedArray]],
) -> dict[str, int]:
    """Write each piece of each table to a file; rows that are about no prompt of any piece are left out.

    Args:
        whole: all rows.
        folder: an empty folder.
        prompts: ``prompt_id`` and ``piece``, its number.
        along: table -> its column that names a row of another table, and that table; those named come first. It begins with
            tables that name ``prompts``.
        wanted: table -> what returns the keys of the rows that count; a table that is not named counts whole.

    Returns:
        Table -> rows in all of its pieces.
    """
    written: dict[str, int] = {}
    pieces: dict[str, tuple[pa.ChunkedArray, Ints]] = {_PROMPTS: (prompts["prompt_id"], prompts["piece"].to_numpy())}
    parents = {parent for _, parent in along.values()} - {_PROMPTS}
    for name, (column, parent) in along.items():
        keys = _keys(whole, name, column)
        number = _pieces(keys[column], *pieces[parent])
        if name in wanted:
            number[~pc.is_in(keys[key_of(name)], value_set=_flat(wanted[name]())).to_numpy()] = -1
        if name in parents:
            there = pa.array(number >= 0)
            pieces[name] = pa.chunked_array([_flat(keys[key_of(name)].filter(there))], pa.string()), number[number >= 0]
        del keys
        _write(whole, folder, name, number)
        written[name] = int(np.count_nonzero(number >= 0))
        pa.default_memory_pool().release_unused()
    return written


def _keys(whole: TableStore, name: str, column: str) -> pa.Table:
    """Return the keys of all rows, and what each is about."""
    names = list(dict.fromkeys((column, key_of(name))))
    none = pa.schema([schema_of(name).field(one) for one in names]).empty_table()
    return pa.concat_tables([none, *whole.batches(name, names)])


def _pieces(of: pa.ChunkedArray, keys: pa.ChunkedArray, piece_of: Ints) -> npt.NDArray[np.int32]:
    """Return the piece of the row that each value names; -1 = none."""
    return chained(row_numbers(of, keys), piece_of).astype(np.int32)


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


def _flat(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _file(folder: Path, table: str, number: int) -> Path:
    return folder / f"{table}.{number}.arrows"
