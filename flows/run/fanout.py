"""Fan-outs on Ray: long-lived actors open a session once and take batches; the driver commits each finished batch.

What can go wrong, and what happens then:

- a request fails: its session returns a failure row, and the rest of the batch is done;
- a session raises on a batch: the batch is halved until the failing request is alone, and becomes a failure row;
- a worker dies: a new one replaces it and the batch is tried again; a batch that kills two workers is halved, too;
- the disk is full or read-only, or a model cannot be opened: the stage stops with an error, because every other request would
  fail, too;
- the cluster is lost, for example because a daemon was killed: it is started again, and the batches in flight are repeated;
- this process dies: committed batches are kept, and the next run repeats those in flight.
"""

import collections
import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import SetupError
from contracts.failures import failure
from contracts.jobs import Job, Outcome, Resources
from contracts.joins import taken
from contracts.schemas import FAILURES, empty
from flows.run.cluster import Cluster, ClusterLost, running_cluster
from flows.run.worker import Broken, WorkspaceProbe, reply, request

_DEATHS_BEFORE_HALVING: Final = 2
_NO_CAPACITY_LIMIT_S: Final = 60.0
_NUMBERS: Final = itertools.count()
"""Numbers of batches, unique in this process, so that a late reply to an earlier fan-out is not taken for one to this one."""


@dataclass(kw_only=True)
class _Batch:
    job: Job
    rows: pa.Table
    deaths: int = 0

    def halves(self) -> "list[_Batch]":
        middle = self.rows.num_rows // 2
        return [_Batch(job=self.job, rows=self.rows.slice(0, middle)), _Batch(job=self.job, rows=self.rows.slice(middle))]


@dataclass(kw_only=True)
class _Pool:
    """Workers of one resource shape on the cluster; at most ``size`` batches are ``busy`` at once, by their numbers."""

    cluster: Cluster
    resources: Resources
    size: int
    probe: WorkspaceProbe | None
    busy: dict[int, _Batch] = field(default_factory=dict)

    def submit(self, batch: _Batch) -> None:
        number = next(_NUMBERS)
        self.busy[number] = batch  # before sending: if the cluster is lost now, this batch is repeated like the others
        options = {"num_cpus": self.resources.cpus, "num_gpus": self.resources.gpus}
        self.cluster.send("run", number, options, request(batch.job, batch.rows, self.probe))

    def next(self) -> tuple[_Batch, Outcome | Broken | None]:
        """Wait for any batch and return it with its result; None = its worker died.

        Raises:
            ClusterLost: all busy batches have to be repeated.
        """
        full_since: float | None = None
        while (message := self.cluster.receive()) is None or message[1] not in self.busy:
            if message is not None or _capacity(self.resources, self.cluster.nodes_seen):
                full_since = None
                continue
            full_since = full_since or time.monotonic()
            if time.monotonic() - full_since > _NO_CAPACITY_LIMIT_S:
                raise SetupError(_no_capacity_message(self.resources))
        kind, number, *rest = message
        batch = self.busy.pop(number)
        if kind == "refused":
            raise SetupError(f"{batch.job.stage}: a Ray worker cannot run this: {rest[0]}")
        return batch, reply(rest[0]) if kind == "done" else None

    def close(self) -> None:
        """Release the workers."""
        with contextlib.suppress(ClusterLost):
            self.cluster.send("close")


def fan_out(
    work: Sequence[tuple[Job, pa.Table]], commit: Callable[[Job, Outcome], None], probe: WorkspaceProbe | None = None
) -> None:
    """Run every request of every job and hand each finished batch to ``commit``, in this process.

    Jobs without a GPU share one pool of workers; a job with one has the cluster's GPUs to itself. Each worker has one batch in
    flight.

    Args:
        work: jobs with their request tables (columns ``row_id``, ``subject_id`` and the job's own).
        commit: called once per batch, never concurrently; what it writes is durable when it returns.
        probe: a workspace and a file in it that every worker must see before it opens a session; None = no check.

    Raises:
        SetupError: a session could not be opened, so that nothing of its job can be done; the message says why.
        StorageError: a worker could not write; committed batches are kept.
    """
    pools: dict[object, list[tuple[Job, pa.Table]]] = collections.defaultdict(list)
    for job, requests in work:
        if requests.num_rows:
            pools[job if job.resources.gpus else job.resources.cpus].append((job, requests))
    for members in pools.values():
        resources = members[0][0].resources
        batches = collections.deque(_interleave(members))
        while batches:
            cluster = running_cluster()
            size = min(_pool_size(resources, cluster), len(batches))
            pool = _Pool(cluster=cluster, resources=resources, size=size, probe=probe)
            try:
                _drain(pool, batches, commit)
            except ClusterLost as loss:
                batches.extendleft(reversed(pool.busy.values()))
                cluster.restart(loss)
            finally:
                pool.close()


def _drain(pool: _Pool, batches: "collections.deque[_Batch]", commit: Callable[[Job, Outcome], None]) -> None:
    while batches or pool.busy:
        while batches and len(pool.busy) < pool.size:
            pool.submit(batches.popleft())
        batch, result = pool.next()
        if isinstance(result, Outcome):
            commit(batch.job, _checked(batch, result))
            continue
        if result is None or result.died:
            batch.deaths += 1
            if batch.deaths < _DEATHS_BEFORE_HALVING:
                batches.appendleft(batch)
                continue
            result = result or Broken(reason="worker_died", message="the worker process died twice on this request")
        if result.fatal is not None:
            raise result.fatal
        if batch.rows.num_rows > 1:
            batches.extendleft(reversed(batch.halves()))
        else:
            commit(batch.job, _alone(batch, result))


def _checked(batch: _Batch, outcome: Outcome) -> Outcome:
    if outcome.rows.num_rows + outcome.failures.num_rows != batch.rows.num_rows:
        raise RuntimeError(
            f"{batch.job.stage}: {batch.rows.num_rows} requests gave {outcome.rows.num_rows} rows and "
            f"{outcome.failures.num_rows} failures; this is a defect of {type(batch.job).__name__}"
        )
    return outcome


def _alone(batch: _Batch, broken: Broken) -> Outcome:
    job, row = batch.job, batch.rows.to_pylist()[0]
    row_of_failure = failure(job.stage, row["row_id"], row["subject_id"], broken.reason, broken.message)
    return Outcome(rows=empty(job.table), failures=pa.Table.from_pylist([row_of_failure], schema=FAILURES))


def _interleave(members: Iterable[tuple[Job, pa.Table]]) -> Iterator[_Batch]:
    """Yield the batches of all jobs, one job after another, so that a worker seldom changes models.

    The longest texts of a job come first, so that the last batches are short and no worker waits long for another.
    """
    for job, requests in members:
        ordered = requests
        if "text" in requests.column_names:
            lengths = pc.utf8_length(requests["text"])
            order = pa.table({"n": lengths, "id": requests["row_id"]})
            ordered = taken(requests, pc.sort_indices(order, sort_keys=[("n", "descending"), ("id", "ascending")]))
        size = job.resources.batch_size
        for start in range(0, ordered.num_rows, size):
            yield _Batch(job=job, rows=ordered.slice(start, size))


def _capacity(resources: Resources, nodes: Iterable[dict[str, float]]) -> int:
    """Return how many sessions fit on the nodes at once: the sum over nodes, because an actor cannot span two."""
    needs = {kind: need for kind, need in (("CPU", resources.cpus), ("GPU", resources.gpus)) if need}
    return sum(min((int(node.get(kind, 0.0) / need) for kind, need in needs.items()), default=1) for node in nodes)


def _pool_size(resources: Resources, cluster: Cluster) -> int:
    size = _capacity(resources, cluster.nodes())
    if not size:
        raise SetupError(_no_capacity_message(resources))
    return size


def _no_capacity_message(resources: Resources) -> str:
    return f"no node of this cluster has room for {resources}: connect to another one with --ray"
