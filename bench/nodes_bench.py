"""What a second node brings: the same synthesis on one node and on two, beside one bare process and two.

Both nodes are on this machine and have one CPU each, so that two can be no faster than two processes that share its cores. The
speed is taken from when every worker has brought back its first batch: the start of workers is not in it.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa

from bench.fanout_bench import job, requests, texts
from contracts.jobs import Job, JobSession, Outcome
from flows.run.cluster import cluster
from flows.run.fanout import fan_out
from tests.flows.ray_nodes import ray_nodes

TEXTS: Final = 48
SENTENCES: Final = 3
"""Of a text: about ten seconds of speech, of which a batch costs seconds."""

ROUNDS: Final = 2
TARGET: Final = 0.9
Done = Callable[[int], None]
"""Takes the rows of each batch as it comes back."""

_session: JobSession | None = None


def _requests() -> pa.Table:
    known = texts()
    return requests([" ".join(known[(number + step) % len(known)] for step in range(SENTENCES)) for number in range(TEXTS)])


def _open(workspace: str) -> None:
    global _session  # noqa: PLW0603 - the state of a pool's process
    _session = job(workspace).open()


def _run(batch: pa.Table) -> int:
    assert _session is not None
    done: int = _session.run(batch).rows.num_rows
    return done


def _bare(table: pa.Table, workspace: str, processes: int, done: Done) -> None:
    batches = [table.slice(start, 1) for start in range(table.num_rows)]
    with multiprocessing.get_context("spawn").Pool(processes, _open, (workspace,)) as pool:
        for rows in pool.imap_unordered(_run, batches):
            done(rows)


def _fanned(table: pa.Table, workspace: str, done: Done) -> None:
    def commit(_: Job, outcome: Outcome) -> None:
        done(outcome.rows.num_rows)

    fan_out([(job(workspace), table)], commit)


def _speed(run: Callable[[str, Done], None], workers: int) -> float:
    """Return clips a second once so many batches are back."""
    seen: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as workspace:
        run(workspace, lambda rows: seen.append((time.perf_counter(), rows)))
    assert sum(rows for _, rows in seen) == TEXTS
    return sum(rows for _, rows in seen[workers:]) / (seen[-1][0] - seen[workers - 1][0])


def run() -> list[dict[str, Any]]:
    """Measure each twice, and compare the faster ones: a busy machine only slows them down."""
    table = _requests()

    def bare(processes: int) -> float:
        return max(_speed(lambda folder, done: _bare(table, folder, processes, done), processes) for _ in range(ROUNDS))

    def nodes(count: int) -> float:
        return max(_speed(lambda folder, done: _fanned(table, folder, done), count) for _ in range(ROUNDS))

    plain = bare(2) / bare(1)
    with ray_nodes(1) as started:
        os.environ |= started.environment
        with cluster(started.address):
            alone = nodes(1)
            started.start()
            together = nodes(2)
    return [
        {
            "name": f"speed-up by a second node, {TEXTS} texts, piper, against that by a second bare process",
            "value": round(together / alone, 3),
            "baseline": round(plain, 3),
            "ratio": round(together / alone / plain, 3),
            "target": f">= {TARGET}",
            "ok": together / alone / plain >= TARGET,
        }
    ]


if __name__ == "__main__":
    for line in run():
        print(line)
