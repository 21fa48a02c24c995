"""Shards: what is inside, that they stream, and that their bytes depend on the rows alone."""

import io
import json
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from datasets import Audio, load_dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import SchemaError
from storage.columns import AUDIO, TASK1, TASK4, row_schema
from storage.shards import ShardLayout, features, write_split
from tests.storage.release_rows import RATE, clip, rows

LAYOUT = ShardLayout(sample_rate_hz=RATE)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def test_clips_and_rows_come_back(tmp_path):
    """Every row is there with the very bytes of its clips, null reference speech as null, and nothing reencoded."""
    table = rows(130)
    shards = write_split(tmp_path, "task1", "sft", [table], clip, layout=LAYOUT, schema=TASK1)
    assert [(shard.path, shard.rows) for shard in shards] == [("task1/sft-00000-of-00001.parquet", 130)]
    found = pq.read_table(tmp_path / shards[0].path)
    assert found.column_names == TASK1.names
    for column in TASK1.names:
        expected = table[column].to_pylist()
        if TASK1.columns.field(column).type == AUDIO:
            expected = [None if one is None else {"bytes": clip(one), "path": f"{one}.flac"} for one in expected]
        assert found[column].to_pylist() == expected
    assert soundfile.info(io.BytesIO(found["audio_a"][0].as_py()["bytes"])).samplerate == RATE


def test_lists_of_clips_come_back(tmp_path):
    """A list of clips per row keeps its order, its repetitions and its nulls over row groups; ``datasets`` reads it."""
    table, heard = rows(70), [None if n % 5 == 0 else [f"h{n % 7}", f"h{n % 3}", f"h{n % 7}"] for n in range(70)]
    table = table.append_column("history_audio", pa.array(heard, pa.list_(pa.string())))
    layout = ShardLayout(sample_rate_hz=RATE, row_group_rows=30)
    (shard,) = write_split(tmp_path, "task4", "sft", [table.slice(3), table.slice(0, 3)], clip, layout=layout, schema=TASK4)
    expected = [one and [{"bytes": clip(name), "path": f"{name}.flac"} for name in one] for one in [*heard[3:], *heard[:3]]]
    assert pq.read_table(tmp_path / shard.path)["history_audio"].to_pylist() == expected
    leaf = next(
        column
        for index in range(pq.ParquetFile(tmp_path / shard.path).metadata.num_columns)
        if (column := pq.ParquetFile(tmp_path / shard.path).metadata.row_group(0).column(index)).path_in_schema
        == "history_audio.list.element.bytes"
    )
    assert leaf.compression == "UNCOMPRESSED"
    unique = sum(len(clip(f"h{n}")) for n in range(7))
    assert unique < leaf.total_compressed_size < 1.05 * unique, "each clip once per row group"
    data = load_dataset("parquet", data_files=str(tmp_path / shard.path), cache_dir=str(tmp_path / "cache"), split="train")
    data = data.cast_column("history_audio", [Audio(decode=False)])
    assert data["history_audio"][:] == expected


def test_layout_for_the_hub(tmp_path):
    """Row groups of 100 rows, page indexes, FLAC stored as it is and once per row group, features in the metadata."""
    (shard,) = write_split(tmp_path, "task1", "rl", [rows(250)], clip, layout=LAYOUT, schema=TASK1)
    file = pq.ParquetFile(tmp_path / shard.path)
    groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [100, 100, 50]
    columns = {groups[0].column(index).path_in_schema: groups[0].column(index) for index in range(groups[0].num_columns)}
    assert columns["audio_a.bytes"].compression == "UNCOMPRESSED"
    assert columns["text"].compression == "ZSTD"
    assert columns["text"].has_column_index
    assert all(column.has_offset_index for column in columns.values())
    unique = sum(len(clip(f"a{number}")) for number in range(50))
    assert unique < columns["audio_a.bytes"].total_compressed_size < 1.05 * unique
    declared = json.loads(file.metadata.metadata[b"huggingface"])["info"]["features"]
    assert declared == features(TASK1, RATE)
    assert declared["audio_a"] == {"sampling_rate": RATE, "_type": "Audio"}
    assert declared["scores_a"] == [
        {"dimension": {"dtype": "string", "_type": "Value"}, "score": {"dtype": "float64", "_type": "Value"}}
    ]
    assert all(field.nullable for field in file.schema_arrow)


def test_shards_end_at_their_size(tmp_path):
    """A shard is closed by the row group that reaches its size; names count all of them."""
    layout = ShardLayout(sample_rate_hz=RATE, shard_bytes=60_000, row_group_rows=10)
    shards = write_split(tmp_path, "task1", "sft", [rows(100)], clip, layout=layout, schema=TASK1)
    assert len(shards) > 2
    assert [shard.path for shard in shards] == [f"task1/sft-{n:05d}-of-{len(shards):05d}.parquet" for n in range(len(shards))]
    assert sum(shard.rows for shard in shards) == 100
    sizes = [(tmp_path / shard.path).stat().st_size for shard in shards[:-1]]
    one_group = 30 * len(clip("a0")) + 30_000
    assert all(60_000 <= size < 60_000 + one_group for size in sizes)


def test_shards_end_at_their_row_groups(tmp_path):
    """What a file says of each row group is in memory until its end; tiny clips make many."""
    layout = ShardLayout(sample_rate_hz=RATE, row_group_rows=10, row_groups=4)
    shards = write_split(tmp_path, "task1", "sft", [rows(100)], clip, layout=layout, schema=TASK1)
    assert [shard.rows for shard in shards] == [40, 40, 20]


def test_row_groups_bound_the_audio(tmp_path):
    """Long clips make row groups shorter, so that a reader never holds more than the limit."""
    limit = 7 * len(clip("a0"))
    (shard,) = write_split(
        tmp_path, "t", "s", [rows(20)], clip, layout=ShardLayout(sample_rate_hz=RATE, row_group_bytes=limit), schema=TASK1
    )
    file = pq.ParquetFile(tmp_path / shard.path)
    for index in range(file.metadata.num_row_groups):
        group = file.read_row_group(index).to_pylist()
        assert sum(len(row[c]["bytes"]) for row in group for c in ("prompt_audio", "audio_a", "audio_b") if row[c]) <= limit
    assert 5 <= file.metadata.num_row_groups < 20


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 60), max_size=5))
def test_bytes_do_not_depend_on_batches(tmp_path_factory, cuts):
    """However the rows are cut into tables, the files are byte for byte the same."""
    table, layout = rows(60), ShardLayout(sample_rate_hz=RATE, row_group_rows=7, shard_bytes=50_000)
    whole, parts = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("parts")
    write_split(whole, "t", "s", [table], clip, layout=layout, schema=TASK1)
    edges = [0, *sorted(cuts), 60]
    batches = (table.slice(start, stop - start) for start, stop in pairwise(edges))
    write_split(parts, "t", "s", batches, clip, layout=layout, schema=TASK1)
    assert content(whole) == content(parts)


def test_rows_stream(tmp_path):
    """Rows are pulled as they are written: when the last table is asked for, earlier shards are on the disk already."""
    seen = []

    def batches():
        for start in range(0, 100, 10):
            seen.append(sum(path.stat().st_size for path in (tmp_path / "t").glob(".s-*")))
            yield rows(10, start)

    write_split(
        tmp_path,
        "t",
        "s",
        batches(),
        clip,
        layout=ShardLayout(sample_rate_hz=RATE, row_group_rows=10, shard_bytes=1),
        schema=TASK1,
    )
    assert seen[-1] > 5 * 10 * len(clip("a0"))


def test_each_clip_is_fetched_once_per_row_group(tmp_path):
    """A clip that several rows share is read once."""
    asked = []
    write_split(tmp_path, "t", "s", [rows(60)], lambda one: asked.append(one) or clip(one), layout=LAYOUT, schema=TASK1)
    assert len(asked) == len(set(asked))


def test_no_rows_no_shard(tmp_path):
    """``datasets`` cannot load an empty split, so there is no file for one."""
    assert write_split(tmp_path, "t", "s", [rows(0)], clip, layout=LAYOUT, schema=TASK1) == []
    assert write_split(tmp_path, "t", "s", [], clip, layout=LAYOUT, schema=TASK1) == []
    assert content(tmp_path) == {}


def test_missing_nullable_columns_are_null(tmp_path):
    """A nullable column may be left out; column order is free."""
    table = rows(3).drop_columns(["votes", "prompt_audio"])
    (shard,) = write_split(tmp_path, "t", "s", [table.select(table.column_names[::-1])], clip, layout=LAYOUT, schema=TASK1)
    found = pq.read_table(tmp_path / shard.path)
    assert found.column_names == TASK1.names
    assert found["prompt_audio"].null_count == 3


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda table: table.drop_columns(["label"]), r"missing columns \['label'\]"),
        (lambda table: table.append_column("path", pa.array(["x"] * 3)), r"unknown columns \['path'\]"),
        (lambda table: table.set_column(0, "pair_id", pa.array([1, 2, 3])), "column pair_id: wants string, got int64"),
        (
            lambda table: table.set_column(0, "pair_id", pa.array(["x", None, "y"])),
            "column pair_id: null where a value is required",
        ),
    ],
)
def test_wrong_rows_are_refused(tmp_path, spoil, message):
    """Rows that break the schema are an error that names the column."""
    with pytest.raises(SchemaError, match=message):
        write_split(tmp_path, "t", "s", [spoil(rows(3))], clip, layout=LAYOUT, schema=TASK1)


def test_every_column_has_a_meaning():
    """The schema explains itself; audio ids stand for audio in the rows given."""
    assert all(field.metadata[b"meaning"] for field in TASK1.columns)
    assert row_schema(TASK1).field("audio_a").type == pa.string()
