"""Tables of a workspace: Parquet parts that are committed by listing them in a manifest.

A commit writes a part under its own hash, then replaces ``manifest.json``. A crash before the second step leaves an orphan that
no reader sees and that the next compaction removes. There are two kinds of commits:

- ``append`` adds rows of a fan-out, batch by batch; they are never changed;
- ``replace`` puts the whole output of a pure stage in place of the old one.

A name with ``@`` is a partition with a manifest of its own: each stage replaces its own ``drops@<stage>``.

Parts outlive the software that wrote them: each has the version of its schema, and older ones are migrated when they are read
(``contracts.migrations``).
"""

import contextlib
import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, TypeAdapter

from contracts.conformance import conform
from contracts.errors import DamagedPart, StorageError
from contracts.ids import digest
from contracts.migrations import migrated, version_of
from contracts.schemas import key_of, schema_of
from storage.state import read_state
from storage.workspace import Workspace

COMPACT_ABOVE_PARTS: Final = 64
_SMALL_PART_ROWS: Final = 100_000
_BATCH_BYTES: Final = 1 << 24
_MOST_BATCH_ROWS: Final = 65_536
_BUFFER_BYTES: Final = 1 << 20
_NAME_LENGTH: Final = 32
_CHANGED: Final = "was changed since it was committed"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One committed Parquet file; ``version`` is that of the table's schema in which it was written."""

    name: Annotated[str, Field(pattern=r"^[0-9a-f]{32}\.parquet$")]
    rows: Annotated[int, Field(ge=0)]
    size_bytes: Annotated[int, Field(ge=0)]
    version: Annotated[int, Field(ge=1)] = 1


@dataclass(frozen=True, kw_only=True)
class _Manifest:
    """Content of ``manifest.json``."""

    parts: list[Part]


_MANIFEST: Final = TypeAdapter(_Manifest)
_COMMITTED_NAMES: Final = re.compile(r"\.?([0-9a-f]{32}\.parquet|manifest\.json)(\.\d+\.\d+\.tmp)?")
"""Names of files that a commit, complete or interrupted, leaves in a table's folder."""


class TableStore:
    """The tables of one workspace, by schema name."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def parts(self, name: str) -> list[Part]:
        """Return the committed parts of a table, oldest first.

        Raises:
            DamagedState: its manifest cannot be understood.
            StorageError: a newer version of this software wrote them.
        """
        folder = f"tables/{name}"
        advice = (
            f"restore the file from a backup, or remove {self.workspace.path(folder)}: the next build makes that table again, "
            "and takes replies of judges from the ledger"
        )
        try:
            parts = read_state(self.workspace, f"{folder}/manifest.json", _MANIFEST, advice=advice).parts
        except FileNotFoundError:
            return []
        if (newest := max((part.version for part in parts), default=1)) > version_of(name):
            raise self._newer(name, f"version {newest} of its schema; version {version_of(name)} is the latest known here")
        return parts

    def _newer(self, name: str, what: str) -> StorageError:
        where = self.workspace.path(f"tables/{name}")
        return StorageError(f"{where} has {what}: install the unisrm-data that wrote it, or a later one")

    def partitions(self, name: str) -> list[str]:
        """Return the names of a table's partitions, sorted."""
        return [entry for entry in self.workspace.listdir("tables") if entry.startswith(f"{name}@")]

    def num_rows(self, name: str) -> int:
        """Return the number of committed rows."""
        return sum(part.rows for part in self.parts(name))

    def version(self, name: str) -> str:
        """Return a hash of the committed parts, which changes with each commit or compaction."""
        return digest([part.name for part in self.parts(name)])

    def read(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return all committed rows, in order of commit; columns added after a part was written are null in its rows.

        Raises:
            DamagedPart: a committed part is gone, truncated or changed.
            StorageError: a newer version of this software wrote one.
        """
        schema = self._schema(name, columns)
        parts = self.parts(name)
        try:
            tables = [self._read_part(name, part, columns) for part in parts]
        except DamagedPart:
            if self.parts(name) == parts:
                raise
            return self.read(name, columns)  # a build compacted or replaced the table meanwhile
        return pa.concat_tables(tables) if tables else schema.empty_table()

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield all committed rows, some ten thousand at a time, in order of commit; see ``read``."""
        schema = self._schema(name, columns)
        for part in self.parts(name):
            with self._opened(name, part) as file:
                if part.version < version_of(name):
                    for batch in file.iter_batches(_batch_rows(file)):
                        yield migrated(pa.Table.from_batches([batch]), name, part.version).select(schema.names)
                    continue
                there = self._known_columns(name, file)
                for batch in file.iter_batches(
                    _batch_rows(file), columns=[column for column in schema.names if column in there]
                ):
                    yield conform(pa.Table.from_batches([batch]), name, schema)

    @contextlib.contextmanager
    def _opened(self, name: str, part: Part) -> Iterator[pq.ParquetFile]:
        """Yield a part whose bytes were compared with its name; of a local one, memory holds a few pages."""
        if not self.workspace.is_local:
            yield pq.ParquetFile(pa.BufferReader(self._bytes(name, part)))
            return
        path = self.workspace.local_path(f"tables/{name}/{part.name}")
        try:
            handle = path.open("rb")
        except FileNotFoundError:
            raise _damaged(path, "is gone") from None
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}") from error
        with handle:
            if hashlib.file_digest(handle, "sha256").hexdigest()[:_NAME_LENGTH] != part.name.removesuffix(".parquet"):
                raise _damaged(path, _CHANGED)
            handle.seek(0)
            yield pq.ParquetFile(handle, buffer_size=_BUFFER_BYTES)

    @staticmethod
    def _schema(name: str, columns: Sequence[str] | None) -> pa.Schema:
        schema = schema_of(name)
        return schema if columns is None else pa.schema([schema.field(column) for column in columns])

    def _bytes(self, name: str, part: Part) -> bytes:
        path = self.workspace.path(f"tables/{name}/{part.name}")
        try:
            data = self.workspace.read(f"tables/{name}/{part.name}")
        except FileNotFoundError:
            raise _damaged(path, "is gone") from None
        if len(data) != part.size_bytes:
            raise _damaged(path, f"has {len(data)} bytes, its manifest says {part.size_bytes}")
        if not part.name.startswith(_digest(data)):
            raise _damaged(path, _CHANGED)
        return data

    def _known_columns(self, name: str, file: pq.ParquetFile) -> list[str]:
        """Return the columns of a part of the latest version, which must all be known."""
        there: list[str] = file.schema_arrow.names
        if unknown := [column for column in there if column not in schema_of(name).names]:
            raise self._newer(name, f"the columns {', '.join(unknown)}, which are unknown here")
        return there

    def _read_part(self, name: str, part: Part, columns: Sequence[str] | None) -> pa.Table:
        file, schema = pq.ParquetFile(pa.BufferReader(self._bytes(name, part))), self._schema(name, columns)
        if part.version < version_of(name):
            return migrated(file.read(), name, part.version).select(schema.names)
        there = self._known_columns(name, file)
        return conform(file.read(columns=[column for column in schema.names if column in there]), name, schema)

    def require_parts(self, name: str) -> None:
        """Check that all committed parts of a table exist with their full size, without reading them.

        Raises:
            DamagedState: the manifest cannot be understood.
            DamagedPart: a part is gone or has another size.
        """
        if not (parts := self.parts(name)):
            return
        sizes = self.workspace.sizes(f"tables/{name}")
        for part in parts:
            if (size := sizes.get(part.name)) != part.size_bytes:
                has = "is gone" if size is None else f"has {size} bytes, its manifest says {part.size_bytes}"
                raise _damaged(self.workspace.path(f"tables/{name}/{part.name}"), has)

    def missing(self, name: str, keys: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Return those of ``keys`` that are not in the table, in the order given."""
        done = self.read(name, [key_of(name)])[key_of(name)]
        flat = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
        return flat.filter(pc.invert(pc.is_in(flat, value_set=done)))

    def append(self, name: str, rows: pa.Table) -> None:
        """Commit rows of a fan-out; they are durable when it returns.

        Raises:
            SchemaError: the rows break the schema; nothing is written.
            StorageError: the workspace cannot be written; nothing is committed.
        """
        if rows.num_rows == 0:
            return
        known = self.parts(name)
        part = self._write_part(name, conform(rows, name))
        if part.name in {other.name for other in known}:
            return  # the same rows, committed before
        self._commit(name, [*known, part])
        if sum(other.rows < _SMALL_PART_ROWS for other in [*known, part]) > COMPACT_ABOVE_PARTS:
            self.compact(name)

    def replace(self, name: str, rows: pa.Table) -> None:
        """Commit the whole output of a pure stage in place of the old one. The same rows change nothing."""
        known = self.parts(name)
        part = self._write_part(name, conform(rows, name))
        if known != [part]:
            self._commit(name, [part])
        self._remove_orphans(name)

    def compact(self, name: str) -> None:
        """Merge small parts into one, after the large ones, and remove files that no manifest names."""
        parts = self.parts(name)
        large = [part for part in parts if part.rows >= _SMALL_PART_ROWS]
        small = [part for part in parts if part.rows < _SMALL_PART_ROWS]
        if len(small) > 1:
            merged = self._write_part(name, pa.concat_tables([self._read_part(name, part, None) for part in small]))
            self._commit(name, [*large, merged])
        self._remove_orphans(name)

    def _write_part(self, name: str, rows: pa.Table) -> Part:
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression="zstd", write_page_index=True)
        data = buffer.getvalue()
        part = Part(name=f"{_digest(data)}.parquet", rows=rows.num_rows, size_bytes=len(data), version=version_of(name))
        self.workspace.write(f"tables/{name}/{part.name}", data)
        return part

    def _commit(self, name: str, parts: Sequence[Part]) -> None:
        content = {"parts": [vars(part) for part in parts]}
        self.workspace.write(f"tables/{name}/manifest.json", json.dumps(content, indent=1).encode())

    def _remove_orphans(self, name: str) -> None:
        listed = {part.name for part in self.parts(name)} | {"manifest.json"}
        for entry in self.workspace.listdir(f"tables/{name}"):
            if entry not in listed and _COMMITTED_NAMES.fullmatch(entry):  # other files are not the table's
                self.workspace.remove(f"tables/{name}/{entry}")


def _damaged(path: str | Path, what: str) -> DamagedPart:
    return DamagedPart(f"{path} {what}: restore the file from a backup")


def _batch_rows(file: pq.ParquetFile) -> int:
    """Return how many rows take about ``_BATCH_BYTES``."""
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    row_bytes = sum(group.total_byte_size for group in groups) / max(file.metadata.num_rows, 1)
    return max(1, min(_MOST_BATCH_ROWS, int(_BATCH_BYTES / max(row_bytes, 1))))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_NAME_LENGTH]
