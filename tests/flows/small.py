"""A small build without Prefect: real recordings, real engines, stages run one by one."""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from flows.run.kind import stages_of
from flows.run.marks import execute
from flows.run.pipeline import Waiting

SOUNDS = Path("/usr/share/pocketsphinx/test/data/librivox")
LINES = [
    line.split("(")[0].replace("<s>", "").replace("</s>", "").strip()
    for line in (SOUNDS / "transcription").read_text().splitlines()
]
CLIPS = sorted(SOUNDS.glob("*.wav"))


def corpus(
    folder: Path, rows: list[dict[str, str]], *, each: Callable[[int], dict[str, Any]] | None = None, **more: str
) -> None:
    """Write a manifest corpus of real recordings; five are usable, what ``rows`` adds is the test's business.

    ``more`` is said of every row, ``each`` says more of one of the five by its number.
    """
    folder.mkdir()
    for clip in CLIPS:
        shutil.copy(clip, folder)
    good = [{"id": clip.stem, "audio": clip.name, "text": text} for clip, text in zip(CLIPS, LINES, strict=True)]
    for row in [*(row | (each(number) if each else {}) for number, row in enumerate(good)), *rows]:
        add_recording(folder, more | row)


def add_recording(folder: Path, row: dict[str, Any]) -> None:
    """Add a line to the manifest of that corpus."""
    with (folder / "manifest.jsonl").open("a") as manifest:
        manifest.write(json.dumps({"speaker": "austen", "language": "en", "license": "CC0-1.0", **row}) + "\n")


def recipe(folder: Path, **changes) -> Path:
    """Write a recipe over that corpus: two engines, two metrics that need no model, and a filter."""
    literals = {
        "name": "small",
        "seed": 3,
        "corpora": [{"name": "austen", "reader": "manifest", "root": str(folder / "corpus")}],
        "prompts": {"reference": "none"},
        "systems": [
            {"name": "espeak", "engine": "espeak", "voices": ["en-us"]},
            {"name": "flite", "engine": "flite", "voices": ["kal16"]},
        ],
        "metrics": [{"name": "prosody"}],
        "budget_usd": 1,
        "judge": {"name": "gemini", "task": "teacher", "options": {"backoff_s": 0.01}},
        "filters": [{"name": "audio_sanity"}, {"name": "cycles"}],
        "splits": {"fractions": {"sft": 0.5, "rl": 0.25, "bench": 0.25}},
    }
    for name, value in changes.items():
        literals[name] = literals.get(name, {}) | value if isinstance(value, dict) else value
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(literals))
    return path


def run(build, until="pairs"):
    """Bring the stages up to date and return their books; the last one may be what the build waits for."""
    books = {}
    for stage in stages_of(build):
        books[stage.name] = execute(stage, build)
        if stage.name == until or isinstance(books[stage.name], Waiting):
            break
    return books


@contextlib.contextmanager
def without_ray() -> Iterator[None]:
    """Let fan-outs work in this process, engine by engine: Ray takes a worker's two cores for ten seconds to start."""

    def fan_out(work, commit, _witness=None, *, ahead=None, stop=None):
        waiting = [*work]
        while waiting or not (ahead is None or ahead.is_over):
            for job, requests in waiting:
                if requests.num_rows:
                    commit(job, job.open().run(requests))
            time.sleep(0.001)
            waiting = ahead.take() if ahead is not None else []

    with (
        patch("flows.run.work.fan_out", fan_out),
        patch("flows.run.work.cluster", lambda *_, **__: contextlib.nullcontext()),
        patch("flows.run.work.check_resources", lambda *_: None),
    ):
        yield
