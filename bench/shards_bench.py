"""Shard writing against raw pyarrow on the same bytes.

Both start from the same clips (bytes in memory) and rows, and write them to the same disk in row groups of 100. The baseline
is what one writes by hand: a struct array of the clips and ``ParquetWriter`` with its default settings. Ours checks the rows,
looks up every clip by its id, declares the features, and compresses, indexes and chunks as the Hub wants it.
"""

import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from storage.columns import AUDIO, TASK1, row_schema
from storage.shards import ShardLayout, write_split

CLIP_BYTES = 120_000  # about four seconds of 24 kHz FLAC
ROW_GROUP_ROWS = 100
RATIO_TARGET = 0.8
_AUDIO = [field.name for field in TASK1.columns if field.type == AUDIO]


def run(megabytes: int = 450, repeats: int = 9) -> list[dict[str, Any]]:
    """Return one line for clips that each occur once and one for six candidates a prompt (every clip in five of 15 pairs)."""
    count = megabytes * 1_000_000 // (3 * CLIP_BYTES)
    return [
        _compare("shards_unique_clips_mb_s", *_unique(count), repeats),
        _compare("shards_six_candidates_mb_s", *_candidates(count), repeats),
    ]


def _compare(name: str, clips: dict[str, bytes], rows: list[pa.Table], repeats: int) -> dict[str, Any]:
    size = sum(len(clips[clip]) for table in rows for name in _AUDIO for clip in table[name].to_pylist())
    layout = ShardLayout(sample_rate_hz=24_000, row_group_rows=ROW_GROUP_ROWS)
    ours, raw = list[float](), list[float]()
    for _ in range(repeats):  # interleaved, so that a busy machine disturbs both alike
        raw.append(_timed(lambda folder: _write_raw(folder, clips, rows)))
        ours.append(
            _timed(lambda folder: write_split(folder, "task1", "sft", rows, clips.__getitem__, layout=layout, schema=TASK1))
        )
    value, baseline = (size / 1e6 / statistics.median(times) for times in (ours, raw))
    ratio = statistics.median(other / mine for other, mine in zip(raw, ours, strict=True))  # of neighbours: load comes and goes
    return {
        "name": name,
        "value": round(value, 1),
        "baseline": round(baseline, 1),
        "ratio": round(ratio, 3),
        "target": RATIO_TARGET,
        "ok": ratio >= RATIO_TARGET,
    }


def _timed(work: Callable[[Path], object]) -> float:
    """Time one run in a new folder: overwriting a file is cheaper than writing a new one."""
    gc.collect()
    os.sync()  # what the run before left to be written back is not this one's work
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        work(Path(folder))
        return time.perf_counter() - start


def _write_raw(folder: Path, clips: dict[str, bytes], rows: list[pa.Table]) -> None:
    with pq.ParquetWriter(folder / "raw.parquet", TASK1.columns) as writer:
        for table in rows:
            columns = dict(zip(table.column_names, table.columns, strict=True))
            for name in _AUDIO:
                ids = columns[name].to_pylist()
                data = [
                    pa.array([clips[clip] for clip in ids], pa.binary()),
                    pa.array([f"{clip}.flac" for clip in ids], pa.string()),
                ]
                columns[name] = pa.StructArray.from_arrays(data, fields=list(AUDIO))
            writer.write_table(pa.table(columns, schema=TASK1.columns), row_group_size=ROW_GROUP_ROWS)


def _unique(count: int) -> tuple[dict[str, bytes], list[pa.Table]]:
    generator = np.random.default_rng(0)
    clips = {f"{side}{number}": b"fLaC" + generator.bytes(CLIP_BYTES) for number in range(count) for side in "rab"}
    return clips, list(_tables([(f"r{number}", f"a{number}", f"b{number}") for number in range(count)]))


def _candidates(count: int) -> tuple[dict[str, bytes], list[pa.Table]]:
    generator = np.random.default_rng(0)
    prompts = range(-(-count // 15))
    used = [(f"r{prompt}", f"c{prompt}_{a}", f"c{prompt}_{b}") for prompt in prompts for a, b in combinations(range(6), 2)]
    used = used[:count]
    clips = {clip: b"fLaC" + generator.bytes(CLIP_BYTES) for clip in dict.fromkeys(clip for row in used for clip in row)}
    return clips, list(_tables(used))


def _tables(used: list[tuple[str, str, str]]) -> Iterator[pa.Table]:
    schema = row_schema(TASK1)
    filler = {"string": "a few words of text", "double": 0.5, "int64": 7, "bool": True}
    for start in range(0, len(used), ROW_GROUP_ROWS):
        part = used[start : start + ROW_GROUP_ROWS]
        columns: dict[str, Any] = {
            field.name: [filler.get(str(field.type))] * len(part) if not pa.types.is_list(field.type) else [[] for _ in part]
            for field in schema
        }
        columns["pair_id"] = [f"{start + number:032x}" for number in range(len(part))]
        columns["prompt_audio"], columns["audio_a"], columns["audio_b"] = (list(side) for side in zip(*part, strict=True))
        yield pa.table(columns, schema=schema)


if __name__ == "__main__":
    for line in run():
        print(line)
