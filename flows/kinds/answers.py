"""Answers: questions about recordings, or speech to be translated, with reference answers (LibriSQA, CoVoST 2).

Nothing is synthesised and nobody is asked: a corpus brings recordings, questions and references. A row is one for RL (prompt
and references, rewarded by BLEU) and for SFT (prompt and completion, the first reference).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.text_forms import keyed
from filters import single_clips
from flows.kinds.clip_plan import plan_clips
from flows.recipe.answers_recipe import AnswersRecipe
from flows.recipe.rated_clips_recipe import check_filters
from flows.run.item_tables import CLIPS
from flows.run.kind import Kind
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, wanted_rows
from flows.stages import claims, metrics, splits, utterances
from flows.stages.audit import audit_stage, of_clips
from flows.stages.corpus_clips import clip_stages
from flows.stages.filters import Labelling, filters_stage
from flows.stages.metrics import current_facts
from flows.stages.release import release_stage
from flows.stages.release_form import Configuration, Form
from scoring.rewards.bleu import SentenceBleu
from storage.clip_columns import ANSWERS
from storage.clip_rows import AnswerRows, ClipRows

_Build = Build[AnswersRecipe]


def _why_not(recipe: AnswersRecipe, found: pa.Table) -> pa.Array:
    """Return why utterances can be no question: ``no_reference``, ``no_question``; null = they can."""
    answered = pc.fill_null(pc.greater(pc.list_value_length(found["references"]), 0), False).combine_chunks()
    asked = pc.or_(pc.is_valid(found["question"]), recipe.instruction is not None).combine_chunks()
    reason = pc.if_else(asked, pa.nulls(found.num_rows, pa.string()), "no_question")
    return pc.if_else(answered, reason, "no_reference")


def _labelled(build: _Build) -> pa.Table:
    """Return what filters see of the questions; the label is the first reference."""
    samples = wanted_rows(build, "samples")
    references = _references(build, samples)
    empty = pa.array([[]] * samples.num_rows, pa.list_(pa.string()))
    labels = pa.table(
        {
            "item_id": samples["sample_id"],
            "label": pc.list_element(references, 0),
            "source": pa.repeat("references", samples.num_rows),
            "judgment_ids": empty,
            "vote_ids": empty,
        }
    )
    return single_clips.join(labels=labels, samples=samples, facts=current_facts(build), prompts=build.tables.read("prompts"))


def _references(build: _Build, samples: pa.Table) -> pa.Array:
    utterances = build.tables.read("utterances", ["utterance_id", "references"])
    place = pc.index_in(samples["utterance_id"], value_set=utterances["utterance_id"].combine_chunks())
    return utterances["references"].combine_chunks().take(place.combine_chunks())


def _reference_lengths(build: Build) -> Mapping[str, pa.Table]:
    """Return how long the first reference of each question is, in characters: what a model could learn from clips' lengths."""
    labels = build.tables.read("labels", ["item_id", "label"])
    return {"reference_length": pa.table({"item_id": labels["item_id"], "value": pc.utf8_length(labels["label"])})}


def _rows(build: _Build) -> AnswerRows:
    samples, recipe = wanted_rows(build, "samples"), build.recipe
    joined = ClipRows(
        samples=samples,
        utterances=build.tables.read("utterances"),
        labels=build.tables.read("labels"),
        metrics=wanted_rows(build, "metrics"),
        filters=[rule.name for rule in recipe.filters],
    )
    return AnswerRows(
        joined,
        instruction=recipe.instruction and keyed(recipe.instruction),
        reference_language=recipe.reference_language,
        without_completion=recipe.prompt_only,
        signature=lambda language, references: SentenceBleu.of(language).signature(references),
    )


_MAKING: Final[tuple[Stage[AnswersRecipe], ...]] = (
    utterances.STAGE,
    *clip_stages(_why_not, lambda build: [build.recipe.instruction is not None]),
    metrics.STAGE,
    filters_stage(
        Labelling(
            reads=("utterances", "prompts", *made("samples", "metrics")),
            seen=_labelled,
            filters=lambda build: build.recipe.filters,
            labels=lambda _build, kept: kept.select(["item_id", "label", "source", "judgment_ids", "vote_ids"]),
            settings=lambda _build: [],
        )
    ),
    claims.STAGE,
    splits.STAGE,
    audit_stage(partial(of_clips, _reference_lengths)),
)

FORM: Final[Form[AnswersRecipe]] = Form(
    reads=("utterances", "prompts", *made("recordings", "samples", "metrics"), "labels"),
    configurations=(Configuration(name=lambda _build: "answers", schema=lambda _build: ANSWERS, rows=_rows),),
    statement=lambda _build: "The references are those of the corpora. A completion is rewarded by its BLEU against them.",
    annotated=lambda _build: "found",
    identity=lambda build: [SentenceBleu.of(build.recipe.reference_language or "").signature(1)],
)

PLUGIN: Final = Kind(
    recipe=AnswersRecipe,
    check=check_filters,
    stages=(*_MAKING, release_stage(_MAKING, FORM)),
    plan=lambda build: plan_clips(build, _why_not),
    item=replace(CLIPS, plural="questions"),
)
