"""Fan-outs on Ray: long-lived actors open a session once and take batches; the driver commits each finished batch.

What can go wrong, and what then happens:

- a request fails: its session says so in a failure row, the others of its batch are done;
- a session raises on a batch: the batch is halved until the poisonous request stands alone, as a failure row;
- a worker dies: a new one takes its place and the batch is tried again; a batch that kills two workers is halved likewise;
- the disk is full or read-only, or a model cannot be opened: the stage stops and says so, because no request would fare better;
- the cluster is lost (a daemon of the embedded one was killed, say): it is started again, and what was in flight is done again;
- this process dies: committed batches are there, the few in flight are done again by the next run.
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
from flows.run.worker import Broken, Witness, reply, request

_DEATHS_BEFORE_HALVING: Final = 2
_ROOM_LIMIT_S: Final = 60.0
_NUMBERS: Final = itertools.count()
"""Of batches; never the same twice, so that what an earlier fan-out left on its way is not taken for this one's."""


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
    """Workers of one resource shape on the cluster; at most ``size`` batches are ``busy`` at once, each with a number."""

    cluster: Cluster
    resources: Resources
    size: int
    witness: Witness | None
    busy: dict[int, _Batch] = field(default_factory=dict)

    def submit(self, batch: _Batch) -> None:
        number = next(_NUMBERS)
        self.busy[number] = batch  # first: a cluster that is lost just now has it back like the others
        options = {"num_cpus": self.resources.cpus, "num_gpus": self.resources.gpus}
        self.cluster.send("run", number, options, request(batch.job, batch.rows, self.witness))

    def next(self) -> tuple[_Batch, Outcome | Broken | None]:
        """Wait for any batch; None in place of a result = its worker died.

        Raises:
            ClusterLost: all that is busy has to be done again.
        """
        no_room_since: float | None = None
        while (message := self.cluster.receive()) is None or message[1] not in self.busy:
            if message is not None or _room(self.resources, self.cluster.nodes_seen):
                no_room_since = None
                continue
            no_room_since = no_room_since or time.monotonic()
            if time.monotonic() - no_room_since > _ROOM_LIMIT_S:
                raise SetupError(_no_room(self.resources))
        kind, number, *rest = message
        batch = self.busy.pop(number)
        if kind == "refused":
            raise SetupError(f"{batch.job.stage}: a Ray worker cannot run this: {rest[0]}")
        return batch, reply(rest[0]) if kind == "done" else None

    def close(self) -> None:
        """Let go of the workers."""
        with contextlib.suppress(ClusterLost):
            self.cluster.send("close")


def fan_out(
    work: Sequence[tuple[Job, pa.Table]], commit: Callable[[Job, Outcome], None], witness: Witness | None = None
) -> None:
    """Run every request of every job and hand each finished batch to ``commit``, in this process.

    Jobs that need no GPU share one pool of workers; a job that needs one has the cluster's GPUs to itself while it runs. One
    batch per worker is in flight.

    Args:
        work: jobs with their request tables (columns ``row_id``, ``subject_id`` and the job's own).
        commit: called once per batch, never concurrently; what it wrote is safe when it returns.
        witness: a workspace and a file in it that every worker must see before it opens anything; None = no such check.

    Raises:
        SetupError: a session could not be opened (the message says why): nothing of that job can be done.
        StorageError: a worker could not write; what was committed is safe.
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
            size = min(_room_for(resources, cluster), len(batches))
            pool = _Pool(cluster=cluster, resources=resources, size=size, witness=witness)
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
        if result is None:
            batch.deaths += 1
            if batch.deaths < _DEATHS_BEFORE_HALVING:
                batches.appendleft(batch)
                continue
            result = Broken(reason="worker_died", message="the worker process died twice on this request")
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

    The longest texts come first within a job: what is left at the end is short, and no worker waits long for the last one.
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


def _room(resources: Resources, nodes: Iterable[dict[str, float]]) -> int:
    """Return how many sessions fit on the nodes at once: the sum over nodes, for an actor cannot span two."""
    needs = {kind: need for kind, need in (("CPU", resources.cpus), ("GPU", resources.gpus)) if need}
    return sum(min((int(node.get(kind, 0.0) / need) for kind, need in needs.items()), default=1) for node in nodes)


def _room_for(resources: Resources, cluster: Cluster) -> int:
    room = _room(resources, cluster.nodes())
    if not room:
        raise SetupError(_no_room(resources))
    return room


def _no_room(resources: Resources) -> str:
    return f"no node of this cluster has room for {resources}: connect to another one with --ray"
