"""Rows of a release as digests of their values, on the disk and in parts, so that two releases can be compared at any size."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.columns import item_column
from storage.release_manifest import File
from storage.release_reader import rows_without_clips
from storage.workspace import Workspace

Digests = npt.NDArray[np.uint64]

ID: Final = "id"
SPLIT: Final = "split"
COLUMN: Final = "column "
"""Begins the name of each column of digests; the rest is the released column."""

_ROWS_AT_ONCE: Final = 2000


def digest_of(value: object) -> int:
    """Return the digest of one value: 64 bits, the same for equal values of one type."""
    return int.from_bytes(hashlib.blake2b(repr(value).encode(), digest_size=8).digest(), "little")


def digests_of(column: pa.ChunkedArray) -> Digests:
    """Return the digest of each value of a column."""
    if pa.types.is_nested(column.type):
        return np.array([digest_of(value) for value in column.to_pylist()], np.uint64)
    coded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    known: Digests = np.array([digest_of(value) for value in coded.dictionary.to_pylist()], np.uint64)
    return np.asarray(known[coded.indices.to_numpy()])


def write_parts(workspace: Workspace, folder: str, shards: Iterable[tuple[str, File]], into: Path, parts: int) -> None:
    """Write id, split and digests of rows to files, the part of each row by its id. Memory holds some rows at a time.

    Args:
        workspace: where the release lies.
        folder: the release, relative to the workspace.
        shards: split and shard, of one configuration.
        into: an empty folder.
        parts: how many; a file of each is open.

    Raises:
        DamagedPart: a shard is missing or cannot be read.
    """
    with contextlib.ExitStack() as open_files:
        writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        for rows in _digested(workspace, folder, shards):
            part_of = digests_of(rows[ID]) % parts
            for part in np.unique(part_of).tolist():
                if part not in writers:
                    file = open_files.enter_context(pa.OSFile(str(_file(into, part)), "wb"))
                    writers[part] = open_files.enter_context(pa.ipc.new_stream(file, rows.schema))
                writers[part].write_table(rows.filter(pa.array(part_of == part)))


def read_part(folder: Path, part: int, columns: Sequence[str]) -> pa.Table:
    """Return the rows of a part: ``id``, ``split`` and ``column <name>`` for each released column; none if it has no file."""
    path = _file(folder, part)
    if not path.exists():
        schema = [(ID, pa.string()), (SPLIT, pa.string()), *((f"{COLUMN}{name}", pa.uint64()) for name in columns)]
        return pa.schema(schema).empty_table()
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as rows:
        return rows.read_all()


def _digested(workspace: Workspace, folder: str, shards: Iterable[tuple[str, File]]) -> Iterator[pa.Table]:
    for split, shard in shards:
        for rows in rows_without_clips(workspace, folder, shard, _ROWS_AT_ONCE):
            key = item_column(rows.schema)
            digested = {f"{COLUMN}{name}": digests_of(rows[name]) for name in rows.column_names if name != key}
            yield pa.table({ID: rows[key], SPLIT: pa.array([split] * rows.num_rows, pa.string()), **digested})


def _file(folder: Path, part: int) -> Path:
    return folder / f"{part}.arrows"
