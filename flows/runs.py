"""Running a build's stages as Prefect tasks, one task per stage."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from prefect import get_run_logger
from prefect import task as prefect_task
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE

from flows import reannotation
from flows.books import Books, in_words
from flows.pipeline import Build, Stage, execute, finished, up_to
from flows.progress import Both
from flows.publish import release_of
from flows.stages import STAGES, preflight
from flows.status import drift_rows


class ProgressArtifacts:
    """One Prefect progress artifact per stage, updated at most once per percent."""

    def __init__(self) -> None:
        self._artifact: Any = None
        self._total = self._done = self._shown = 0

    def start(self, stage: str, total: int) -> None:
        """Create the artifact if there is something to do."""
        self._total, self._done, self._shown = total, 0, 0
        self._artifact = (
            create_progress_artifact(progress=0.0, key=f"stage-{stage}", description=f"{total} rows to do") if total else None
        )

    def advance(self, done: int, failed: int = 0) -> None:  # noqa: ARG002 - failures are in the summary
        """Move it."""
        self._done += done
        percent = 100 * self._done // max(self._total, 1)
        if self._artifact is not None and percent > self._shown:
            self._shown = percent
            update_progress_artifact(self._artifact, progress=float(percent))

    def end(self) -> None:
        """Fill it up."""
        if self._artifact is not None:
            update_progress_artifact(self._artifact, progress=100.0)


def _as_task(stage: Stage, build: Build) -> Callable[[], Books]:
    """Return a Prefect task for one stage. It takes no arguments: Prefect would look for futures inside a whole build."""

    @prefect_task(name=stage.name, cache_policy=NO_CACHE, persist_result=False)
    def run_stage() -> Books:
        up_to_date = finished(stage, build)
        books = up_to_date or execute(stage, build)
        get_run_logger().info("%s%s", in_words([books])[0], " (nothing to do)" if up_to_date else "")
        return books

    return run_stage


def run_build(build: Build, until: str | None = None) -> str | None:
    """Run all stages as Prefect tasks, inside a flow run.

    Returns:
        The release's folder; None if the build stopped before it.

    Raises:
        UnisrmError: something is wrong with the recipe, the machine, the data or the workspace.
    """
    stages = up_to(STAGES, until)
    watched = build.watched_by(Both(build.progress, ProgressArtifacts()))
    with build.workspace.lock(), ExitStack() as stack:
        preflight(build, stages, stack)
        books = [_as_task(stage, watched)() for stage in stages]
        create_table_artifact(
            table=[_row(page) for page in books], key="build-summary", description=f"Recipe {build.recipe.name}"
        )
        return release_of(build) if stages == STAGES else None


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
    watched = build.watched_by(Both(build.progress, ProgressArtifacts()))
    wish = reannotation.wish_of(build, judge, task, options, mode)
    reannotation.require(build, wish)

    @prefect_task(name=reannotation.STAGE, cache_policy=NO_CACHE, persist_result=False)
    def run() -> Books:
        return reannotation.reannotate(watched, wish, pairs)

    with build.workspace.lock():
        books = run()
        drift = drift_rows(build)
        if drift:
            create_table_artifact(table=drift, key="judge-drift", description=f"Recipe {build.recipe.name}")
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
