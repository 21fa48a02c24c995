"""Tiny releases to judge, and predictions about them."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile

from contracts.ids import audio_id
from flows.benchmark.released_items import OpenRelease, ReleasedItems
from storage.clip_columns import RATED_CLIPS
from storage.columns import RATED_PAIRS, TASK1, TASK3, TASK4, ReleaseSchema, row_schema
from storage.release_writer import ReleaseSplit
from tests.annotate.good_replies import TASK_1
from tests.storage.release_rows import RATE, rated_rows, rows
from tests.storage.test_release_writer import release_to

CLIPS: dict[str, bytes] = {}
"""Audio id -> FLAC file."""

A_BETTER = TASK_1


def _turned(reply: str) -> str:
    """Return a reply to Task 1 with what it says of A and B exchanged, and B for its winner."""
    head, _, rest = reply.partition("[Speech A]\n")
    a, _, rest = rest.partition("[Speech B]\n")
    b, _, _ = rest.partition("[Comparison summary]\n")
    scored = f"{head}[Speech A]\n{b.replace('Total_B', 'Total_A')}[Speech B]\n{a.replace('Total_A', 'Total_B')}"
    summary = "- Speech B keeps the voice and the words. Speech A buzzes and sounds like someone else."
    return f"{scored}[Comparison summary]\n{summary}\n</think><answer>Speech B is better</answer>"


B_BETTER = _turned(A_BETTER)


def clip(name: str) -> str:
    """Make a clip of its own for a name, and return its audio id."""
    seed = int.from_bytes(name.encode(), "big")
    pcm = np.random.default_rng(seed).integers(-3000, 3000, RATE // 4).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, RATE, format="FLAC", subtype="PCM_16")
    found = audio_id(pcm, RATE)
    CLIPS[found] = buffer.getvalue()
    return found


def _with_clips(table: pa.Table, *names: str) -> pa.Table:
    """Return the rows with clips that are there, those that are compared with none twice."""
    for name in names:
        row_of = {"audio_a": "a ", "audio_b": "b "}
        ids = [
            None if one is None else clip(f"{row_of[name]}{pair}" if name in row_of else one)
            for one, pair in zip(table[name].to_pylist(), table["pair_id"].to_pylist(), strict=True)
        ]
        table = table.set_column(table.column_names.index(name), name, pa.array(ids, pa.string()))
    return table


def _released(folder: Path, config: str, schema, **splits: pa.Table) -> str:
    made = [ReleaseSplit(config=config, split=name, rows=[table], schema=schema) for name, table in splits.items()]
    workspace, name = release_to(folder, splits=made, audio=CLIPS.__getitem__)
    return workspace.path(name)


def task1_release(folder: Path, count: int = 8, *, shots: int = 6, **columns) -> str:
    """Return a release of Task 1 with so many pairs in its bench, of two texts and more, labelled a, b, a, b, ..."""
    names = ("prompt_audio", "audio_a", "audio_b")
    bench, train = rows(count, 60, **columns), rows(shots, **columns)
    return _released(folder, "task1", TASK1, sft=_with_clips(train, *names), bench=_with_clips(bench, *names))


def _of_task(folder: Path, schema: ReleaseSchema, config: str, count: int, **columns) -> str:
    """Return a release of pairs whose rows have more columns than those of Task 1."""
    made = _with_clips(rows(count, 60), "prompt_audio", "audio_a", "audio_b").to_pylist()
    return _released(
        folder, config, schema, bench=pa.Table.from_pylist([row | columns for row in made], schema=row_schema(schema))
    )


def task3_release(folder: Path, count: int = 4) -> str:
    """Return a release of Task 3 in Chinese."""
    scene = {"scenario_description": "两位朋友站在站台上。", "paragraph_context": "末班车刚刚开走。", "emotion": "Happy"}
    return _of_task(folder, TASK3, "task3", count, language="zh", setting="zh2zh", **scene)


def task4_release(folder: Path, count: int = 4) -> str:
    """Return a release of Task 4 with two turns before each pair."""
    turns = [clip("turn 1"), clip("turn 2")]
    return _of_task(folder, TASK4, "task4", count, history_audio=turns, dialogue_id="d", turn=3)


def rated_pairs_release(folder: Path, count: int = 12, **columns) -> str:
    """Return a release of rated pairs, A being the better one."""
    return _released(folder, "rated_pairs", RATED_PAIRS, bench=_with_clips(rated_rows(count, **columns), "audio_a", "audio_b"))


def rated_clips_release(folder: Path, scores: list[dict[str, float]], **columns) -> str:
    """Return a release of rated clips with these scores by scale."""
    made = [
        {
            "clip_id": f"clip-{number}",
            "group_id": f"g{number}",
            "language": "en",
            "audio": clip(f"clip {number}"),
            "scores": [{"scale": scale, "score": round(score), "mean": score, "raters": 4} for scale, score in one.items()],
            "label_source": "ratings",
            "rating_ids": [],
            "system": "human",
            "filters_passed": [],
            "leakage_group": f"g{number}",
            "license": "CC0-1.0",
            "is_synthetic": False,
            "duration_s": 0.25,
            "loudness_lufs": -23.0,
            "native_sample_rate_hz": RATE,
            "corpus": "bvcc",
            "source_id": str(number),
            **columns,
        }
        for number, one in enumerate(scores)
    ]
    return _released(folder, "quality", RATED_CLIPS, bench=pa.Table.from_pylist(made, schema=row_schema(RATED_CLIPS)))


def items_of(release: str) -> ReleasedItems:
    return OpenRelease.of(release).items(None, "bench")


def json_lines(path: Path, found: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found), encoding="utf-8")
    return path
