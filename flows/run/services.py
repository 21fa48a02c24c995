"""Speech services: rendering by a system through the ledger, and whether that can be done at all."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import pyarrow as pa

from contracts.jobs import Outcome
from flows.run.pipeline import Build, Stage
from flows.run.questions import note_replies, open_ledger
from flows.run.work import HereJobs
from synth.engine import is_service
from synth.render import RenderJob
from synth.service_rendering import spoken_rows


def spoken_here(build: Build, work: Sequence[tuple[RenderJob, pa.Table]]) -> HereJobs[RenderJob]:
    """Return the jobs whose engines are services, as work for this process.

    Args:
        build: the build.
        work: the jobs, with all requests of the recipe, done or not.
    """

    def run(job: RenderJob, rows: pa.Table) -> Iterator[Outcome]:
        try:
            yield from spoken_rows(
                rows,
                job=job,
                open_ledger=lambda: open_ledger(build, paying=True),
                budget_usd=build.recipe.budget_usd,
            )
        finally:
            note_replies(build)

    return HereJobs(work=work, run=run)


def services_of(build: Build, stages: Sequence[Stage[Any]], left: Set[str]) -> Mapping[str, Any]:
    """Return the services that the stages left need: name for messages -> configured engine."""
    needs = {who: plugin for stage in stages if stage.name in left for who, plugin in stage.needs(build).items()}
    return {who: plugin for who, plugin in needs.items() if is_service(plugin)}
