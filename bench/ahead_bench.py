"""Metrics that are measured while clips are made, beside one stage after the other.

Two systems leave the CPUs idle: an engine that sleeps for each clip, as one that waits for a GPU does, and a speech service.
The metrics are those of the demo, which take both cores as long as the synthesis takes, about.
"""

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from bench.fanout_bench import WORKERS
from flows.run.cluster import cluster
from flows.run.kind import stages_of
from flows.run.marks import execute
from flows.run.pipeline import Build, open_build
from tests.annotate import openai_server

TEXTS: Final = 96
WAIT_S: Final = 0.3
LATENCY_S: Final = 2.0
TARGET: Final = 0.8
STAGES: Final = ("samples", "metrics")

_ENGINE: Final = '''
"""Flite, which waits a while for each clip and needs no CPU meanwhile."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contracts.jobs import Resources
from synth.engines.flite import Flite, FliteSession


@dataclass(frozen=True, kw_only=True)
class Waiting(Flite):
    wait_s: float = 0.0

    @property
    def resources(self):
        return Resources(cpus=0, batch_size=8)

    def open(self):
        return WaitingSession(self)


class WaitingSession(FliteSession):
    def render(self, requests: Sequence) -> Iterator:
        for answer in super().render(requests):
            time.sleep(self._engine.wait_s)
            yield answer


PLUGIN = Waiting
'''


def _opened(folder: Path, name: str, system: Mapping[str, Any]) -> Build[Any]:
    """Open a build over embedded texts."""
    recipe = {
        "name": name,
        "plugins": str(folder / "plugins"),
        "corpora": [{"name": "asterisk", "reader": "asterisk_prompts"}],
        "prompts": {"texts": TEXTS, "reference": "same_speaker", "min_words": 7, "max_duration_s": 6.0},
        "splits": {"fractions": {"sft": 1.0}},
        "human": False,
        "systems": [system],
        "metrics": [{"name": name} for name in ("wer", "sim", "prosody", "distillmos")],
        "judge": {"name": "objective"},
        "budget_usd": 100,
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return open_build(folder / f"{name}.yaml", str(folder / f"{name}-workspace"))


def _seconds(build: Build[Any], *, is_ahead: bool) -> float:
    """Return the seconds of both stages, without those before."""
    took = 0.0
    for stage in stages_of(build):
        began = time.perf_counter()
        books = execute(stage, replace(build, to_come=frozenset(STAGES)) if is_ahead else build)
        if stage.name in STAGES:
            took += time.perf_counter() - began
            assert vars(books)["rows_out"] == vars(books)["rows_in"] > 0, books
        if stage.name == STAGES[-1]:
            break
    return took


def run() -> list[dict[str, Any]]:
    """Measure."""
    os.environ.setdefault("OPENAI_API_KEY", "bench-key")
    found = []
    with tempfile.TemporaryDirectory() as name, openai_server.serving(openai_server.Options(latency_s=LATENCY_S)) as server:
        folder = Path(name)
        (folder / "plugins" / "engine").mkdir(parents=True)
        (folder / "plugins" / "engine" / "waiting.py").write_text(_ENGINE, encoding="utf-8")
        options = {"base_url": server.url, "concurrency": 8, "usd_per_million": [1.0, 1.0]}
        systems = {
            f"an engine that waits {WAIT_S:g} s a clip": {
                "engine": "waiting",
                "voices": ["kal16"],
                "options": {"wait_s": WAIT_S},
            },
            f"a service of {LATENCY_S:g} s, 8 at once": {"engine": "openai_speech", "voices": ["nova"], "options": options},
        }
        builds = {
            (what, is_ahead): _opened(folder, f"{system['engine']}-{is_ahead}", {"name": "one", **system})
            for what, system in systems.items()
            for is_ahead in (False, True)
        }
        with cluster(cpus=WORKERS):  # after the recipes, so that its workers know their plug-ins
            took = {which: _seconds(build, is_ahead=which[1]) for which, build in builds.items()}
        for what in systems:
            ratio = took[what, True] / took[what, False]
            found.append(
                {
                    "name": f"{what}, {TEXTS} texts, metrics meanwhile against metrics afterwards (s)",
                    "value": round(took[what, True], 2),
                    "baseline": round(took[what, False], 2),
                    "ratio": round(ratio, 3),
                    "target": f"<= {TARGET}",
                    "ok": ratio <= TARGET,
                }
            )
    return found


if __name__ == "__main__":
    for line in run():
        print(line)
