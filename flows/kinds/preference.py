"""Preferences: pairs of clips of one text, made by systems, by people, or brought along (UniSRM Tasks 1, 3, 4; SpeechJudge)."""

from collections.abc import Mapping
from typing import Any, Final

from flows.kinds.preference_plan import plan_of
from flows.kinds.preference_release import FORM
from flows.listening.store import takes_votes
from flows.recipe.preference_checks import check
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.kind import Kind
from flows.run.pipeline import Build, Stage
from flows.stages import (
    audit,
    claims,
    division,
    filters,
    gold_clips,
    judgments,
    label_check,
    metrics,
    pairs,
    prompts,
    recordings,
    reviews,
    rulings,
    samples,
    splits,
    texts,
    utterances,
    verification,
    votes,
    writings,
)
from flows.stages.release import release_stage
from flows.views.contrasts_report import contrasts_content
from flows.views.votes_analysis import report_content

_MAKING: Final[tuple[Stage[PreferenceRecipe], ...]] = (
    utterances.STAGE,
    prompts.STAGE,
    texts.STAGE,
    writings.STAGE,
    recordings.STAGE,
    samples.STAGE,
    metrics.STAGE,
    pairs.STAGE,
    judgments.STAGE,
    rulings.STAGE,
    reviews.STAGE,
    gold_clips.STAGE,
    votes.STAGE,
    filters.STAGE,
    claims.STAGE,
    splits.STAGE,
    division.JUDGMENTS,
    division.RULINGS,
    verification.STAGE,
    label_check.STAGE,
    audit.STAGE,
)

STAGES: Final[tuple[Stage[PreferenceRecipe], ...]] = (*_MAKING, release_stage(_MAKING, FORM))


def _report(build: Build[PreferenceRecipe]) -> list[tuple[str, Mapping[str, Any]]]:
    sections = list[tuple[str, Mapping[str, Any]]]()
    if build.recipe.negatives:
        sections.append(("report_contrasts.html.jinja", contrasts_content(build)))
    if takes_votes(build) and build.recipe.labels_from == "votes":
        sections.append(("report_votes.html.jinja", report_content(build)))
    return sections


PLUGIN = Kind(
    recipe=PreferenceRecipe,
    check=check,
    stages=STAGES,
    plan=plan_of,
    report=_report,
)
