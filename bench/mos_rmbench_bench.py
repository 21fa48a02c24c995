"""Rated pairs at the size of MOS-RMBench (Table 1): every quota met, clips used evenly, time and memory.

The six corpora are made up in the tables: as many clips, splits, contents, systems, conditions and raters as the real ones have
or seem to have, ratings that follow the system, and a few milliseconds of sound each. What is measured begins after the
recordings and ends with the release; it runs in a process of its own.

``python -m bench.mos_rmbench_bench`` prints a line per figure.
"""

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import soundfile

from bench.targets import against_targets, run_command
from contracts.ids import audio_id, row_id
from contracts.schemas import RECORDINGS, UTTERANCES
from flows.run.kind import stages_of
from flows.run.marks import execute
from flows.run.pipeline import Build, open_build
from flows.stages.recordings import recording_requests

_ROOT: Final = Path(__file__).resolve().parent.parent
_RECIPE: Final = _ROOT / "recipes/mos_rmbench.yaml"
SECONDS_TARGET: Final = 180
GIB_TARGET: Final = 2.0
_RATE: Final = 16000
_RATERS: Final = 8

CORPORA: Final[dict[str, list[dict[str, Any]]]] = {
    "bvcc": [
        {"split": split, "clips": n, "systems": 187, "contents": 40}
        for split, n in (("train", 4974), ("dev", 1066), ("test", 1066))
    ],
    "nisqa": [
        {"split": split, "clips": n, "contents": contents, "conditions": n, "language": language}
        for split, n, contents, language in (
            ("train_sim", 10000, 2000, "en"), ("train_live", 1020, 0, "en"), ("val_sim", 2500, 500, "en"),
            ("val_live", 200, 0, "en"), ("test_for", 240, 80, "en"), ("test_p501", 240, 80, "en"),
            ("test_nsc", 240, 80, "de"), ("test_livetalk", 232, 0, "de"),
        )
    ],
    "singmos": [
        {"split": split, "clips": n, "systems": 34, "contents": 61, "language": "zh"}
        for split, n in (("train", 2000), ("val", 544), ("eval", 877))
    ],
    "somos": [
        {"split": split, "clips": n, "systems": 201, "contents": 2000}
        for split, n in (("train", 14100), ("valid", 3000), ("test", 3000))
    ],
    "tmhint_qi": [
        {"split": split, "clips": n, "systems": 5, "conditions": 16, "contents": 300, "speakers": 8, "language": "zh"}
        for split, n in (("train", 21408), ("test", 3000))
    ],
    "vmc23": [
        {"split": "test", "clips": 1460, "systems": 21, "contents": 71, "speakers": 2, "language": "fr"},
        {"split": "test", "clips": 4040, "systems": 25, "contents": 24, "speakers": 8, "language": "en"},
        {"split": "test", "clips": 1960, "systems": 5, "conditions": 16, "contents": 100, "speakers": 4, "language": "zh"},
    ],
}  # fmt: skip
"""Corpus -> its parts: 7106, 14672, 3421, 20100, 24408 and 7460 clips, as the paper says.

How many of them each split has, the paper says of NISQA only; the others are ours. Those of BVCC and SingMOS fit its pairs,
which are two and five a clip in train and dev."""


def write_corpora(build: Build) -> None:
    """Commit the utterances and recordings of the stand-ins, and their sounds."""
    tables = [_part(corpus, number, part) for corpus, parts in CORPORA.items() for number, part in enumerate(parts)]
    utterances = pa.concat_tables(tables)
    build.tables.replace("utterances", utterances)
    requests = recording_requests(build, utterances["utterance_id"])
    rows = []
    for number, row in enumerate(requests.select(["row_id", "subject_id"]).to_pylist()):
        pcm = np.frombuffer(np.int64(number).tobytes() * 20, np.int16)
        rows.append({"recording_id": row["row_id"], "utterance_id": row["subject_id"], "audio_id": _put(build, pcm)})
    shared = {
        "duration_s": 5.0,
        "sample_rate_hz": _RATE,
        "native_sample_rate_hz": _RATE,
        "loudness_lufs": -26.0,
        "source_sha256": "0",
    }
    build.tables.append("recordings", pa.Table.from_pylist([row | shared for row in rows], schema=RECORDINGS))


def _put(build: Build, pcm: Any) -> str:
    """Write a blob without waiting for the disk: there are 77,000 of them."""
    blob = audio_id(pcm, _RATE)
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, _RATE, format="FLAC", subtype="PCM_16")
    path = build.workspace.local_path(build.blobs.name(blob))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return blob


def _part(corpus: str, number: int, part: dict[str, Any]) -> pa.Table:
    """Return made-up utterances: a system has a mean quality, and eight listeners each rate every clip with whole numbers."""
    draw, clips = np.random.default_rng([number, *corpus.encode()]), part["clips"]
    places = draw.permutation(clips)
    systems, conditions = part.get("systems", 1), part.get("conditions", 1)
    sorts = {
        "system": places % systems if "systems" in part else None,
        "condition": places // systems % conditions if "conditions" in part else None,
    }
    quality = np.full(clips, 3.0)
    for made_by in sorts.values():
        if made_by is not None:
            quality += draw.normal(0, 0.6, made_by.max() + 1)[made_by]
    ratings = np.clip(np.rint(quality[:, None] + draw.normal(0, 0.8, (clips, _RATERS))), 1, 5).mean(axis=1)
    # Numbers of contents and systems without a common factor give each content another choice of systems.
    content = places // (systems * conditions if "speakers" in part else 1) % part["contents"] if part["contents"] else None
    speaker = places // 3 % part["speakers"] if "speakers" in part else None
    name = f"{corpus}/{part['split']}/{number}"
    columns = {
        "utterance_id": [row_id("stand-in", name, place) for place in range(clips)],
        "source_id": [f"{name}/{place}" for place in range(clips)],
        "content_id": _names(f"{name}/c" if corpus != "tmhint_qi" else "c", content, clips),
        "system": _names("sys", sorts["system"], clips),
        "condition": _names("con", sorts["condition"], clips),
        "speaker_id": _names("spk", speaker, clips),
        "ratings": [[{"scale": "mos", "score": score, "raters": _RATERS}] for score in ratings.tolist()],
    }
    same = {
        "corpus": corpus,
        "language": part.get("language", "en"),
        "style": "regular",
        "license": "CC0-1.0",
        "split": part["split"],
    }
    made = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.repeat(pa.scalar({**same, "duration_s": 5.0}.get(field.name), field.type), clips)
        for field in UTTERANCES
    ]
    return pa.Table.from_arrays(made, schema=UTTERANCES)


def _names(prefix: str, numbers: Any, clips: int) -> list[str | None]:
    return [None] * clips if numbers is None else [f"{prefix}{number}" for number in numbers.tolist()]


def _open(folder: str) -> Build:
    os.environ |= dict.fromkeys(("BVCC", "NISQA", "SINGMOS", "SOMOS", "TMHINT_QI", "VMC23"), folder)
    return open_build(_RECIPE, f"{folder}/ws")


def _measure(folder: str) -> dict[str, Any]:
    """Run the stages after the recordings, and return what they took, and how quotas and use came out."""
    build, began = _open(folder), time.perf_counter()
    took = {}
    for stage in stages_of(build):
        if stage.name != "utterances":
            before = time.perf_counter()
            books = execute(stage, build)
            took[stage.name] = round(time.perf_counter() - before, 1)
            print(f"  {stage.name}: {vars(books)['rows_out']} rows, {took[stage.name]} s", file=sys.stderr)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20} | _cells(build)


def _cells(build: Build) -> dict[str, Any]:
    """Return the cells of Table 1 that are not met, and the clips that are used more or less than twice the mean of theirs."""
    prompts = {row["prompt_id"]: row for row in build.tables.read("prompts").to_pylist()}
    samples = build.tables.read("samples", ["sample_id", "prompt_id"]).to_pylist()
    pairs = build.tables.read("pairs", ["prompt_id", "sample_a", "sample_b"])
    used = {sample["sample_id"]: 0 for sample in samples}
    counted = pc.value_counts(pa.chunked_array([*pairs["sample_a"].chunks, *pairs["sample_b"].chunks]))
    used |= {item["values"].as_py(): item["counts"].as_py() for item in counted}
    uses: dict[tuple[str, str], list[int]] = {}
    for sample in samples:
        prompt = prompts[sample["prompt_id"]]
        uses.setdefault((prompt["drawn_for"], prompt["corpus"]), []).append(used[sample["sample_id"]])
    wrong, uneven = [], 0
    for split, section in build.recipe.splits.named().items():
        for corpus, quota in section.quota_of(list(CORPORA)).items():
            clips = np.array(uses[split, corpus])
            mean = clips.mean()
            uneven += int(((clips < np.floor(mean / 2)) | (clips > max(1, 2 * mean))).sum())
            if clips.sum() != 2 * quota:
                wrong.append([corpus, split, int(clips.sum()) // 2, quota])
            line = f"{corpus} {split}: {clips.sum() // 2} pairs of {clips.size} clips, each in {clips.min()} to {clips.max()}"
            print(f"  {line}, {mean:.2f} on average", file=sys.stderr)
    return {"wrong": wrong, "uneven": uneven}


def run() -> list[dict[str, Any]]:
    """Fill a workspace, and measure in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_corpora(_open(folder))
        command = [sys.executable, "-m", "bench.mos_rmbench_bench", "--measure", folder]
        found = json.loads(subprocess.run(command, check=True, cwd=_ROOT, stdout=subprocess.PIPE, text=True).stdout)
    figures = (
        ("cells of Table 1 that are not met", len(found["wrong"]), 0),
        ("clips used more than twice, or less than half, as often as the mean of their corpus and split", found["uneven"], 0),
        ("from recordings to release, s", round(found["seconds"], 1), SECONDS_TARGET),
        ("peak memory of the process, GiB", round(found["gib"], 2), GIB_TARGET),
    )
    return against_targets("MOS-RMBench, 74478 pairs of 77167 clips", figures)


if __name__ == "__main__":
    run_command(_measure, run)
