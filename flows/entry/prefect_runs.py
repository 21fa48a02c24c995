"""Running a build's stages as Prefect tasks, one task per stage."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import httpx
from prefect import get_run_logger
from prefect import task as prefect_task
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from contracts.interrupts import interrupt_reason
from flows.entry import reannotation
from flows.entry.preflight import preflight
from flows.listening.store import waiting_for
from flows.recipe.listening_checks import require
from flows.run.books import Books, in_words
from flows.run.damage import retry_damaged
from flows.run.kind import Job, all_waiting, jobs_of, stages_of
from flows.run.marks import execute, finished
from flows.run.pipeline import Build, Stage, Waiting
from flows.run.progress import Both
from flows.run.questions import lost_ledger
from flows.stages.listeners import trust, unused_votes
from flows.stages.released import release_faults, release_of, seal_release
from flows.views.status import drift_rows


def _reported(report: Callable[..., Any], **what: Any) -> Any:
    """Report something to Prefect and return the result; None if its server does not answer, so that the work goes on."""
    try:
        return report(**what)
    except httpx.HTTPError:
        return None


class ProgressArtifacts:
    """One Prefect progress artifact per stage, updated at most once per percent."""

    def __init__(self) -> None:
        self._artifact: Any = None
        self._total = self._done = self._shown = 0

    def start(self, stage: str, total: int) -> None:
        """Create the artifact if there is something to do."""
        self._total, self._done, self._shown = total, 0, 0
        key, description = f"stage-{stage}", f"{total} rows to do"
        self._artifact = _reported(create_progress_artifact, progress=0.0, key=key, description=description) if total else None

    def advance(self, done: int, failed: int = 0, *, of: str = "", audio_s: float = 0.0) -> None:  # noqa: ARG002 - in the summary
        """Update it."""
        self._done += done
        percent = 100 * self._done // max(self._total, 1)
        if self._artifact is not None and percent > self._shown:
            self._shown = percent
            _reported(update_progress_artifact, artifact_id=self._artifact, progress=float(percent))

    def advance_ahead(self, stage: str, done: int, total: int, *, of: str = "") -> None:
        """Ignore it: it is no part of this stage."""

    def end(self) -> None:
        """Set it to 100 %."""
        if self._artifact is not None:
            _reported(update_progress_artifact, artifact_id=self._artifact, progress=100.0)


@contextmanager
def _interrupted_for_a_reason() -> Iterator[None]:
    """Raise the error of the thread that interrupted this one, so that the flow run fails with it."""
    try:
        yield
    except KeyboardInterrupt:
        if (reason := interrupt_reason()) is not None:
            raise reason from None
        raise


def _as_task(stage: Stage, build: Build, name: str) -> Callable[[], Books | Waiting]:
    """Return a Prefect task for one stage. It takes no arguments: Prefect would look for futures inside a whole build."""

    @prefect_task(name=name, cache_policy=NO_CACHE, persist_result=False)
    def run_stage() -> Books | Waiting:
        up_to_date = finished(stage, build)
        books = up_to_date or execute(stage, build)
        if isinstance(books, Waiting):
            get_run_logger().info("%s: %s", name, books)
            return books
        get_run_logger().info("%s%s", in_words([books])[0], " (nothing to do)" if up_to_date else "")
        return books

    return run_stage


def run_build(build: Build, until: str | None = None) -> str | Waiting | None:
    """Run all stages as Prefect tasks, inside a flow run; of a collection those of its parts, one after the other, and its own.

    A part that waits for people does not keep others from being built, but the collection from being released.

    Returns:
        The release's folder; what a stage waits for; None if the build ends before the release.

    Raises:
        UnisrmError: something is wrong with the recipe, the machine, the data or the workspace.
    """
    with _interrupted_for_a_reason(), build.workspace.lock(), ExitStack() as cluster:
        waiting = dict[str, Waiting]()
        for job in jobs_of(build, until):
            if job.part is None or job.build is build:
                return all_waiting(waiting, len(build.parts)) if waiting else _run_job(job, cluster)
            with job.build.workspace.lock():
                outcome = _run_job(job, cluster)
            if isinstance(outcome, Waiting):
                waiting[job.part] = outcome
    return None


def _run_job(job: Job, cluster: ExitStack) -> str | Waiting | None:
    """Run stages. A cluster that they need is started, or joined, and runs until ``cluster`` ends."""
    build, stages = job.build, job.stages
    watched = build.watched_by(Both(build.progress, ProgressArtifacts()))
    retry_damaged(build, stages)
    preflight(build, stages, cluster)
    if job.is_whole:
        for fault in release_faults(build):
            get_run_logger().warning("release: %s", fault)
    if (lost := lost_ledger(build)) is not None:
        get_run_logger().warning("nothing is bought in this build, but: %s", job.named(lost))
    books, waiting = list[Books](), None
    for number, stage in enumerate(stages):
        to_come = frozenset(later.name for later in stages[number + 1 :])
        outcome = _as_task(stage, replace(watched, to_come=to_come), job.named(stage.name))()
        if isinstance(outcome, Waiting):
            waiting = outcome
            break
        books.append(outcome)
    if (unused := unused_votes(build)) is not None:
        get_run_logger().warning("listening test: %s", job.named(unused))
    summary, description = [_row(page) for page in books], f"Recipe {job.named(build.recipe.name)}"
    _reported(create_table_artifact, table=summary, key="build-summary", description=description)
    return waiting or (seal_release(build) if job.is_whole else None)


def as_state(outcome: str | Waiting | None) -> str | State[Any] | None:
    """Return a flow's result; for a build that waits for votes a completed state, whose name says so."""
    return Completed(name=str(outcome), message=outcome.advice) if isinstance(outcome, Waiting) else outcome


def run_collection(build: Build) -> str | State[Any] | None:
    """Continue a build that waits for votes once they are there, inside a flow run.

    It is cheap while votes are missing: no work is repeated, and stages before the listening test are not run here.

    Raises:
        RecipeError: the recipe has no listening test.
        UnisrmError: something is wrong with the machine, the data or the workspace.
    """
    section = require(build.recipe)
    stages = stages_of(build)
    number = next(place for place, stage in enumerate(stages) if stage.name == section.stage)
    if open_before := [stage.name for stage in stages[:number] if finished(stage, build) is None]:
        return Completed(name=f"not there yet: {open_before[0]}", message="build the recipe first; nothing was done")
    if (waiting := waiting_for(build)) is not None:
        trust(build)  # listeners who break a rule are replaced now, not after the last vote
        return as_state(waiting_for(build) or waiting)
    if all(finished(stage, build) for stage in stages[number:]):
        return release_of(build)
    return as_state(run_build(build))


def run_reannotation(
    build: Build,
    *,
    judge: str | None = None,
    task: str | None = None,
    options: Mapping[str, Any] | None = None,
    mode: str | None = None,
    pairs: int | None = None,
) -> dict[str, Any]:
    """Judge existing pairs again as one Prefect task, inside a flow run, and return its books.

    Raises:
        UnisrmError: something is wrong with the recipe, the machine, the data or the workspace.
    """
    watched = reannotation.judged_build(build).watched_by(Both(build.progress, ProgressArtifacts()))
    role = reannotation.requested_judge(watched, judge, task, options, mode)
    reannotation.require(watched, role)

    @prefect_task(name=reannotation.STAGE, cache_policy=NO_CACHE, persist_result=False)
    def run() -> Books:
        return reannotation.reannotate(watched, role, pairs)

    with _interrupted_for_a_reason(), build.workspace.lock():
        books = run()
        drift = drift_rows(build)
        if drift:
            _reported(create_table_artifact, table=drift, key="judge-drift", description=f"Recipe {build.recipe.name}")
        get_run_logger().info("%s", in_words([books])[0])
        return books.as_dict()


def _row(page: Books) -> dict[str, object]:
    return {
        "stage": page.stage,
        "unit": page.unit,
        "in": page.rows_in,
        "out": page.rows_out,
        "failed": sum(page.failed.values()),
        "dropped": sum(page.dropped.values()),
    }
