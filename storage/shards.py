"""Release rows as Parquet shards with embedded audio, in the layout that the Hugging Face Hub and ``datasets`` read.

- An audio column is ``struct<bytes: binary, path: string>``; the file metadata ``huggingface`` declares the features. Lists
  are declared as ``[feature]``, the one spelling that ``datasets`` 3, 4 and 5 share; maps are lists of structs, because
  ``datasets`` knows no map type.
- Row groups of about 100 rows and page indexes let the Hub's viewer read a page without the shard; content-defined
  chunking lets its storage share what two versions have in common.
- FLAC does not compress: its bytes are stored as they are, text with zstd. A clip that occurs in many rows of a row
  group is stored once, as an entry of the column's dictionary. Put the rows of a prompt next to each other.
"""

import json
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

AUDIO: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""An audio column of a release. The rows given to the writer carry the audio id (string) in its place."""

_DIMENSION_SCORES: Final = pa.list_(pa.struct([("dimension", pa.string()), ("score", pa.float64())]))
_METRIC_VALUES: Final = pa.list_(pa.struct([("metric", pa.string()), ("value", pa.float64())]))
_VOTE_COUNTS: Final = pa.list_(pa.struct([("value", pa.string()), ("count", pa.int64())]))


_FLAC_HEADER_BYTES: Final = 42  # marker and STREAMINFO (RFC 9639)


def _field(name: str, kind: pa.DataType, meaning: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})


def _sides(name: str, kind: pa.DataType, meaning: str, *, nullable: bool = False) -> list[pa.Field]:
    return [_field(f"{name}_{side}", kind, f"{meaning} of {side.upper()}", nullable=nullable) for side in "ab"]


_s, _f, _i, _b = pa.string(), pa.float64(), pa.int64(), pa.bool_()

TASK1: Final = pa.schema(
    [
        _field("pair_id", _s, "id of the two clips, whatever their order"),
        _field("text", _s, "target text that both clips speak"),
        _field("language", _s, "BCP 47 tag of the text"),
        _field("setting", _s, "reference language 2 target language"),
        _field("style", _s, "regular or expressive"),
        _field("prompt_audio", AUDIO, "reference speech; null = the systems got none", nullable=True),
        _field("prompt_text", _s, "transcript of the reference speech", nullable=True),
        *_sides("audio", AUDIO, "clip"),
        *_sides("system", _s, "system"),
        _field("label", _s, "the better clip: a or b"),
        _field("label_source", _s, "what the label rests on: judgment or votes"),
        _field("completion", _s, "the judge's reasoning and verdict in the training format (SPEC U5)", nullable=True),
        *_sides("scores", _DIMENSION_SCORES, "the judge's score per dimension, mean over its judgments,", nullable=True),
        *_sides("judge_votes", _i, "number of judgments in favour", nullable=True),
        _field("judge_votes_none", _i, "number of judgments without a preference", nullable=True),
        _field("judge", _s, "judge; null = labelled by people alone", nullable=True),
        _field("judge_version", _s, "version of the judge's rule or client", nullable=True),
        _field("judge_model", _s, "model that the judge named as the one that answered", nullable=True),
        _field("prompt_version", _s, "hash of the judge's prompt template", nullable=True),
        _field("votes", _VOTE_COUNTS, "human votes by value; null = nobody voted", nullable=True),
        _field("agreement", _s, "level of agreement of the votes: FA, WA, WD, FD", nullable=True),
        *_sides("wer", _f, "word (zh: character) error rate against the text", nullable=True),
        *_sides("metrics", _METRIC_VALUES, "all objective measurements", nullable=True),
        _field("filters_passed", pa.list_(_s), "filters that looked at the row and kept it"),
        _field("pair_kind", _s, "human, inter or intra"),
        _field("leakage_group", _s, "rows of one group share a text or a recording and lie in one split"),
        _field("license", _s, "SPDX expression for the row as a whole"),
        *_sides("license", _s, "SPDX identifier of the voice or recording"),
        *_sides("is_synthetic", _b, "whether a machine spoke"),
        *_sides(
            "digital_source_type", _s, "IPTC digital source type: trainedAlgorithmicMedia, algorithmicMedia, digitalCapture"
        ),
        *_sides("engine", _s, "engine; human = none"),
        *_sides("engine_version", _s, "engine version"),
        *_sides("model", _s, "model or voice data", nullable=True),
        *_sides("voice", _s, "voice", nullable=True),
        *_sides("seed", _i, "seed given to the engine", nullable=True),
        *_sides("params", _s, "parameters sent to the engine, as JSON,"),
        _field("corpus", _s, "corpus of the text"),
        _field("source_id", _s, "the corpus's own id of the text's recording", nullable=True),
        _field("reference_source_id", _s, "the corpus's own id of the reference speech", nullable=True),
        _field("speaker_id", _s, "speaker of the reference in that corpus", nullable=True),
    ]
)
"""One row of task 1: an utterance-level preference pair with all that it came from (SPEC U1, O6)."""

TASK1_HEARD: Final = TASK1.insert(
    TASK1.get_field_index("agreement") + 1,
    _field("vote_ids", pa.list_(_s), "the human votes that count; null = nobody voted", nullable=True),
)
"""The same where people were asked: which votes stand behind each row."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How shards are cut.

    Attributes:
        sample_rate_hz: rate of all clips, stated in the features.
        shard_bytes: a shard is closed by the row group that reaches this size.
        row_group_rows: rows of a row group, at most.
        row_group_bytes: audio bytes that a reader of one row group holds, at most (one row may exceed it).
    """

    sample_rate_hz: int
    shard_bytes: int = 500_000_000
    row_group_rows: int = 100
    row_group_bytes: int = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A finished shard: path relative to the folder given, with ``/``, and number of rows."""

    path: str
    rows: int


def row_schema(schema: pa.Schema) -> pa.Schema:
    """Return what the writer takes for a release schema: audio ids (string) where the release has audio."""
    return pa.schema([field.with_type(pa.string()) if field.type == AUDIO else field for field in schema])


def features(schema: pa.Schema, sample_rate_hz: int) -> dict[str, Any]:
    """Return the ``datasets`` features of a release schema as JSON-ready literals."""
    return {field.name: _feature(field.type, sample_rate_hz) for field in schema}


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
    layout: Layout,
    schema: pa.Schema = TASK1,
) -> list[Shard]:
    """Write one split as ``<config>/<split>-00000-of-00003.parquet`` and so on.

    A split without rows has no shard, because ``datasets`` cannot load one.
    Holds two row groups in memory: one is written while the clips of the next are fetched, in another thread. The bytes
    depend on the rows, their order and the layout, not on how the rows come in tables.

    Args:
        folder: where the shards go; not yet visible to readers (``storage.release`` renames it).
        config: name of the configuration, such as ``task1``.
        split: name of the split.
        rows: tables of ``row_schema(schema)``, in any column order; nullable columns may be missing.
        audio: audio id -> FLAC file (``BlobStore.encoded``); asked once per clip and row group.
        layout: how shards are cut.
        schema: release schema.

    Raises:
        SchemaError: a table does not fit the schema.
        DamagedPart: a clip is no FLAC file.
        OSError: the disk refuses.
    """
    writing = _Writing(schema, layout)
    (folder / config).mkdir(parents=True, exist_ok=True)
    written = list[tuple[Path, int]]()
    with closing(_one_ahead(writing.table(*group) for group in _row_groups(rows, audio, schema, layout))) as groups:
        group = next(groups, None)
        while group is not None:
            path, count = folder / config / f".{split}-{len(written):05d}", 0
            with pa.OSFile(str(path), "wb") as sink, writing.open(sink) as writer:
                while group is not None and (count == 0 or sink.tell() < layout.shard_bytes):
                    writer.write_table(group, row_group_size=group.num_rows)
                    count += group.num_rows
                    group = next(groups, None)
            written.append((path, count))
    shards = []
    for number, (path, count) in enumerate(written):
        name = f"{split}-{number:05d}-of-{len(written):05d}.parquet"
        path.rename(path.with_name(name))
        shards.append(Shard(path=f"{config}/{name}", rows=count))
    return shards


class _Writing:
    """What all shards of a split share: the schema as it is handed to Parquet, and the options of its columns."""

    def __init__(self, schema: pa.Schema, layout: Layout) -> None:
        # All nullable: ``datasets`` takes a required column for no Audio feature.
        self.schema = pa.schema([(field.name, _ENCODED if field.type == AUDIO else field.type) for field in schema])
        self._info = json.dumps({"info": {"features": features(schema, layout.sample_rate_hz)}}, separators=(",", ":"))
        self._limit = 2 * layout.row_group_bytes
        buffer = pa.BufferOutputStream()
        pq.write_table(schema.empty_table(), buffer)
        columns = pq.ParquetFile(buffer.getvalue()).schema
        self._leaves = [columns.column(index).path for index in range(len(columns))]
        self._audio = [field.name for field in schema if field.type == AUDIO]
        self._arenas, self._spare = ({name: bytearray() for name in self._audio} for _ in range(2))

    def table(self, parts: Sequence[pa.Table], clips: Mapping[str, bytes]) -> pa.Table:
        """Return one row group with its audio; the call after the next one overwrites it."""
        self._arenas, self._spare = self._spare, self._arenas
        columns = dict(zip(self.schema.names, pa.concat_tables(parts).combine_chunks().columns, strict=True))
        for name in self._audio:
            ids = columns[name].combine_chunks()
            unique = ids.dictionary_encode()
            data = self._binary(name, [clips[clip] for clip in unique.dictionary.to_pylist()])
            encoded = pa.DictionaryArray.from_arrays(unique.indices, data)
            paths = pc.binary_join_element_wise(ids, "flac", ".")
            columns[name] = pa.StructArray.from_arrays([encoded, paths], fields=list(_ENCODED), mask=ids.is_null())
        return pa.Table.from_arrays(list(columns.values()), schema=self.schema)

    def _binary(self, name: str, values: Sequence[bytes]) -> pa.Array:
        """Return clips as an array over memory that is used again: fresh memory for each row group can halve the speed."""
        offsets = np.cumsum([0, *map(len, values)], dtype=np.int32)
        if len(self._arenas[name]) < offsets[-1]:
            self._arenas[name] = bytearray(int(offsets[-1]))
        arena = self._arenas[name]
        for start, value in zip(offsets[:-1].tolist(), values, strict=True):
            arena[start : start + len(value)] = value
        return pa.Array.from_buffers(pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(arena)])

    def open(self, sink: pa.NativeFile) -> pq.ParquetWriter:
        audio = {f"{field.name}.bytes" for field in self.schema if field.type == _ENCODED}
        writer = pq.ParquetWriter(
            sink,
            self.schema,
            compression={leaf: "none" if leaf in audio else "zstd" for leaf in self._leaves},
            write_statistics=[leaf for leaf in self._leaves if leaf not in audio],
            # Arrow's own copy of the schema would bring the dictionaries back as a type that ``datasets`` does not expect.
            store_schema=False,
            dictionary_pagesize_limit=self._limit,
            write_page_index=True,
            use_content_defined_chunking=True,
        )
        writer.add_key_value_metadata({"huggingface": self._info})
        return writer


_ENCODED: Final = pa.struct([("bytes", pa.dictionary(pa.int32(), pa.binary())), ("path", pa.string())])
"""AUDIO as Parquet is given it: every clip once per row group. (Binary views would need no copy, but abort when chunked.)"""


def _one_ahead(items: Iterator[pa.Table]) -> Generator[pa.Table]:
    """Yield items, making the next one in another thread while the last one is in use."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        upcoming = pool.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = pool.submit(next, items, None)
            yield item


def _row_groups(
    rows: Iterable[pa.Table], audio: Callable[[str], bytes], schema: pa.Schema, layout: Layout
) -> Iterator[tuple[list[pa.Table], dict[str, bytes]]]:
    """Yield the rows of each row group and the clips that they use."""
    columns = [field.name for field in schema if field.type == AUDIO]
    parts, clips = list[pa.Table](), dict[str, bytes]()
    count = size = 0
    for unchecked in rows:
        table = _checked(unchecked, schema)
        start = 0
        ids = list(zip(*(table[column].to_pylist() for column in columns), strict=True)) if columns else [()] * table.num_rows
        for position, used in enumerate(ids):
            present = [clip for clip in used if clip is not None]
            clips.update((clip, _flac(clip, audio(clip))) for clip in present if clip not in clips)
            weight = sum(len(clips[clip]) for clip in present)
            if count == layout.row_group_rows or (count and size + weight > layout.row_group_bytes):
                yield [*parts, table.slice(start, position - start)], clips
                parts, clips, start = [], {clip: clips[clip] for clip in present}, position
                count = size = 0
            count, size = count + 1, size + weight
        parts.append(table.slice(start))
    if count:
        yield parts, clips


def _flac(clip: str, data: bytes) -> bytes:
    if len(data) < _FLAC_HEADER_BYTES or not data.startswith(b"fLaC"):
        raise DamagedPart(f"audio {clip} is no FLAC file: restore it from a backup")
    return data


def _checked(table: pa.Table, schema: pa.Schema) -> pa.Table:
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
