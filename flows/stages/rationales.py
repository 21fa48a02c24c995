"""The stage ``rationales``: a text model explains the scores of each clip by what was measured of it."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import attach
from flows.recipe.rated_clips_recipe import RatedClipsRecipe
from flows.run.books import Books
from flows.run.pipeline import Asking, Build, Stage
from flows.run.question import RoleQuestion, literals
from flows.run.questions import ask_missing, roles_about
from flows.run.wanted import made, table_of
from flows.run.work import count_done
from flows.stages.assessments import problem_of, scored, scored_from, scoring
from flows.stages.measured_features import feature_tables

_Build = Build[RatedClipsRecipe]

_ROWS_AT_ONCE: Final = 4096


def _questions(build: _Build) -> list[RoleQuestion]:
    """Return the question about every clip that has scores."""
    found = scored(build)
    ratings = [
        None if problem_of(build.recipe, row) is not None else _ratings(row["scores"])
        for batch in found.to_batches(max_chunksize=_ROWS_AT_ONCE)
        for row in batch.to_pylist()
    ]
    requests = pa.table({"subject_id": found["sample_id"], "ratings": pa.array(ratings, pa.string())})
    requests = requests.filter(pc.is_valid(requests["ratings"]))
    requests = attach(requests, "subject_id", feature_tables(build), "sample_id", {"features": "features"})
    return [RoleQuestion(role=role, requests=requests) for role in roles_about(build, "assessments")]


def _ratings(scores: list[dict[str, Any]]) -> str:
    """Return the scores of a clip as a model reads them, one a line."""
    means = [f", the mean of {one['raters']} ratings" if one["raters"] else "" for one in scores]
    return "\n".join(f"{one['scale']}: {one['score']:.2f}{mean}" for one, mean in zip(scores, means, strict=True))


def _rationales(build: _Build) -> Books:
    ask_missing(build, "rationales", table_of("rationales"), _questions(build))
    return count_done(build, "rationales")


STAGE: Final[Stage[RatedClipsRecipe]] = Stage(
    name="rationales",
    reads=("utterances", *made("samples", "metrics")),
    reads_if=scored_from,
    writes=("wanted@rationales", table_of("rationales"), "failures@rationales"),
    settings=lambda build: [
        [literals(role) for role in roles_about(build, "assessments")],
        scoring(build),
        [metric.name for metric in build.recipe.metrics],
    ],
    run=_rationales,
    asks=Asking(
        after=("metrics", "votes"),
        table=table_of("rationales"),
        roles=lambda build: roles_about(build, "assessments"),
        questions=_questions,
    ),
    active=lambda build: build.recipe.rationale is not None,
)
