"""The stage ``reviews``: what language models write about samples and judgments."""

from typing import Final

import pyarrow as pa

from contracts.joins import attach, sorted_by
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books
from flows.run.pipeline import Asking, Build, Stage
from flows.run.question import RoleQuestion, literals, task_of
from flows.run.questions import ask_missing, roles_about
from flows.run.wanted import made, table_of, wanted_rows
from flows.run.work import count_done


def review_questions(build: Build[PreferenceRecipe]) -> list[RoleQuestion]:
    """Return the questions about samples and judgments."""
    roles = roles_about(build, "samples", "judgments")
    builders = {"samples": _sample_requests, "judgments": _judgment_requests}
    tables = {subject: builders[subject](build) for subject in {task_of(role).subject for role in roles}}
    return [RoleQuestion(role=role, requests=tables[task_of(role).subject]) for role in roles]


def _sample_requests(build: Build[PreferenceRecipe]) -> pa.Table:
    """Return ``subject_id, audio, text, language`` of every sample."""
    samples, prompts = wanted_rows(build, "samples"), build.tables.read("prompts")
    table = attach(samples, "prompt_id", prompts, "prompt_id", {"text": "text", "language": "language"})
    return table.select(["sample_id", "audio_id", "text", "language"]).rename_columns(
        {"sample_id": "subject_id", "audio_id": "audio"}
    )


def _judgment_requests(build: Build[PreferenceRecipe]) -> pa.Table:
    """Return ``subject_id, completion, text, language`` of every judgment that decides a label."""
    judgments, prompts = wanted_rows(build, "judgments", 0), build.tables.read("prompts")
    table = attach(judgments, "pair_id", build.tables.read("pairs"), "pair_id", {"prompt_id": "prompt_id"})
    table = attach(table, "prompt_id", prompts, "prompt_id", {"text": "text", "language": "language"})
    table = sorted_by(table.select(["judgment_id", "completion", "text", "language"]), "judgment_id")
    return table.rename_columns({"judgment_id": "subject_id"})


def _reviews(build: Build[PreferenceRecipe]) -> Books:
    questions = review_questions(build)
    ask_missing(build, "reviews", table_of("reviews"), questions)
    return count_done(build, "reviews")


STAGE: Final[Stage[PreferenceRecipe]] = Stage(
    name="reviews",
    reads=("prompts", *made("samples"), "pairs", *made("judgments")),
    writes=("wanted@reviews", table_of("reviews"), "failures@reviews"),
    settings=lambda build: [literals(role) for role in roles_about(build, "samples", "judgments")],
    run=_reviews,
    asks=Asking(
        after="judgments",
        table=table_of("reviews"),
        roles=lambda build: roles_about(build, "samples", "judgments"),
        questions=review_questions,
    ),
)
