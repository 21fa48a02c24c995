"""The small recipe of all of UniSRM as it stands: how often somebody who does not listen is right, task by task.

A stand-in takes the model's place; what is audited are the clips, which it does not hear. Nothing may tell which clip is shown
as A. Which one is chosen may be told, where engines cannot act: then the card of the release says so.

``python -m bench shortcuts_bench`` prints a line per task and figure; it takes some minutes.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from corpora import miniatures
from flows.run.cluster import cluster
from flows.run.pipeline import open_build
from synth import acted_speech, spoken_dialogues
from tests.annotate import openai_server
from tests.flows.small_unisrm import Judge, write
from tests.flows.small_unisrm import run as run_parts

_UNHEARD = "told by a classifier that does not listen"


def run() -> list[dict[str, Any]]:
    """Build all parts and return the share of pairs that the classifier is right about, beside what chance alone reaches."""
    os.environ.setdefault("OPENAI_API_KEY", "bench-key")
    judge = Judge()
    with tempfile.TemporaryDirectory() as name, openai_server.serving(answer=judge) as server, cluster():
        folder = Path(name)
        miniatures.qualispeech(folder / "qualispeech")
        acted_speech.write(folder / "acted")
        spoken_dialogues.write(folder / "dialogues")
        build = open_build(write(folder, server.url), str(folder / "ws"), collections=True)
        judge.parts = build.parts
        waiting = run_parts(build)
        assert not waiting, waiting
        return [
            _line(part, row)
            for part in build.parts
            for row in build.parts[part].tables.read("audit").to_pylist()
            if row["family"] == "reader"
        ]


def _line(part: str, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"{part}, {row['items']} pairs: {row['target']} {_UNHEARD} (share; baseline: at most so many by chance)",
        "value": round(row["effect"], 3),
        "baseline": round(row["bound"], 3),
        "ratio": round(row["effect"] / row["bound"], 3),
        "target": "<= 1 for shown_as_a",
        "ok": row["target"] != "shown_as_a" or not row["is_found"],
    }
