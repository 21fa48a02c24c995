"""Fan-outs on Ray: long-lived actors open a session once and take batches; the driver commits each finished batch.

What can go wrong, and what then happens:

- a request fails: its session says so in a failure row, the others of its batch are done;
- a session raises on a batch: the batch is halved until the poisonous request stands alone, as a failure row;
- a worker dies: a new one takes its place and the batch is tried again; a batch that kills two workers is halved likewise;
- the disk is full or read-only, or a model cannot be opened: the stage stops and says so, because no request would fare better;
- this process dies: committed batches are there, the few in flight are done again by the next run.
"""

import collections
import errno
import socket
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import ray
from ray.exceptions import NodeDiedError, ObjectLostError, OutOfMemoryError, RayActorError, RayError, WorkerCrashedError

from contracts import schemas
from contracts.errors import SetupError, StorageError, UnisrmError
from contracts.jobs import Job, JobSession, Outcome, Resources
from flows.cluster import node_resources
from storage.workspace import Workspace

_DEATHS_BEFORE_HALVING: Final = 2
_DEATHS: Final = (RayActorError, WorkerCrashedError, OutOfMemoryError, NodeDiedError, ObjectLostError)
_ENVIRONMENT: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


Witness = tuple[Workspace, str]


@dataclass(frozen=True, kw_only=True)
class _Broken:
    """A session's ``run`` or ``open`` raised. ``fatal``: no other request would fare better, so the stage stops with that."""

    reason: str
    message: str
    fatal: UnisrmError | None = None


class _Worker:
    """Hosts sessions in a Ray worker process; each job is opened once and stays open."""

    def __init__(self, witness: Witness | None) -> None:
        self._witness = witness
        self._sessions: dict[Job, JobSession] = {}

    def run(self, job: Job, batch: pa.Table) -> Outcome | _Broken:
        opening = job not in self._sessions
        try:
            if opening:
                _confirm(self._witness)
                self._sessions[job] = job.open()
                opening = False
            return self._sessions[job].run(batch)
        except (StorageError, SetupError) as error:
            return _Broken(reason=type(error).__name__, message=str(error), fatal=type(error)(str(error)))
        except Exception as error:  # noqa: BLE001 - the one boundary where any fault of an engine becomes a row
            last = traceback.extract_tb(error.__traceback__)[-1]
            message = f"{error} ({last.name}, line {last.lineno})"
            if opening:
                return _Broken(
                    reason=type(error).__name__,
                    message=message,
                    fatal=SetupError(f"{job.stage}: {type(error).__name__}: {message}"),
                )
            if isinstance(error, OSError) and error.errno in _ENVIRONMENT:
                return _Broken(reason=type(error).__name__, message=message, fatal=StorageError(f"{job.stage}: {error}"))
            return _Broken(reason=type(error).__name__, message=message)


def _confirm(witness: Witness | None) -> None:
    """Make sure that this node sees the driver's workspace, before it writes clips to a folder that nobody else has."""
    if witness is not None and not witness[0].exists(witness[1]):
        raise SetupError(
            f"a worker on {socket.gethostname()} does not see the workspace {witness[0].url}: put it into a bucket or a folder "
            "that all nodes share"
        )


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
    """Actors of one resource shape. ``idle`` and ``busy`` together never exceed ``size``."""

    resources: Resources
    size: int
    witness: Witness | None
    idle: list[Any] = field(default_factory=list)
    busy: dict[Any, tuple[Any, _Batch]] = field(default_factory=dict)

    def submit(self, batch: _Batch) -> None:
        actor = self.idle.pop() if self.idle else self._new_actor()
        self.busy[actor.run.remote(batch.job, batch.rows)] = (actor, batch)

    def _new_actor(self) -> Any:
        options: dict[str, Any] = {"num_cpus": self.resources.cpus, "num_gpus": self.resources.gpus, "max_restarts": 0}
        return ray.remote(_Worker).options(**options).remote(self.witness)

    def next(self) -> tuple[_Batch, Outcome | _Broken | None]:
        """Wait for any batch; None in place of a result = its worker died."""
        ready, _ = ray.wait(list(self.busy), num_returns=1)
        actor, batch = self.busy.pop(ready[0])
        try:
            result: Outcome | _Broken = ray.get(ready[0])
        except _DEATHS:
            ray.kill(actor)  # an unavailable actor may come back; its batch goes to another one
            return batch, None
        except RayError as error:  # the job itself cannot reach or run on a worker
            raise SetupError(f"{batch.job.stage}: a Ray worker cannot run this: {error}") from error
        self.idle.append(actor)
        return batch, result

    def close(self) -> None:
        for actor in [*self.idle, *(actor for actor, _ in self.busy.values())]:
            ray.kill(actor)


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
        pool = _Pool(resources=resources, size=min(_room_for(resources), len(batches)), witness=witness)
        try:
            _drain(pool, batches, commit)
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
            result = _Broken(reason="worker_died", message="the worker process died twice on this request")
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


def _alone(batch: _Batch, broken: _Broken) -> Outcome:
    job, row = batch.job, batch.rows.to_pylist()[0]
    failure = schemas.failure(job.stage, row["row_id"], row["subject_id"], broken.reason, broken.message)
    return Outcome(rows=schemas.empty(job.table), failures=pa.Table.from_pylist([failure], schema=schemas.FAILURES))


def _interleave(members: Iterable[tuple[Job, pa.Table]]) -> Iterator[_Batch]:
    """Yield the batches of all jobs, one job after another, so that a worker seldom changes models.

    The longest texts come first within a job: what is left at the end is short, and no worker waits long for the last one.
    """
    for job, requests in members:
        ordered = requests
        if "text" in requests.column_names:
            lengths = pc.utf8_length(requests["text"])
            ordered = requests.take(
                pc.sort_indices(
                    pa.table({"n": lengths, "id": requests["row_id"]}), sort_keys=[("n", "descending"), ("id", "ascending")]
                )
            )
        size = job.resources.batch_size
        for start in range(0, ordered.num_rows, size):
            yield _Batch(job=job, rows=ordered.slice(start, size))


def _room_for(resources: Resources) -> int:
    """Return how many sessions fit on the cluster at once: the sum over nodes, for an actor cannot span two."""
    room = 0
    needs = {kind: need for kind, need in (("CPU", resources.cpus), ("GPU", resources.gpus)) if need}
    for have in node_resources():
        room += min((int(have.get(kind, 0.0) / need) for kind, need in needs.items()), default=1)
    if not room:
        raise SetupError(f"no node of this cluster has room for {resources}: connect to another one with --ray")
    return room
