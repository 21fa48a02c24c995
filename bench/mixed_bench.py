"""A mixed recipe: three engines of different speed on the cluster and a slow service, beside one after the other.

The best possible time is that of the slowest resource. Either the CPUs: all engines in bare processes, as many as CPUs, from
their start, with engines to load, as in a build; and the CPU time of the service's requests and of the clips made of its
replies, shared by the CPUs. Or the service: its requests, so many at once, a second each. The service runs in this process, so
that its own CPU time is in it.

The bare processes run at once: of two that share the hyper-threads of a core, each is slower than one alone. What the same work
takes in a single process on an otherwise idle machine, divided by the CPUs, is shown, too; nothing can reach it there.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from bench.fanout_bench import WORKERS
from contracts.ids import canonical_json
from contracts.jobs import JobSession
from flows.run.cluster import cluster
from flows.run.kind import stages_of
from flows.run.marks import execute
from flows.run.pipeline import Build, open_build
from flows.stages.samples import sample_requests
from synth.render import RenderJob
from tests.annotate import openai_server

TEXTS: Final = 48
ENGINES: Final = ("flite", "piper", "kokoro")
VOICES: Final = ("alloy", "ash", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer")
"""Of the service; each speaks every text."""

LATENCY_S: Final = 1.0
AT_ONCE: Final = 32
TARGET: Final = 1.15


def _build(folder: Path, systems: Sequence[dict[str, Any]]) -> Build[Any]:
    """Open a build over embedded texts, with all that comes before its samples done."""
    recipe = {
        "name": "mixed",
        "corpora": [{"name": "asterisk", "reader": "asterisk_prompts"}],
        "prompts": {"texts": TEXTS, "reference": "same_speaker", "min_words": 7, "max_duration_s": 6.0},
        "splits": {"fractions": {"sft": 1.0}},
        "human": False,
        "systems": list(systems),
        "metrics": [{"name": name} for name in ("wer", "sim", "prosody", "distillmos")],
        "judge": {"name": "objective"},
        "budget_usd": 100,
    }
    folder.mkdir()
    (folder / "mixed.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    build = open_build(folder / "mixed.yaml", str(folder / "ws"))
    for stage in stages_of(build):
        if stage.name == "samples":
            break
        execute(stage, build)
    return build


def _seconds(build: Build[Any]) -> float:
    """Return the seconds of the stage ``samples``."""
    (stage,) = [stage for stage in stages_of(build) if stage.name == "samples"]
    began = time.perf_counter()
    books = execute(stage, build)
    took = time.perf_counter() - began
    assert vars(books)["rows_out"] == vars(books)["rows_in"] > 0, books
    return took


_sessions: dict[str, JobSession] = {}


def _open(jobs: Sequence[RenderJob], first: Sequence[pa.Table], ready: Any) -> None:
    """Open all engines in a process and let each speak once."""
    for job, rows in zip(jobs, first, strict=True):
        _sessions[job.system] = job.open()
        _sessions[job.system].run(rows)
    ready.wait()


def _run(system: str, rows: pa.Table) -> int:
    return _sessions[system].run(rows).rows.num_rows


def _bare(build: Build[Any], workspace: Path, processes: int) -> tuple[float, float]:
    """Return the seconds that the engines take in some bare processes at once, without and with loading them."""
    wanted = sample_requests(build)
    wanted = wanted.append_column("reference_audio_id", pa.nulls(wanted.num_rows, pa.string()))
    jobs, first, batches = [], [], []
    for system, engine in reversed(build.recipe.rendered):  # the slowest one first
        job = RenderJob(
            engine=engine,
            options=canonical_json(system.options),
            system=system.name,
            audio=build.recipe.clip_format,
            workspace_url=str(workspace),
        )
        rows, size = wanted.filter(pc.equal(wanted["system"], system.name)), job.resources.batch_size
        jobs.append(job)
        first.append(rows.slice(0, 1))
        batches += [(system.name, rows.slice(start, size)) for start in range(0, rows.num_rows, size)]
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(processes + 1)
    started = time.perf_counter()
    with context.Pool(processes, _open, (jobs, first, ready)) as pool:
        ready.wait()
        began = time.perf_counter()
        done = pool.starmap(_run, batches, chunksize=1)
        ended = time.perf_counter()
    assert sum(done) == sum(rows.num_rows for _, rows in batches)
    return ended - began, ended - started


def run() -> list[dict[str, Any]]:
    """Measure."""
    os.environ.setdefault("OPENAI_API_KEY", "bench-key")
    engines = [{"name": engine, "engine": engine} for engine in ENGINES]
    with tempfile.TemporaryDirectory() as name, openai_server.serving(openai_server.Options(latency_s=LATENCY_S)) as server:
        folder = Path(name)
        options = {"base_url": server.url, "concurrency": AT_ONCE, "usd_per_million": [1.0, 1.0]}
        service = {
            "name": "service",
            "engine": "openai_speech",
            "voices": list(VOICES),
            "voices_per_prompt": len(VOICES),
            "options": options,
        }
        with cluster(cpus=WORKERS):
            apart = [_seconds(_build(folder / "engines", engines))]
            build, began = _build(folder / "service", [service]), time.process_time()
            apart.append(_seconds(build))
            clips = time.process_time() - began
            together = _seconds(_build(folder / "together", [*engines, service]))
            plain = _build(folder / "bare", engines)
        (alone, _), (busy, loaded) = (_bare(plain, folder / f"clips{processes}", processes) for processes in (1, WORKERS))
    waiting = -(-TEXTS * len(VOICES) // AT_ONCE) * LATENCY_S
    best, without_loading, ideal = (max(engines_s + clips / WORKERS, waiting) for engines_s in (loaded, busy, alone / WORKERS))
    name = f"{len(ENGINES)} engines and a service of {LATENCY_S:g} s, {TEXTS} texts"
    return [
        {
            "name": f"{name}: of the best possible (s)",
            "value": round(together, 2),
            "baseline": round(best, 2),
            "ratio": round(together / best, 3),
            "target": f"<= {TARGET}",
            "ok": together / best <= TARGET,
        },
        {
            "name": "the same, without the start of the processes and the loading of engines, which are seconds once (s)",
            "value": round(together, 2),
            "baseline": round(without_loading, 2),
            "ratio": round(together / without_loading, 3),
            "target": "none",
            "ok": True,
        },
        {
            "name": "the same, if two busy CPUs were as fast as each alone (s)",
            "value": round(together, 2),
            "baseline": round(ideal, 2),
            "ratio": round(together / ideal, 3),
            "target": "none",
            "ok": True,
        },
        {
            "name": "the same, of the engines first and the service afterwards (s)",
            "value": round(together, 2),
            "baseline": round(sum(apart), 2),
            "ratio": round(together / sum(apart), 3),
            "target": "<= 1",
            "ok": together <= sum(apart),
        },
    ]


if __name__ == "__main__":
    for line in run():
        print(line)
