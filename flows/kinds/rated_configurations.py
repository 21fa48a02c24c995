"""The configurations in which rated pairs can be released: pairs, pairs with prompts, critiques, and clips (MOS-RMBench)."""

from collections.abc import Callable
from typing import Final, TypeVar

from annotate.models.task import TaskSpec
from annotate.models.tasks.better_clip import IDENTIFIERS
from contracts import plugins
from flows.listening.critique_evidence import kept_critiques
from flows.recipe import critiqued_recipe
from flows.recipe.critiqued_recipe import CritiquedRecipe
from flows.run.pipeline import Build
from flows.run.question import task_of
from flows.run.wanted import made, wanted_rows
from flows.stages.release_form import Configuration
from storage.clip_rows import ClipRows
from storage.columns import RATED_PAIRS, ReleaseSchema
from storage.critique_rows import OF_JUDGMENT, PairCritiqueRows, PromptedPairRows
from storage.rated_columns import PAIR_CRITIQUES, PROMPTED_PAIRS, SCALAR_CLIPS
from storage.rows import Rows
from storage.scalar_clip_rows import ScalarClipRows

IDENTIFIER_TASK: Final = "better_clip"
CRITIQUE_READS: Final = made("judgments", "reviews")
"""Tables of which the configurations are made, beside those of the pairs."""

_Build = Build[CritiquedRecipe]
R = TypeVar("R", bound=CritiquedRecipe)


def _critique_task(build: _Build) -> TaskSpec:
    """Return the task whose prompt asks for a critique of both clips: that of the judge, or the one that it has by default."""
    task: TaskSpec = plugins.configure("task", critiqued_recipe.PairCritic.model_fields["task"].default)
    return task_of(build.recipe.judges_of_pairs[0]) if build.recipe.judges_of_pairs else task


def _identifier_task() -> TaskSpec:
    task: TaskSpec = plugins.configure("task", IDENTIFIER_TASK)
    return task


def prompt_versions(build: _Build) -> list[object]:
    """Return the versions of all prompts that stand in rows; none where the plain pairs are released."""
    if "pairs" not in build.recipe.configurations:
        return []
    return [_critique_task(build).versions, _identifier_task().versions]


def rated_configurations(
    pair_rows: Callable[[Build[R]], Rows], scale_of: Callable[[Build[R]], str]
) -> tuple[Configuration[R], ...]:
    """Return the configurations of which a recipe names some.

    Args:
        pair_rows: joins the rows of the pairs.
        scale_of: the scale of the ratings.
    """

    def prompted(build: Build[R]) -> Rows:
        return PromptedPairRows(
            pair_rows(build),
            prompt=_critique_task(build).render,
            identifier_prompt=_identifier_task().render,
            identifiers=IDENTIFIERS,
        )

    def critiques(build: Build[R]) -> Rows:
        kept = kept_critiques(build, OF_JUDGMENT)
        return PairCritiqueRows(pair_rows(build), judgments=kept, prompt=_critique_task(build).render)

    def clips(build: Build[R]) -> Rows:
        roles, samples, utterances = build.recipe.writers, wanted_rows(build, "samples"), build.tables.read("utterances")
        joined = ClipRows(
            samples=samples,
            utterances=utterances,
            labels=build.tables.read("labels"),
            metrics=wanted_rows(build, "metrics"),
            filters=(),  # they look at pairs
        )
        return ScalarClipRows(
            joined,
            pairs=build.tables.read("pairs", ["pair_id", "sample_a", "sample_b"]),
            samples=samples,
            utterances=utterances,
            scale=scale_of(build),
            critiques=wanted_rows(build, "reviews") if roles else None,
            critique_prompt=task_of(roles[0]).render if roles else None,
        )

    def configuration(
        name: critiqued_recipe.Configuration,
        schema: ReleaseSchema,
        rows: Callable[[Build[R]], Rows],
        *,
        in_pieces: bool = True,
        annotated: str | None = None,
    ) -> Configuration[R]:
        return Configuration(
            name=lambda _build: name,
            schema=lambda _build: schema,
            rows=rows,
            is_wanted=lambda build: name in build.recipe.configurations,
            in_pieces=in_pieces,
            annotated=annotated,
        )

    return (
        configuration("rated_pairs", RATED_PAIRS, pair_rows),
        configuration("pairs", PROMPTED_PAIRS, prompted),
        configuration("critiques", PAIR_CRITIQUES, critiques, annotated="machine-generated"),
        configuration("clips", SCALAR_CLIPS, clips, in_pieces=False),
    )
