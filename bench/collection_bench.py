"""UniSRM-Data at the size of Table 9 as one collection: every cell met, nothing shared across tasks, time and memory.

Task 1 compares four systems and a recording of each text, Task 2 has rated clips, Tasks 3 and 4 are contrasts as in their
recipes: recordings in five emotions, and dialogues, against borrowed recordings and clones. Clips are a few milliseconds of
sound; measurements, written texts, judgments and votes are computed and planted. A tenth of the sentences of Task 3 in English
have a recording of Task 1, as a file of a corpus of another name. What is measured is all that is not planted: the plan,
filters, claims, splits, verification with a fifth of the votes against the label, the proof across parts, and the shards. It
runs in a process of its own.

``python -m bench.collection_bench`` prints a line per figure.
"""

import csv
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import yaml

from bench.noop_bench import FACTS
from bench.stage_process import write_judgments
from bench.targets import against_targets, run_command
from contracts.answer_schemas import WRITINGS
from contracts.errors import LeakageError
from contracts.ids import audio_id, canonical_json, row_id
from contracts.rng import hash_fraction
from contracts.schemas import METRICS, RECORDINGS, SAMPLES, VOTES
from flows.listening.store import open_store
from flows.run.kind import jobs_of, kind_of
from flows.run.marks import execute
from flows.run.pipeline import Build, Waiting, open_build
from flows.run.wanted import table_of, wanted_rows
from flows.stages.collection import proof_across
from flows.stages.recordings import recording_requests
from flows.stages.released import release_of
from flows.stages.samples import sample_requests
from flows.stages.splits import splits_table
from scoring.measure import metric_key

_ROOT: Final = Path(__file__).resolve().parent.parent
SECONDS_TARGET: Final = 600
GIB_TARGET: Final = 2.0
_RATE: Final = 16000
_CONFIRMED: Final = 0.8
_ASPECTS: Final = {
    "Background noise": ("noise", "background_noise"),
    "Distortion": ("distortion", "distortion"),
    "Speed": ("speed", "speed"),
    "Continuity": ("continuity", "continuity"),
    "Naturalness": ("naturalness", "naturalness"),
    "Listening effort": ("listening_effort", "listening_effort"),
    "Overall quality": ("overall", "overall_quality"),
}
"""Column of QualiSpeech -> name of the score, and scale."""

_WORDS: Final = (
    "Feeling of voice",
    "Noise Description",
    "Distortion description",
    "Unnatural pause",
    "Natural language description",
)

_EMOTIONS: Final = ("neutral", "angry", "happy", "sad", "surprise")
_SPEAKERS: Final = tuple(f"s{n}" for n in range(10))
_CLONES: Final = [{"name": f"clone{n}", "engine": "world_transfer", "options": {"source": "espeak"}} for n in range(2)]
_MODEL: Final = {"name": "openai", "options": {"model": "planted", "base_url": "http://127.0.0.1:9/v1", "key_variable": ""}}
_WORSE: Final = {"wer": 3, "sim": -3, "distillmos": -3}
"""Metric -> by how many of its spreads a clip is worse that was made worse on purpose."""

_LOST: Final = 1.3
"""Items for each one that is wanted, beside those that people do not confirm."""

CELLS: Final = {
    "task1": {"sft": 11146, "rl": 2787, "bench": 498},
    "task2": {"sft": 10558, "rl": 2167, "bench": 1852},
    "task3_en": {"sft": 5018, "rl": 1815, "bench": 542},
    "task3_zh": {"sft": 4869, "rl": 1989, "bench": 506},
    "task4": {"sft": 1470, "rl": 916, "bench": 126},
}
"""Part -> split -> rows (UniSRM, Table 9)."""


def write_recipes(folder: Path, part_of: int) -> Path:
    """Write corpora and recipes for one row in so many of the paper's."""
    cells = {part: {split: max(n // part_of, 5) for split, n in of.items()} for part, of in CELLS.items()}
    for part, sizes in cells.items():
        recipe = _RECIPES[part](folder, part, sizes)
        (folder / f"{part}.yaml").write_text(yaml.safe_dump(recipe))
    parts = {part: {"recipe": f"{part}.yaml", "quotas": sizes} for part, sizes in cells.items()}
    path = folder / "unisrm.yaml"
    path.write_text(yaml.safe_dump({"kind": "collection", "name": "unisrm", "parts": parts}, sort_keys=False))
    return path


def _compared(folder: Path, part: str, sizes: dict[str, int]) -> dict[str, Any]:
    texts = int(_wanted(sizes) / 10 * 1.25) + 5  # ten pairs of a text, some of which filters drop
    rows = [
        {"audio": f"{part}-{n}.wav", "text": _text(n, part), "speaker": f"s{n % (texts // 5 + 1)}"} for n in range(4 * texts)
    ]
    return _recipe(folder, part, sizes, rows) | {
        "prompts": {"texts": texts, "min_words": 5},
        "systems": [{"name": f"espeak{n}", "engine": "espeak", "voices": ["en-us"]} for n in range(4)],
        "filters": [{"name": name} for name in ("audio_sanity", "wer_gap", "cycles")],
    }


def _acted(folder: Path, part: str, sizes: dict[str, int]) -> dict[str, Any]:
    """Write sentences of ten speakers in five emotions; of a tenth of the English ones, one file is a file of Task 1."""
    texts = int(_wanted(sizes) * _LOST / len(_EMOTIONS) / len(_SPEAKERS)) + 60
    rows = []
    for text, speaker, emotion in product(range(texts), _SPEAKERS, _EMOTIONS):
        is_shared = part == "task3_en" and text % 10 == 0 and (speaker, emotion) == (_SPEAKERS[0], _EMOTIONS[0])
        name = f"task1-{text}.wav" if is_shared else f"{part}-{len(rows)}.wav"
        rows.append({"audio": name, "text": _text(text, part), "speaker": speaker, "emotion": emotion})
    same, other = {"speaker": "same"}, {"emotion": "other"}
    return _recipe(folder, part, sizes, rows) | {
        "prompts": {"reference": "none", "targets": "recordings", "texts": int(_wanted(sizes) * _LOST)},
        "systems": _CLONES,
        "negatives": [
            {"corruption": "real_text", "recording": same | {"text": "other", "emotion": "same"}},
            {"corruption": "real_emotion", "share": 2, "recording": same | other | {"text": "same"}},
            {"corruption": "real_both", "recording": same | other | {"text": "other"}},
            {"corruption": "tts_emotion", "share": 2, "systems": ["clone0", "clone1"], "reference": other},
            _spoken("tts_emotion_and_text", other, "negative_text"),
        ],
        "blocks": 100,
        "roles": [{"task": task} | _MODEL for task in ("scenario", "negative_text")],
        "judge": {"task": "task3"} | _MODEL,
        "labels": {"from": "construction"},
        "filters": [{"name": name} for name in ("audio_sanity", "tied_totals", "cycles")],
    }


def _dialogues(folder: Path, part: str, sizes: dict[str, int]) -> dict[str, Any]:
    """Write dialogues of eight turns by two speakers each, two of whose turns are targets."""
    rows = [
        {
            "audio": f"{part}-{dialogue}-{turn}.wav",
            "text": _text(8 * dialogue + turn, part),
            "speaker": _SPEAKERS[(2 * dialogue + turn % 2) % len(_SPEAKERS)],
            "emotion": _EMOTIONS[(dialogue + turn // 3) % 3],
            "dialogue": f"d{dialogue}",
            "turn": turn + 1,
        }
        for dialogue in range(int(_wanted(sizes) * _LOST / 2) + 10)
        for turn in range(8)
    ]
    swapped, kept = {"speaker": "other", "emotion": "same"}, {"speaker": "same", "emotion": "same"}
    clones = {"systems": ["clone0", "clone1"]}
    return _recipe(folder, part, sizes, rows) | {
        "prompts": {"reference": "none", "texts": int(_wanted(sizes) * _LOST)},
        "systems": _CLONES,
        "positives": [{"share": 3}, {"share": 2, "reference": kept} | clones],
        "negatives": [
            _spoken("text", kept, "negative_turn"),
            {"corruption": "speaker_swap", "reference": swapped} | clones,
            {"corruption": "emotion", "reference": {"speaker": "same", "emotion": "other"}} | clones,
            _spoken("mixed", {"speaker": "other"}, "negative_turn"),
        ],
        "roles": [{"task": "negative_turn"} | _MODEL],
        "judge": {"task": "task4"} | _MODEL,
        "labels": {"from": "construction"},
        "filters": [{"name": name} for name in ("audio_sanity", "tied_totals")],
    }


def _wanted(sizes: dict[str, int]) -> float:
    """Return the rows before people verify two of the splits."""
    return sizes["sft"] + 1.5 * (sizes["rl"] + sizes["bench"])


def _text(number: int, part: str) -> str:
    words = np.random.default_rng([number, *part.encode()]).integers(0, 5000, 10)
    return " ".join(f"w{word}" for word in words)


def _spoken(corruption: str, reference: dict[str, str], task: str) -> dict[str, Any]:
    return {"corruption": corruption, "systems": ["clone0", "clone1"], "reference": reference, "speaks": task}


def _recipe(folder: Path, part: str, sizes: dict[str, int], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Write a manifest over hard links of one file, and return what recipes over it have in common."""
    corpus = folder / "corpus" / part
    corpus.mkdir(parents=True)
    soundfile.write(corpus / "clip.wav", np.zeros(2 * _RATE, np.int16), _RATE)
    for row in rows:
        os.link(corpus / "clip.wav", corpus / row["audio"])
    with (corpus / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    options = {"language": "en", "license": "CC0-1.0"}
    return {
        "name": part,
        "corpora": [{"name": f"corpus_{part}", "reader": "manifest", "root": str(corpus), "options": options}],
        "metrics": [{"name": name} for name in FACTS],
        "judge": {"name": "objective"},
        "budget_usd": 1,
        "splits": {"quotas": sizes},
        "listening": {
            "protocol": "unisrm", "of": "splits", "splits": ["rl", "bench"], "languages": {"en": "basic"},
            "qualification": 0, "gold_every": 0,
        },
    }  # fmt: skip


def _rated(folder: Path, part: str, sizes: dict[str, int]) -> dict[str, Any]:
    """Write clips with whole scores in seven aspects, and the words that explain them, in QualiSpeech's layout."""
    corpus, draw = folder / "corpus" / part, np.random.default_rng(2)
    clips = corpus / "wav" / "train"
    clips.mkdir(parents=True)
    soundfile.write(corpus / "clip.wav", np.zeros(2 * _RATE, np.int16), _RATE)
    rows = []
    for n in range(int(1.05 * sum(sizes.values()))):
        name = f"sys{n % 40 + 1:02}tts-{n:07}.wav"
        os.link(corpus / "clip.wav", clips / name)
        scores = dict(zip(_ASPECTS, draw.integers(1, 6, len(_ASPECTS)).tolist(), strict=True))
        rows.append({"id": name} | scores | dict.fromkeys(_WORDS, f"This is said of clip {n}."))
    with (corpus / "train.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return {
        "kind": "rated_clips",
        "name": part,
        "corpora": [{"name": "quality", "reader": "qualispeech", "root": str(corpus), "options": {"license": "CC0-1.0"}}],
        "task": "quality",
        "labels": {"from": "ratings"},
        "scales": dict(_ASPECTS.values()),
        "splits": {"quotas": sizes, "stratify_by": []},
    }


_RECIPES: Final = {"task1": _compared, "task2": _rated, "task3_en": _acted, "task3_zh": _acted, "task4": _dialogues}
"""Part -> what writes its corpus and its recipe."""


def plant(build: Build) -> None:
    """Do what reading, recording, synthesis, measurement and judging of every part would have done."""
    for name, part in build.parts.items():
        began = time.perf_counter()
        if name == "task2":
            _plant_rated(part)
        else:
            _plant_compared(part)
        print(f"  {name}: planted in {time.perf_counter() - began:.0f} s", file=sys.stderr)


def _plant_compared(build: Build) -> None:
    numbers, rng = iter(range(2**40)), np.random.default_rng(1)
    part = build.recipe.name
    for stage in jobs_of(build)[0].stages:
        if stage.name == "prompts":
            _plant_recordings(build, build.tables.read("utterances")["utterance_id"].combine_chunks())
        elif stage.name == "writings":
            _plant_writings(build)
        elif stage.name == "samples":
            rows = [
                {
                    "sample_id": row["row_id"], "prompt_id": row["subject_id"], "group_id": row["group_id"],
                    "system": row["system"], "engine": "planted", "engine_version": "1", "model": "m", "voice": row["voice"],
                    "seed": row["seed"], "params": "{}", "is_synthetic": True, "license": "GPL-3.0-or-later",
                    "audio_id": _put(build, f"{part}/{next(numbers)}"), "duration_s": 1.5, "sample_rate_hz": _RATE,
                    "native_sample_rate_hz": _RATE, "loudness_lufs": -26.0, "corruption": row["corruption"],
                    "spoken_text": row["spoken_text"],
                }
                for row in sample_requests(build).to_pylist()
                if row["system"] != "human"
            ]  # fmt: skip
            build.tables.append("samples", pa.Table.from_pylist(rows, schema=SAMPLES))
        elif stage.name == "metrics":
            rows = []
            samples = wanted_rows(build, "samples")
            for sample, corruption in zip(samples["sample_id"].to_pylist(), samples["corruption"].to_pylist(), strict=True):
                for metric, values in FACTS.items():
                    worse = 0 if corruption is None else _WORSE.get(metric, 0)
                    drawn = [
                        (name, float(rng.normal(mean + worse * spread, spread))) for name, (mean, spread) in values.items()
                    ]
                    of = {"metric_key": metric_key(sample, metric, {}), "sample_id": sample, "metric": metric}
                    rows.append(of | {"model": "m", "model_version": "1", "values": drawn, "detail": None})
            build.tables.append("metrics", pa.Table.from_pylist(rows, schema=METRICS))
        elif stage.name == "judgments":
            write_judgments(build)
        execute(stage, build)
        if stage.name == "judgments":
            return


def _plant_writings(build: Build) -> None:
    """Commit what would be written: scenes of all prompts, and texts of those whose negatives speak one of their own."""
    (stage,) = [stage for stage in jobs_of(build)[0].stages if stage.name == "writings"]
    assert stage.asks is not None
    for number in range(len(stage.asks.roles(build))):
        question = stage.asks.questions(build)[number]  # is shown what the roles before it wrote
        names, seed = question.task.gives, f"{build.recipe.name} {question.task.name}"
        rows = [
            {
                "writing_id": writing, "task": question.task.name, "subject": "prompts", "subject_id": subject,
                "judge": "openai", "judge_version": "1", "model": "planted", "prompt_version": "1", "settings": "1",
                "scores": [], "completion": "",
                "content": canonical_json({name: _text(place, seed) for name in names}),
            }
            for place, (writing, subject) in enumerate(
                zip(question.ids.to_pylist(), question.requests["subject_id"].to_pylist(), strict=True)
            )
        ]  # fmt: skip
        build.tables.append(table_of("writings"), pa.Table.from_pylist(rows, schema=WRITINGS))


def _plant_rated(build: Build) -> None:
    execute(jobs_of(build)[0].stages[0], build)
    _plant_recordings(build, build.tables.read("utterances")["utterance_id"].combine_chunks())


def _plant_recordings(build: Build, utterances: pa.Array) -> None:
    """Commit a recording of each; one file has one sound, whatever the corpus is called, in a format of each part's own."""
    paths = {row["utterance_id"]: row["audio_path"] for row in build.tables.read("utterances").to_pylist()}
    requests = recording_requests(build, utterances).select(["row_id", "subject_id"]).to_pylist()
    rows = [
        {
            "recording_id": row["row_id"], "utterance_id": row["subject_id"],
            "audio_id": _put(build, f"{build.recipe.name} {paths[row['subject_id']]}"), "duration_s": 1.5,
            "sample_rate_hz": _RATE, "native_sample_rate_hz": _RATE, "loudness_lufs": -26.0,
            "source_sha256": row_id("file", paths[row["subject_id"]]),
        }
        for row in requests
    ]  # fmt: skip
    build.tables.append("recordings", pa.Table.from_pylist(rows, schema=RECORDINGS))


def _put(build: Build, name: str) -> str:
    """Write a blob without waiting for the disk: there are 60,000 of them."""
    pcm = np.frombuffer(bytes.fromhex(row_id("sound", name)) * 10, np.int16)
    blob = audio_id(pcm, _RATE)
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, _RATE, format="FLAC", subtype="PCM_16")
    path = build.workspace.local_path(build.blobs.name(blob))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return blob


def _plant_votes(build: Build) -> None:
    """Bring in three votes on each pair that is to be verified: all for the label, or all against it."""
    labels = {row["item_id"]: row["label"] for row in build.tables.read("labels").to_pylist()}
    assigned = build.tables.read(splits_table(build)).to_pylist()
    rows = []
    for item in (row["item_id"] for row in assigned if row["split"] != "sft"):
        is_confirmed = hash_fraction(0, "confirmed", item) < _CONFIRMED
        value = {("a", True): "A", ("b", True): "B", ("a", False): "B", ("b", False): "A"}[labels[item], is_confirmed]
        rows += [
            {
                "vote_id": f"{item}-{who}", "pair_id": item, "annotator_id": who, "protocol": "unisrm", "value": value,
                "source": "import:bench",
            }
            for who in ("v1", "v2", "v3")
        ]  # fmt: skip
    with open_store(build) as store:
        store.import_votes(pa.Table.from_pylist(rows, schema=VOTES))


def _measure(recipe: str) -> dict[str, Any]:
    """Plan and run what is not planted; return what it took, cells that are not met, and what is said of a planted leak."""
    build, took = open_build(recipe, f"{recipe}.ws", collections=True), Counter[str]()

    def timed(what: str, run: Any) -> Any:
        began = time.perf_counter()
        outcome = run()
        took[what] += time.perf_counter() - began
        return outcome

    timed("plan", lambda: kind_of(build).plan(build.as_read_only()))
    for job in jobs_of(build):
        for stage in job.stages:
            outcome = timed(stage.name, lambda job=job, stage=stage: execute(stage, job.build))
            if isinstance(outcome, Waiting):
                _plant_votes(job.build)
                outcome = timed(stage.name, lambda job=job, stage=stage: execute(stage, job.build))
            print(f"  {job.named(stage.name)}: {outcome.rows_in} -> {outcome.rows_out} {outcome.dropped}", file=sys.stderr)
    print("  " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items()), file=sys.stderr)
    return {
        "seconds": sum(took.values()),
        "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "wrong": _wrong_cells(build),
        "leak": _planted_leak(build),
    }


def _wrong_cells(build: Build) -> list[list[Any]]:
    """Return part, split, rows and quota of every cell that is not met."""
    rows = Counter[tuple[str, str]]()
    for path in Path(str(release_of(build))).rglob("*.parquet"):
        rows[path.parent.name, path.name.partition("-")[0]] += pq.ParquetFile(path).metadata.num_rows
    return [
        [name, split, rows[name, split], section.quota]
        for name, part in build.parts.items()
        for split, section in part.recipe.splits.named().items()
        if rows[name, split] != section.quota
    ]


def _planted_leak(build: Build) -> str:
    """Exchange two splits of Task 3, whose files are partly those of Task 1, and return what the proof says of it."""
    part = build.parts["task3_en"]
    rows = part.tables.read(splits_table(part))
    other = {"sft": "rl", "rl": "sft"}
    moved = pa.array([other.get(split, split) for split in rows["split"].to_pylist()], pa.string())
    place = rows.column_names.index("split")
    part.tables.replace(splits_table(part), rows.set_column(place, rows.schema.field(place), moved))
    try:
        proof_across(build.parts)
    except LeakageError as error:
        return str(error)
    finally:
        part.tables.replace(splits_table(part), rows)
    return ""


def run(part_of: int = 1) -> list[dict[str, Any]]:
    """Fill a workspace, and measure in a process of its own; one row in so many of the paper's."""
    with tempfile.TemporaryDirectory() as name:
        recipe = write_recipes(Path(name), part_of)
        plant(open_build(recipe, f"{recipe}.ws", collections=True))
        command = [sys.executable, "-m", "bench.collection_bench", "--measure", str(recipe)]
        found = json.loads(subprocess.run(command, check=True, cwd=_ROOT, stdout=subprocess.PIPE, text=True).stdout)
    print(f"  wrong cells: {found['wrong']}; the planted leak: {found['leak']}", file=sys.stderr)
    figures = (
        ("cells of Table 9 that are not met", len(found["wrong"]), 0),
        ("planted leaks that the proof does not name with both parts",
         int(not ("task1/" in found["leak"] and "task3_en/" in found["leak"])), 0),
        ("from the plan to the release, s", round(found["seconds"], 1), SECONDS_TARGET),
        ("peak memory of the process, GiB", round(found["gib"], 2), GIB_TARGET),
    )  # fmt: skip
    rows = sum(n for of in CELLS.values() for n in of.values())
    return against_targets(f"UniSRM-Data, {rows} rows of five parts", figures)


if __name__ == "__main__":
    run_command(_measure, run)
