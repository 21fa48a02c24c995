"""Fan-out stages: making the missing rows of a stage, and counting its rows.

Such a stage has the name of its table; its failures are in ``failures@<stage>``. While it waits for a GPU or a service, workers
that it does not need may work ahead for a later stage (``LaterStage``), which then finds those rows done.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from contracts import schemas
from contracts.jobs import Job, Outcome
from contracts.joins import among
from flows.run.books import Books, reasons_of
from flows.run.cluster import cluster
from flows.run.cluster_resources import check_resources
from flows.run.context import RunContext
from flows.run.damage import forget_damaged
from flows.run.fanout import fan_out
from flows.run.meanwhile import meanwhile
from flows.run.wanted import table_of, wanted_keys, wanted_rows
from flows.run.work_ahead import WorkAhead
from storage.workspace import FORMAT_FILE

J = TypeVar("J", bound=Job)

Work = Sequence[tuple[Job, pa.Table]]
"""Jobs with all requests of the recipe, done or not."""


@dataclass(frozen=True, kw_only=True)
class HereJobs(Generic[J]):
    """Jobs whose requests this process does, such as calls of a service.

    Attributes:
        work: jobs with all requests of the recipe, done or not.
        run: does some requests of a job, and yields what became of them bit by bit.
    """

    work: Sequence[tuple[J, pa.Table]]
    run: Callable[[J, pa.Table], Iterator[Outcome]]


@dataclass(frozen=True, kw_only=True)
class LaterStage:
    """A later fan-out stage, whose work on the rows of this one free workers do as soon as they are there.

    The running stage declares in ``fills`` that it adds rows to the later one's table and failures.

    Attributes:
        stage: name of the later stage and of its table.
        work: returns what that stage is to do with some rows of this one.
    """

    stage: str
    work: Callable[[pa.Table], Work]


def do_missing(
    context: RunContext, stage: str, work: Work, here: HereJobs[Any] | None = None, later: LaterStage | None = None
) -> None:
    """Make the rows that are neither in the stage's table nor in its failures; the table has the stage's name.

    Args:
        context: the run.
        stage: name of the stage.
        work: jobs for the workers of the cluster.
        here: jobs that this process does meanwhile.
        later: a stage for which free workers work ahead; None = none.

    Raises:
        UnisrmError: a job cannot go on. What ends those of this process does not end the others: they finish first.
    """
    remote, local = left_of(context, stage, work), left_of(context, stage, here.work) if here else []
    count_remote, count_local = (sum(rows.num_rows for _, rows in todo) for todo in (remote, local))
    context.progress.start(stage, count_remote + count_local)
    one_at_a_time, more = threading.Lock(), WorkAhead()
    if later is not None and count_remote + count_local:
        more.add(left_of(context, later.stage, later.work(wanted_rows(context, stage))))

    def commit(job: Job, outcome: Outcome) -> None:
        with one_at_a_time:
            _append(context, job, outcome)
            done, failed = outcome.rows.num_rows, outcome.failures.num_rows
            if job.table != stage:
                more.note_done(done + failed)
                context.progress.advance_ahead(job.table, done + failed, more.added, of=job.name)
                return
            if later is not None:
                more.add(later.work(outcome.rows))
            context.progress.advance(done + failed, failed, of=job.name, audio_s=_audio_s(outcome.rows))

    with contextlib.ExitStack() as started:
        check = _nothing
        if count_remote or (count_local and later is not None):
            context.workspace.note_format()
            started.enter_context(cluster(context.ray_address, secrets=context.secrets))
            check_resources({f"{stage}, {job}": job.resources for job, rows in remote if rows.num_rows})
            run = partial(fan_out, remote, commit, (context.workspace, FORMAT_FILE), ahead=more)
            if count_local:
                # The workers have the cores, one thread each: numpy's own threads here would get in their way.
                started.enter_context(threadpool_limits(1))
                check = started.enter_context(meanwhile(run))
                started.callback(more.close)
            else:
                more.close()
                run()
        for job, rows in local:
            if here is not None and rows.num_rows:
                for outcome in here.run(job, rows):
                    commit(job, outcome)
                    check()
    if count_remote or count_local:
        for table in (stage, *([later.stage] if later is not None else [])):
            context.tables.compact(table)
            context.tables.compact(f"failures@{table}")
    context.progress.end()


def _nothing() -> None:
    """Find nothing wrong."""


def left_of(context: RunContext, stage: str, work: Sequence[tuple[J, pa.Table]]) -> list[tuple[J, pa.Table]]:
    """Return the jobs with those requests that are neither in the stage's table nor in its failures."""
    failures = f"failures@{stage}"
    for _, wanted in work:
        forget_damaged(context, failures, wanted["row_id"])
    failed = context.tables.read(failures, ["row_id"])["row_id"]
    left = []
    for job, wanted in work:
        open_keys = context.tables.missing(stage, wanted["row_id"])
        open_keys = open_keys.filter(pc.invert(pc.is_in(open_keys, value_set=failed)))
        left.append((job, among(wanted, "row_id", open_keys)))
    return left


def _append(context: RunContext, job: Job, outcome: Outcome) -> None:
    """Commit what became of a batch to the table of its job and its failures."""
    context.tables.append(job.table, outcome.rows)
    context.tables.append(f"failures@{job.table}", outcome.failures)


def _audio_s(rows: pa.Table) -> float:
    """Return how much speech is in some rows, in seconds; 0 where they are no clips."""
    return pc.sum(rows["duration_s"]).as_py() or 0.0 if "duration_s" in rows.column_names else 0.0


def count_done(context: RunContext, stage: str, *, table: str = "", unit: str = "") -> Books:
    """Count the wanted keys of a fan-out stage by outcome; not balanced while work is left.

    Args:
        context: the run.
        stage: name of the stage.
        table: table of its rows; empty = the stage's own.
        unit: what is counted; empty = the stage's name.
    """
    wanted, table = wanted_keys(context, stage), table or table_of(stage)
    key = schemas.key_of(table)
    done = among(context.tables.read(table, [key]), key, wanted)
    drops = context.tables.read(f"drops@{stage}", ["row_id", "reason"])
    failures = context.tables.read(f"failures@{stage}", ["row_id", "reason"])
    return Books(
        stage=stage,
        unit=unit or stage,
        rows_in=len(wanted),
        rows_out=done.num_rows,
        failed=reasons_of(failures, wanted),
        dropped=reasons_of(drops, wanted),
    )
