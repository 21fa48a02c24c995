"""Release rows as Parquet shards with embedded audio, in the layout that the Hugging Face Hub and ``datasets`` read.

- An audio column is ``struct<bytes: binary, path: string>``; the file metadata ``huggingface`` declares the features. Lists
  are declared as ``[feature]``, the one spelling that ``datasets`` 3, 4 and 5 share; maps are lists of structs, because
  ``datasets`` knows no map type.
- Row groups of about 100 rows and page indexes let the Hub's viewer read a page without the shard; content-defined
  chunking lets its storage share what two versions have in common.
- FLAC does not compress: its bytes are stored as they are, text with zstd. A clip that occurs in many rows of a row
  group is stored once, as an entry of the column's dictionary, so rows of one prompt should be adjacent.
"""

import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.errors import DamagedPart, SchemaError
from storage.columns import AUDIO, AUDIOS, ReleaseSchema, row_schema

_FLAC_HEADER_BYTES: Final = 42  # marker and STREAMINFO (RFC 9639)
_SHARD: Final = re.compile(r"(?P<split>.+)-\d{5}-of-(?P<count>\d{5})\.parquet")
_FETCHED_ROWS: Final = 25
_FETCHERS: Final = 8


@dataclass(frozen=True, kw_only=True)
class ShardLayout:
    """How rows are divided into shards and row groups.

    Attributes:
        sample_rate_hz: rate of all clips, stated in the features.
        shard_bytes: a shard ends with the row group that reaches this size.
        row_group_rows: most rows of a row group.
        row_group_bytes: most audio bytes of a row group; a single row may exceed it.
        row_groups: most row groups of a shard: what the file says of each is in memory until its end.
    """

    sample_rate_hz: int
    shard_bytes: int = 500_000_000
    row_group_rows: int = 100
    row_group_bytes: int = 100_000_000
    row_groups: int = 100


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A finished shard: path relative to the folder given, with ``/``, and number of rows."""

    path: str
    rows: int


def split_of(name: str) -> str:
    """Return the split of a shard by its file name; any other name as it is."""
    shard = _SHARD.fullmatch(name)
    return shard["split"] if shard else name


def siblings_of(name: str) -> list[str]:
    """Return the names of all shards of the split that a shard belongs to; any other name as it is, alone."""
    shard = _SHARD.fullmatch(name)
    if shard is None:
        return [name]
    count = int(shard["count"])
    return [f"{shard['split']}-{number:05d}-of-{count:05d}.parquet" for number in range(count)]


def features(schema: ReleaseSchema, sample_rate_hz: int) -> dict[str, Any]:
    """Return the ``datasets`` features of a release schema as JSON-ready literals."""
    return {field.name: _feature(field.type, sample_rate_hz) for field in schema.columns}


def _feature(kind: pa.DataType, sample_rate_hz: int) -> Any:
    if kind == AUDIO:
        return {"sampling_rate": sample_rate_hz, "_type": "Audio"}
    if pa.types.is_list(kind):
        return [_feature(kind.value_type, sample_rate_hz)]
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type, sample_rate_hz) for field in kind}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}


def write_split(
    folder: Path,
    config: str,
    split: str,
    rows: Iterable[pa.Table],
    audio: Callable[[str], bytes],
    *,
    layout: ShardLayout,
    schema: ReleaseSchema,
) -> list[Shard]:
    """Write one split as ``<config>/<split>-00000-of-00003.parquet`` and so on.

    A split without rows has no shard, because ``datasets`` cannot load an empty one. Two row groups are in memory: one is
    written while other threads read the clips of the next. The bytes depend on the rows, their order and the layout, not on how
    the rows are divided into tables.

    Args:
        folder: where the shards go; not yet visible to readers (``storage.release_writer`` renames it).
        config: name of the configuration, such as ``task1``.
        split: name of the split.
        rows: tables of ``row_schema(schema)``, in any column order; nullable columns may be missing.
        audio: audio id -> FLAC file (``BlobStore.encoded``); called once per clip and row group, by several threads.
        layout: how rows are divided.
        schema: release schema.

    Raises:
        SchemaError: a table does not fit the schema.
        DamagedPart: a clip is damaged, or no FLAC file.
        OSError: the folder cannot be written.
    """
    writing = _ShardWriting(schema, layout)
    (folder / config).mkdir(parents=True, exist_ok=True)
    written = list[tuple[Path, int]]()
    with closing(_prefetched(writing.table(*group) for group in _row_groups(rows, audio, schema, layout))) as groups:
        group = next(groups, None)
        while group is not None:
            path, count, number = folder / config / f".{split}-{len(written):05d}", 0, 0
            with pa.OSFile(str(path), "wb") as sink, writing.open(sink) as writer:
                while group is not None and number < layout.row_groups and (count == 0 or sink.tell() < layout.shard_bytes):
                    writer.write_table(group, row_group_size=group.num_rows)
                    count, number = count + group.num_rows, number + 1
                    group = next(groups, None)
            written.append((path, count))
    shards = []
    for number, (path, count) in enumerate(written):
        name = f"{split}-{number:05d}-of-{len(written):05d}.parquet"
        path.rename(path.with_name(name))
        shards.append(Shard(path=f"{config}/{name}", rows=count))
    return shards


class _ShardWriting:
    """What all shards of a split share: the schema for Parquet, and the options of its columns."""

    def __init__(self, schema: ReleaseSchema, layout: ShardLayout) -> None:
        # All nullable: ``datasets`` takes a required column for no Audio feature.
        encoded = {AUDIO: _ENCODED, AUDIOS: pa.list_(_ENCODED)}
        self.schema = pa.schema([(field.name, encoded.get(field.type, field.type)) for field in schema.columns])
        self._info = json.dumps({"info": {"features": features(schema, layout.sample_rate_hz)}}, separators=(",", ":"))
        self._limit = 2 * layout.row_group_bytes
        buffer = pa.BufferOutputStream()
        pq.write_table(schema.columns.empty_table(), buffer)
        columns = pq.ParquetFile(buffer.getvalue()).schema
        self._leaves = [columns.column(index).path for index in range(len(columns))]
        self._audio = schema.audio_columns
        self._buffers, self._spare_buffers = ({name: bytearray() for name in self._audio} for _ in range(2))

    def table(self, parts: Sequence[pa.Table], clips: Mapping[str, bytes]) -> pa.Table:
        """Return one row group with its audio. Its memory is reused by the call after the next one."""
        self._buffers, self._spare_buffers = self._spare_buffers, self._buffers
        columns = dict(zip(self.schema.names, pa.concat_tables(parts).combine_chunks().columns, strict=True))
        for name in self._audio:
            ids = columns[name].combine_chunks()
            if pa.types.is_list(ids.type):
                lengths = pc.fill_null(pc.list_value_length(ids), 0).to_numpy()
                offsets = pa.array(np.cumsum([0, *lengths], dtype=np.int32))
                encoded = self._encoded(name, ids.flatten(), clips)
                columns[name] = pa.ListArray.from_arrays(offsets, encoded, mask=ids.is_null())
            else:
                columns[name] = self._encoded(name, ids, clips)
        return pa.Table.from_arrays(list(columns.values()), schema=self.schema)

    def _encoded(self, name: str, ids: pa.Array, clips: Mapping[str, bytes]) -> pa.Array:
        """Return clips by their ids, as _ENCODED."""
        unique = ids.dictionary_encode()
        data = self._binary(name, [clips[clip] for clip in unique.dictionary.to_pylist()])
        encoded = pa.DictionaryArray.from_arrays(unique.indices, data)
        paths = pc.binary_join_element_wise(ids, "flac", ".")
        return pa.StructArray.from_arrays([encoded, paths], fields=list(_ENCODED), mask=ids.is_null())

    def _binary(self, name: str, values: Sequence[bytes]) -> pa.Array:
        """Return clips as an array over reused memory: new memory for each row group can halve the speed."""
        offsets = np.cumsum([0, *map(len, values)], dtype=np.int32)
        if len(self._buffers[name]) < offsets[-1]:
            self._buffers[name] = bytearray(int(offsets[-1]))
        buffer = self._buffers[name]
        for start, value in zip(offsets[:-1].tolist(), values, strict=True):
            buffer[start : start + len(value)] = value
        return pa.Array.from_buffers(pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(buffer)])

    def open(self, sink: pa.NativeFile) -> pq.ParquetWriter:
        audio = {leaf for leaf in self._leaves if leaf.partition(".")[0] in self._audio and leaf.endswith(".bytes")}
        writer = pq.ParquetWriter(
            sink,
            self.schema,
            compression={leaf: "none" if leaf in audio else "zstd" for leaf in self._leaves},
            write_statistics=[leaf for leaf in self._leaves if leaf not in audio],
            # Arrow's own copy of the schema would restore dictionary types, which ``datasets`` does not expect.
            store_schema=False,
            dictionary_pagesize_limit=self._limit,
            write_page_index=True,
            use_content_defined_chunking=True,
        )
        writer.add_key_value_metadata({"huggingface": self._info})
        return writer


_ENCODED: Final = pa.struct([("bytes", pa.dictionary(pa.int32(), pa.binary())), ("path", pa.string())])
"""AUDIO for Parquet: every clip once per row group. Binary views would need no copy, but abort when chunked."""


def _prefetched(items: Iterator[pa.Table]) -> Generator[pa.Table]:
    """Yield items; another thread makes the next one while one is in use."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        upcoming = pool.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = pool.submit(next, items, None)
            yield item


def _row_groups(
    rows: Iterable[pa.Table], audio: Callable[[str], bytes], schema: ReleaseSchema, layout: ShardLayout
) -> Iterator[tuple[list[pa.Table], dict[str, bytes]]]:
    """Yield the rows of each row group and the clips that they use."""
    parts, clips = list[pa.Table](), dict[str, bytes]()
    count = size = 0
    with ThreadPoolExecutor(_FETCHERS, "clips") as pool:
        for unchecked in rows:
            table = _checked(unchecked, schema)
            start = 0
            for position, (present, fetched) in enumerate(_fetched(_clips_of_rows(table, schema), clips, audio, pool)):
                clips.update((clip, fetched[clip]) for clip in present)
                weight = sum(len(clips[clip]) for clip in present)
                if count == layout.row_group_rows or (count and size + weight > layout.row_group_bytes):
                    yield [*parts, table.slice(start, position - start)], dict(clips)
                    parts, start = [], position
                    count = size = 0
                    clips.clear()
                    clips.update((clip, fetched[clip]) for clip in present)
                count, size = count + 1, size + weight
            parts.append(table.slice(start))
    if count:
        yield parts, clips


def _clips_of_rows(table: pa.Table, schema: ReleaseSchema) -> list[list[str]]:
    """Return the clips that each row uses."""
    used = list[list[str]]([] for _ in range(table.num_rows))
    for column in schema.audio_columns:
        for clips, value in zip(used, table[column].to_pylist(), strict=True):
            clips += [clip for clip in (value if isinstance(value, list) else [value]) if clip is not None]
    return used


def _fetched(
    used: Sequence[list[str]], known: Mapping[str, bytes], audio: Callable[[str], bytes], pool: ThreadPoolExecutor
) -> Iterator[tuple[list[str], dict[str, bytes]]]:
    """Yield each row's clips and a mapping with their bytes, which are read for a few rows at once."""
    for start in range(0, len(used), _FETCHED_ROWS):
        ahead = used[start : start + _FETCHED_ROWS]
        wanted = list(dict.fromkeys(clip for clips in ahead for clip in clips))
        new = [clip for clip in wanted if clip not in known]
        fetched = {clip: known[clip] for clip in wanted if clip in known}
        fetched.update(zip(new, pool.map(lambda clip: _flac(clip, audio(clip)), new), strict=True))
        for clips in ahead:
            yield clips, fetched


def _flac(clip: str, data: bytes) -> bytes:
    if len(data) < _FLAC_HEADER_BYTES or not data.startswith(b"fLaC"):
        raise DamagedPart(f"audio {clip} is no FLAC file: restore it from a backup")
    return data


def _checked(table: pa.Table, schema: ReleaseSchema) -> pa.Table:
    """Return the table with the columns of ``row_schema(schema)``.

    Raises:
        SchemaError: a column is missing, unknown, of another type, or null where it must not be.
    """
    wanted, given = row_schema(schema), dict(zip(table.column_names, table.columns, strict=True))
    unknown = sorted(set(given) - set(wanted.names))
    missing = [field.name for field in wanted if not field.nullable and field.name not in given]
    if unknown or missing:
        raise SchemaError(f"release rows: missing columns {missing or 'none'}, unknown columns {unknown or 'none'}")
    arrays = []
    for field in wanted:
        column = given[field.name] if field.name in given else pa.nulls(table.num_rows, field.type)
        if column.type != field.type:
            raise SchemaError(f"release rows, column {field.name}: wants {field.type}, got {column.type}")
        if column.null_count and not field.nullable:
            raise SchemaError(f"release rows, column {field.name}: null where a value is required")
        arrays.append(column)
    return pa.Table.from_arrays(arrays, schema=wanted)
