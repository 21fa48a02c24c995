"""Speech services: rendering what is missing of a system through the ledger, and whether that can be done at all."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

import pyarrow as pa

from flows.run.pipeline import Build, Stage
from flows.run.questions import note_replies, open_ledger
from flows.run.work import commit_outcome, left_of
from synth.engine import is_service
from synth.render import RenderJob
from synth.service_rendering import spoken_rows


def speak_missing(build: Build, stage: str, work: Sequence[tuple[RenderJob, pa.Table]]) -> None:
    """Make the rows that are neither in the stage's table nor in its failures, service by service, in this process.

    Args:
        build: the build.
        stage: name of the stage and of its table.
        work: jobs whose engines are services, with all requests of the recipe, done or not.
    """
    todo = [(job, rows) for job, rows in left_of(build, stage, work) if rows.num_rows]
    if not todo:
        return
    build.progress.start(stage, sum(rows.num_rows for _, rows in todo))
    try:
        for job, rows in todo:
            for outcome in spoken_rows(
                rows,
                job=job,
                open_ledger=lambda: open_ledger(build, paying=True),
                budget_usd=build.recipe.budget_usd,
            ):
                commit_outcome(build, stage, outcome)
    finally:
        note_replies(build)
    build.tables.compact(stage)
    build.tables.compact(f"failures@{stage}")
    build.progress.end()


def services_of(build: Build, stages: Sequence[Stage[Any]], left: Set[str]) -> Mapping[str, Any]:
    """Return the services that the stages left need: name for messages -> configured engine."""
    needs = {who: plugin for stage in stages if stage.name in left for who, plugin in stage.needs(build).items()}
    return {who: plugin for who, plugin in needs.items() if is_service(plugin)}
