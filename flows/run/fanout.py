"""Fan-outs on Ray: long-lived actors open a session once and take batches; the driver commits each finished batch.

Pools of workers of different shapes run at the same time, as far as the nodes have room (``flows.run.worker_pools``); they grow
when nodes join, and shrink when nodes leave or little is left. Work for a later stage may join while this one is at work
(``flows.run.work_ahead``); workers that nothing else needs do it.

What can go wrong, and what happens then:

- a request fails: its session returns a failure row, and the rest of the batch is done;
- a session raises on a batch: the batch is halved until the failing request is alone, and becomes a failure row;
- a worker dies: a new one replaces it and the batch is tried again; a batch that kills two workers is halved, too;
- the disk is full or read-only, or a model cannot be opened: the stage stops with an error, because every other request would
  fail, too;
- the cluster is lost, for example because a daemon was killed: it is started again, and the batches in flight are repeated;
- this process dies: committed batches are kept, and the next run repeats those in flight.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import pyarrow as pa

from contracts.errors import SetupError
from contracts.failures import failure
from contracts.jobs import Job, Outcome, Resources
from contracts.schemas import FAILURES, empty
from flows.run.cluster import Cluster, ClusterLost, running_cluster
from flows.run.work_ahead import WorkAhead
from flows.run.worker import Broken, WorkspaceProbe, reply, request
from flows.run.worker_pools import Batch, Pool, Pools, capacity, share

_DEATHS_BEFORE_HALVING: Final = 2
_NO_CAPACITY_LIMIT_S: Final = 60.0

_DEAD: Final = Broken(reason="worker_died", message="the worker process died twice on this request")

Commit = Callable[[Job, Outcome], None]


def fan_out(
    work: Sequence[tuple[Job, pa.Table]],
    commit: Commit,
    probe: WorkspaceProbe | None = None,
    *,
    ahead: WorkAhead | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Run every request of every job and hand each finished batch to ``commit``, in this process.

    Args:
        work: jobs with their request tables (columns ``row_id``, ``subject_id`` and the job's own).
        commit: called once per batch, never concurrently; what it writes is durable when it returns.
        probe: a workspace and a file in it that every worker must see before it opens a session; None = no check.
        ahead: requests of a later stage, which ``commit`` and other threads may add to until it is closed; None = none.
        stop: once it is set, what is in flight is given up.

    Raises:
        SetupError: a session could not be opened, so that nothing of its job can be done; the message says why.
        StorageError: a worker could not write; committed batches are kept.
    """
    pools, stop, ahead = Pools(work), stop or threading.Event(), ahead or WorkAhead(is_closed=True)
    for pool in pools:
        if not capacity(pool.resources, running_cluster().nodes()):
            raise SetupError(_no_capacity_message(pool.resources))
    while not stop.is_set() and not (pools.are_done and ahead.is_over):
        cluster = running_cluster()
        try:
            _FanOut(cluster, pools, ahead, commit, probe).run(stop)
        except ClusterLost as loss:
            for pool in pools:
                pool.repeat_busy()
                pool.workers = 0
            cluster.restart(loss)
        finally:
            with contextlib.suppress(ClusterLost):
                cluster.send("close")


class _FanOut:
    """Pools at work on one cluster, until all is done or the cluster is lost."""

    def __init__(self, cluster: Cluster, pools: Pools, ahead: WorkAhead, commit: Commit, probe: WorkspaceProbe | None) -> None:
        self._cluster, self._pools, self._ahead, self._commit, self._probe = cluster, pools, ahead, commit, probe
        self._full_since: float | None = None

    def run(self, stop: threading.Event) -> None:
        """Give out batches and commit what comes back, until the event is set.

        Raises:
            ClusterLost: all busy batches have to be repeated.
        """
        while not stop.is_set():
            self._pools.add(self._ahead.take(), is_ahead=True)
            if self._pools.are_done and self._ahead.is_over:
                return
            self._give_out()
            message = self._cluster.receive()
            if message is None:
                self._require_capacity()
                continue
            kind, number, *rest = message
            pool = next((pool for pool in self._pools if number in pool.busy), None)
            if pool is None:  # a late reply to an earlier fan-out
                continue
            batch = pool.busy.pop(number)
            match kind:
                case "refused":
                    raise SetupError(f"{batch.job.stage}: a Ray worker cannot run this: {rest[0]}")
                case "returned":
                    pool.waiting.appendleft(batch)
                case "died":
                    self._after_death(pool, batch, _DEAD)
                case _:
                    self._finish(pool, batch, reply(rest[0]))

    def _give_out(self) -> None:
        pools = list(self._pools)
        for pool, workers in zip(pools, share(pools, self._cluster.nodes_seen), strict=True):
            if workers != pool.workers:
                pool.workers = workers
                self._cluster.send("limit", pool.number, workers)
        for pool in pools:
            options = {"num_cpus": pool.resources.cpus, "num_gpus": pool.resources.gpus}
            while pool.wants_more():
                # Counted as busy before it is sent: if the cluster is lost now, it is repeated like the others.
                number, batch = pool.take()
                self._cluster.send("run", number, pool.number, options, request(batch.job, batch.rows, self._probe))

    def _finish(self, pool: Pool, batch: Batch, result: Outcome | Broken) -> None:
        if isinstance(result, Outcome):
            self._commit(batch.job, _checked(batch, result))
        elif result.died:
            self._after_death(pool, batch, result)
        else:
            self._narrow(pool, batch, result)

    def _after_death(self, pool: Pool, batch: Batch, death: Broken) -> None:
        batch.deaths += 1
        if batch.deaths < _DEATHS_BEFORE_HALVING:
            pool.waiting.appendleft(batch)
        else:
            self._narrow(pool, batch, death)

    def _narrow(self, pool: Pool, batch: Batch, broken: Broken) -> None:
        """Halve a batch that cannot be done, until what breaks it is alone."""
        if broken.fatal is not None:
            raise broken.fatal
        if batch.rows.num_rows > 1:
            pool.waiting.extendleft(reversed(batch.halves()))
        else:
            self._commit(batch.job, _alone(batch, broken))

    def _require_capacity(self) -> None:
        """Give up on a pool that no node has had room for, for a minute."""
        lacking = [pool for pool in self._pools if not pool.is_done and not capacity(pool.resources, self._cluster.nodes_seen)]
        if not lacking:
            self._full_since = None
            return
        self._full_since = self._full_since or time.monotonic()
        if time.monotonic() - self._full_since > _NO_CAPACITY_LIMIT_S:
            raise SetupError(_no_capacity_message(lacking[0].resources))


def _checked(batch: Batch, outcome: Outcome) -> Outcome:
    if outcome.rows.num_rows + outcome.failures.num_rows != batch.rows.num_rows:
        raise RuntimeError(
            f"{batch.job.stage}: {batch.rows.num_rows} requests gave {outcome.rows.num_rows} rows and "
            f"{outcome.failures.num_rows} failures; this is a defect of {type(batch.job).__name__}"
        )
    return outcome


def _alone(batch: Batch, broken: Broken) -> Outcome:
    job, row = batch.job, batch.rows.to_pylist()[0]
    row_of_failure = failure(job.stage, row["row_id"], row["subject_id"], broken.reason, broken.message)
    return Outcome(rows=empty(job.table), failures=pa.Table.from_pylist([row_of_failure], schema=FAILURES))


def _no_capacity_message(resources: Resources) -> str:
    return f"no node of this cluster has room for {resources}: connect to another one with --ray"
