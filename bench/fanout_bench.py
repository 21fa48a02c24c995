"""What Ray costs: the same synthesis by the fan-out and by two bare processes, on the same two cores."""

import multiprocessing
import tempfile
import time
from collections.abc import Sequence

import pyarrow as pa

from contracts import plugins
from contracts.jobs import Outcome
from flows.run.cluster import cluster
from flows.run.fanout import fan_out
from synth.dsp import AudioFormat
from synth.render import RenderJob

TEXTS = 240
WORKERS = 2


def texts() -> list[str]:
    """Return transcripts of the embedded corpus, of seven words or more, as often as needed."""
    reader = plugins.configure("corpus", "asterisk_prompts")
    table = pa.Table.from_batches(list(reader.read(reader.DEFAULT_ROOT)))
    usable = [row["text"] for row in table.to_pylist() if row["problem"] is None and len(row["text"].split()) >= 7]
    return [f"{text} Number {copy}." for copy in range(1 + TEXTS // len(usable)) for text in usable][:TEXTS]


def requests(spoken: Sequence[str]) -> pa.Table:
    """Return one request per text."""
    ids = [f"{number:032x}" for number in range(len(spoken))]
    nothing = pa.nulls(len(spoken), pa.string())
    return pa.table(
        {
            "row_id": ids,
            "subject_id": ids,
            "group_id": ids,
            "text": list(spoken),
            "language": ["en"] * len(spoken),
            "voice": ["joe"] * len(spoken),
            "seed": pa.array([0] * len(spoken), pa.int64()),
            "reference_audio_id": nothing,
            "reference_text": nothing,
            "spoken_text": nothing,
        }
    )


def job(workspace: str) -> RenderJob:
    """Return the job: Piper, the fastest neural engine, where overhead shows most."""
    return RenderJob(engine="piper", options="{}", system="piper", audio=AudioFormat(), workspace_url=workspace)


_session = None


def _open(workspace: str) -> None:
    global _session  # noqa: PLW0603 - the state of a pool's process
    _session = job(workspace).open()


def _run(batch: pa.Table) -> int:
    return _session.run(batch).rows.num_rows


def bare(table: pa.Table, workspace: str) -> float:
    """Return the seconds of two plain processes that share the batches."""
    size = job(workspace).resources.batch_size
    ordered = (
        table.append_column("length", pa.compute.utf8_length(table["text"]))
        .sort_by([("length", "descending")])
        .drop_columns(["length"])
    )
    began = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(WORKERS, _open, (workspace,)) as pool:
        done = sum(pool.imap_unordered(_run, [ordered.slice(start, size) for start in range(0, len(ordered), size)]))
    assert done == len(table)
    return time.perf_counter() - began


def fanned(table: pa.Table, workspace: str) -> float:
    """Return the seconds of the fan-out, the start of its workers included, that of the cluster not."""
    done = []

    def commit(_: RenderJob, outcome: Outcome) -> None:
        done.append(outcome.rows.num_rows)

    began = time.perf_counter()
    fan_out([(job(workspace), table)], commit)
    assert sum(done) == len(table)
    return time.perf_counter() - began


def run() -> list[dict[str, object]]:
    """Measure both in turn, three times, and compare the medians."""
    table = requests(texts())
    times: dict[str, list[float]] = {"bare": [], "ray": []}
    with cluster(cpus=WORKERS):
        for _ in range(3):
            for name, measured in (("bare", bare), ("ray", fanned)):
                with tempfile.TemporaryDirectory() as folder:
                    times[name].append(measured(table, folder))
    plain, ours = sorted(times["bare"])[1], sorted(times["ray"])[1]
    return [
        {
            "name": f"synthesis fan-out, {TEXTS} texts, piper, Ray against two bare processes (s)",
            "value": round(ours, 2),
            "baseline": round(plain, 2),
            "ratio": round(ours / plain, 3),
            "target": "<= 1.05",
            "ok": ours / plain <= 1.05,
        }
    ]
