"""Rated clips: one clip with scores on named scales, and the reasons in words (UniSRM Task 2, after QualiSpeech).

Nothing is synthesised: a corpus brings the clips. The scores are its ratings, those of listeners, or a judge's.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.ratings import scale_scores
from filters import single_clips
from flows.kinds.clip_plan import plan_clips
from flows.listening.evidence import ratings_by_sample
from flows.listening.store import RATED
from flows.recipe.rated_clips_recipe import RatedClipsRecipe, check
from flows.run.item_tables import CLIPS
from flows.run.kind import Kind
from flows.run.pipeline import Build, Stage
from flows.run.question import judge_of, task_of
from flows.run.questions import roles_about
from flows.run.wanted import made, table_of, wanted_rows
from flows.stages import assessments, claims, metrics, rationales, splits, utterances, votes
from flows.stages.audit import audit_stage, of_clips
from flows.stages.corpus_clips import clip_stages
from flows.stages.filters import Labelling, filters_stage
from flows.stages.measured_features import feature_names
from flows.stages.metrics import current_facts
from flows.stages.release import release_stage
from flows.stages.release_form import Configuration, Form
from flows.stages.reviews import review_requests, reviews_stage
from storage.card_facts import Writer
from storage.clip_columns import RATED_CLIPS
from storage.clip_rows import OF_WRITING, ClipRows, RatedClipRows

_Build = Build[RatedClipsRecipe]


def _why_not(recipe: RatedClipsRecipe, found: pa.Table) -> pa.Array:
    """Return why utterances can be no item: where labels come from ratings, ``no_rating`` for one of the scores."""
    reason = pa.nulls(found.num_rows, pa.string())
    if recipe.labels_from == "ratings":
        rated = pc.is_valid(scale_scores(found["ratings"], recipe.scores, rounded=False))
        reason = pc.if_else(rated, reason, "no_rating")
    return reason


def _labelled(build: _Build) -> pa.Table:
    """Return what filters see of the clips that have scores; the label is the scores in one line."""
    found = build.tables.read("assessments", ["sample_id", "scores", "source", "rating_ids"])
    lines = ["; ".join(f"{one['scale']}={one['score']:g}" for one in scores) for scores in found["scores"].to_pylist()]
    labels = pa.table(
        {
            "item_id": found["sample_id"],
            "label": pa.array(lines, pa.string()),
            "source": found["source"],
            "judgment_ids": pa.array([[]] * found.num_rows, pa.list_(pa.string())),
            "vote_ids": found["rating_ids"],
        }
    )
    samples, prompts = wanted_rows(build, "samples"), build.tables.read("prompts")
    return single_clips.join(labels=labels, samples=samples, facts=current_facts(build), prompts=prompts)


def _scores(build: Build) -> Mapping[str, pa.Table]:
    """Return the clips' scores by scale."""
    found = build.tables.read("assessments", ["sample_id", "scores"])
    clips = found["sample_id"].combine_chunks().take(pc.list_parent_indices(found["scores"].combine_chunks()))
    scores = pc.list_flatten(found["scores"].combine_chunks())
    table = pa.table({"item_id": clips, "value": scores.field("score"), "scale": scores.field("scale")})
    return {
        scale: table.filter(pc.equal(table["scale"], scale)).select(["item_id", "value"])
        for scale in pc.unique(table["scale"]).to_pylist()
    }


def _rows(build: _Build) -> RatedClipRows:
    samples = wanted_rows(build, "samples")
    written = table_of("reviews" if build.recipe.rationale is None else "rationales")
    joined = ClipRows(
        samples=samples,
        utterances=build.tables.read("utterances"),
        labels=build.tables.read("labels"),
        metrics=wanted_rows(build, "metrics"),
        filters=[rule.name for rule in build.recipe.filters],
    )
    return RatedClipRows(
        joined,
        samples=samples,
        assessments=build.tables.read("assessments"),
        writings=build.tables.read(written, ["writing_id", *OF_WRITING]),
        prompts=_prompts(build),
    )


def _prompts(build: _Build) -> dict[str, str]:
    """Return sample -> what a judge is asked about it; a sample without what the question shows is left out."""
    form = build.recipe.form
    if form is None:
        return {}
    asked = dict[tuple[str | None, ...], str]()
    found = dict[str, str]()
    names = {"feature_names": feature_names(build)}
    for requested in review_requests(build, wanted_rows(build, "samples")).to_pylist():
        row = requested | names
        shown = (row["language"], *(row[name] for name in form.shown))
        if None not in shown:
            if shown not in asked:
                asked[shown] = form.render(row["language"], **{name: row[name] for name in form.shown})
            found[row["subject_id"]] = asked[shown]
    return found


def _statement(build: _Build) -> str:
    recipe, scores = build.recipe, f"The scores ({', '.join(build.recipe.scores)})"
    if recipe.judge is not None:
        return f"{scores} and their reasons come from the model {judge_of(recipe.judge).model}. They are not human judgments."
    if recipe.labels_from == "votes":
        mean = "rounded to the nearest whole number, halves up" if recipe.is_rounded else "as it is"
        rated = ratings_by_sample(build.tables.read(RATED))
        given = pc.sum(rated["listeners"]).as_py() or 0
        scored = f"{scores} come from {given} ratings of listeners on {rated.num_rows} clips: of each clip the mean, {mean}."
    else:
        words = "" if recipe.rationale is not None else ", and the reasons from their words"
        scored = f"{scores} come from people's ratings{words}, which the corpora brought along."
    if recipe.rationale is None:
        return scored
    return (
        f"{scored} The reasons come from the model {judge_of(recipe.rationale).model}, which has not heard the clips: it was "
        "shown the scores and measured features, and cites no number that was not measured. They are not human judgments."
    )


def _writers(build: _Build) -> list[Writer]:
    return [
        Writer(task=role.task, model=judge_of(role).model, prompt_versions=sorted(set(task_of(role).versions.values())))
        for role in build.recipe.writers
    ]


_ASKING: Final[Stage[RatedClipsRecipe]] = replace(
    reviews_stage(after="samples"), active=lambda build: bool(roles_about(build, "samples"))
)

_MAKING: Final[tuple[Stage[RatedClipsRecipe], ...]] = (
    utterances.STAGE,
    *clip_stages(_why_not, lambda build: [build.recipe.labels_from, sorted(build.recipe.scores.items())]),
    metrics.STAGE,
    _ASKING,
    votes.STAGE,
    rationales.STAGE,
    assessments.STAGE,
    filters_stage(
        Labelling(
            reads=("prompts", *made("samples", "metrics"), "assessments"),
            seen=_labelled,
            filters=lambda build: build.recipe.filters,
            labels=lambda _build, kept: kept.select(["item_id", "label", "source", "judgment_ids", "vote_ids"]),
            settings=lambda _build: [],
        )
    ),
    claims.STAGE,
    splits.STAGE,
    audit_stage(partial(of_clips, _scores), ("assessments",)),
)

_ANNOTATED: Final = {"ratings": "found", "votes": "crowdsourced", "judge": "machine-generated"}
"""Where labels come from -> the Hub's word for it."""

FORM: Final[Form[RatedClipsRecipe]] = Form(
    reads=(
        "utterances",
        "prompts",
        *made("recordings", "samples", "metrics", "reviews", "rationales"),
        "assessments",
        "labels",
        RATED,
    ),
    configurations=(
        Configuration(name=lambda build: build.recipe.task or "rated_clips", schema=lambda _build: RATED_CLIPS, rows=_rows),
    ),
    statement=_statement,
    annotated=lambda build: _ANNOTATED[build.recipe.labels_from],
    identity=lambda build: [None if build.recipe.form is None else build.recipe.form.versions],
    writers=_writers,
)

PLUGIN: Final = Kind(
    recipe=RatedClipsRecipe,
    check=check,
    stages=(*_MAKING, release_stage(_MAKING, FORM)),
    plan=lambda build: plan_clips(build, _why_not),
    item=CLIPS,
)
