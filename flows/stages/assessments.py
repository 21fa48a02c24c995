"""The stage ``assessments``: the scores of each clip, who gave them, and the reasons in words."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from annotate.models.task import ParseError, TaskSpec
from contracts.ids import canonical_json
from contracts.joins import attach, sorted_by
from contracts.ratings import scale_scores
from contracts.schema_columns import RATING_LIST
from contracts.schemas import ASSESSMENTS, DROPS
from flows.listening.evidence import ratings_by_sample
from flows.listening.store import RATED
from flows.recipe.listening_checks import terms_of
from flows.recipe.rated_clips_recipe import RatedClipsRecipe
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.question import literals
from flows.run.wanted import made, wanted_rows
from flows.stages.measured_features import feature_tables

_Build = Build[RatedClipsRecipe]

RULE: Final = 1
"""Version of the rule by which a clip gets its scores; the stage is done again where it changes."""


def _of_ratings(build: _Build, samples: pa.Table) -> pa.Table:
    """Return the samples with the ratings that the corpus brings along."""
    utterances = build.tables.read("utterances", ["utterance_id", "ratings", "descriptions"])
    names = {"ratings": "ratings", "descriptions": "descriptions"}
    return attach(samples, "utterance_id", utterances, "utterance_id", names)


def _of_listeners(build: _Build, samples: pa.Table) -> pa.Table:
    """Return the samples with the ratings of listeners that count."""
    names = {name: name for name in ("ratings", "listeners", "rating_ids")}
    table = attach(samples, "sample_id", ratings_by_sample(build.tables.read(RATED)), "sample_id", names)
    needed = terms_of(build.recipe).protocol.votes_needed(())
    is_enough = pc.fill_null(pc.greater_equal(table["listeners"], needed), False)
    return table.append_column("reason", pc.if_else(is_enough, pa.scalar(None, pa.string()), "needs_ratings"))


def _of_judge(build: _Build, samples: pa.Table) -> pa.Table:
    """Return the samples with the judge's scores, each as a rating by nobody in particular, and its reply."""
    written = wanted_rows(build, "reviews", 0, ["subject_id", "scores", "content", "completion"])
    ratings = [[{"scale": name, "score": score} for name, score in scores] for scores in written["scores"].to_pylist()]
    written = written.append_column("ratings", pa.array(ratings, RATING_LIST))
    names = {name: name for name in ("writing_id", "ratings", "content", "completion")}
    table = attach(samples, "sample_id", written, "subject_id", names)
    return table.append_column(
        "reason", pc.if_else(pc.is_valid(table["writing_id"]), pa.scalar(None, pa.string()), "not_judged")
    )


_SOURCES: Final[Mapping[str, tuple[str, Callable[[_Build, pa.Table], pa.Table]]]] = {
    "ratings": ("ratings", _of_ratings),
    "votes": ("votes", _of_listeners),
    "judge": ("judgment", _of_judge),
}
"""Where labels come from -> the word of rows, and the function that finds ratings and reasons."""


def scored(build: _Build) -> pa.Table:
    """Return every clip with ``scores`` and the reasons that its source gives."""
    recipe = build.recipe
    source, found = _SOURCES[recipe.labels_from]
    table = found(build, wanted_rows(build, "samples", columns=["utterance_id"]))
    # The judge's scores stand under the names of the rows, ratings under those of their scales.
    scales = {name: (name,) for name in recipe.scores} if source == "judgment" else recipe.scores
    table = table.append_column("scores", scale_scores(table["ratings"], scales, rounded=recipe.is_rounded))
    return table.drop_columns(["ratings", "utterance_id"]).append_column("source", pa.repeat(source, table.num_rows))


def _with_rationales(build: _Build, table: pa.Table) -> pa.Table:
    """Return the clips with ``features``, ``rationale`` (canonical JSON) and its ``writing_id``; null = there is none."""
    table = attach(table, "sample_id", feature_tables(build), "sample_id", {"features": "features"})
    written = wanted_rows(build, "rationales", 0, ["subject_id", "content"])
    return attach(table, "sample_id", written, "subject_id", {"writing_id": "writing_id", "rationale": "content"})


def _assessments(build: _Build) -> Books:
    recipe, table = build.recipe, scored(build)
    if recipe.rationale is not None:
        table = _with_rationales(build, table)
    rows, drops = list[dict[str, Any]](), list[dict[str, str]]()
    for row in table.to_pylist():
        if (problem := problem_of(recipe, row)) is None and recipe.rationale is not None and row["writing_id"] is None:
            problem = "no_rationale", "nothing explains its scores: why, is among the failures of the stage rationales"
        if problem is None:
            try:
                rows.append(_assessed(recipe, row))
            except ParseError as error:
                problem = error.reason, error.message
        if problem is not None:
            drops.append(_drop(row["sample_id"], *problem))
    build.tables.replace("drops@assessments", sorted_by(pa.Table.from_pylist(drops, schema=DROPS), "row_id"))
    build.tables.replace("assessments", sorted_by(pa.Table.from_pylist(rows, schema=ASSESSMENTS), "sample_id"))
    dropped = count(pa.array([drop["reason"] for drop in drops], pa.string()))
    return Books(stage="assessments", unit="clips", rows_in=table.num_rows, rows_out=len(rows), dropped=dropped)


def problem_of(recipe: RatedClipsRecipe, row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the reason why a clip has no scores that its row can state, and a message; None = it has."""
    if row.get("reason") == "not_judged":
        return "not_judged", "the judge gave no reply that can be read: see the failures of the stage reviews"
    if row.get("reason") is not None:
        return row["reason"], f"{row.get('listeners') or 0} listeners rated the clip"
    if row["scores"] is None:
        return "no_rating", f"not every one of {', '.join(recipe.scores)} has a rating"
    if recipe.form is not None:
        lowest, highest = recipe.form.scale
        for score in row["scores"]:
            if not lowest <= score["score"] <= highest:
                return "score_range", f"{score['scale']}={score['score']:g} is not from {lowest:g} to {highest:g}"
    return None


def _assessed(recipe: RatedClipsRecipe, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an assessment.

    Raises:
        ParseError: scores and reasons have no such form as the task's.
    """
    content, completion = row.get("content"), row.get("completion")
    if recipe.form is not None and recipe.form.compose is not None and (reasons := _reasons(recipe.form, row)) is not None:
        completion = recipe.form.compose({score["scale"]: score["score"] for score in row["scores"]}, reasons)
        content = canonical_json(reasons)
    return {
        "sample_id": row["sample_id"],
        "scores": row["scores"],
        "source": row["source"],
        "content": content,
        "completion": completion,
        "writing_id": row.get("writing_id"),
        "rating_ids": row.get("rating_ids") or [],
    }


def _reasons(form: TaskSpec, row: Mapping[str, Any]) -> dict[str, str | None] | None:
    """Return the reasons by the names of the form: a writer's beside the features, or the corpus's; None = there are none."""
    if row.get("rationale") is not None:
        return {"features": row["features"], **json.loads(row["rationale"])}
    if row.get("descriptions") is not None:
        descriptions = dict(row["descriptions"])
        return {name: descriptions.get(name) for name in form.gives}
    return None


def _drop(sample: str, reason: str, message: str) -> dict[str, str]:
    evidence = canonical_json({"sample_id": sample, "message": message})
    return {"stage": "assessments", "row_id": sample, "filter": "assessments", "reason": reason, "evidence": evidence}


def scored_from(build: _Build) -> tuple[str, ...]:
    """Return the tables, beside utterances and samples, that scores come from."""
    return {"votes": (RATED,), "judge": made("reviews")}.get(build.recipe.labels_from, ())


def scoring(build: _Build) -> list[object]:
    """Return what decides the scores, as literals."""
    return [
        RULE,
        build.recipe.labels_from,
        list(build.recipe.scores.items()),
        build.recipe.is_rounded,
        None if build.recipe.form is None else [build.recipe.task, build.recipe.form.scale],
        None if build.recipe.judge is None else literals(build.recipe.judge),
        None if build.recipe.labels_from != "votes" else terms_of(build.recipe).protocol.votes_needed(()),
    ]


STAGE: Final[Stage[RatedClipsRecipe]] = Stage(
    name="assessments",
    reads=("utterances", *made("samples")),
    reads_if=lambda build: (
        *scored_from(build),
        *(made("metrics", "rationales") if build.recipe.rationale is not None else ()),
    ),
    writes=("assessments", "drops@assessments"),
    settings=lambda build: [
        scoring(build),
        None if (role := build.recipe.rationale) is None else [literals(role), [one.name for one in build.recipe.metrics]],
    ],
    run=_assessments,
)
