"""The stage ``reviews``: what language models write about samples and judgments."""

from collections.abc import Callable
from functools import partial
from typing import Final

import pyarrow as pa

from contracts.joins import attach, sorted_by
from flows.recipe.sections import Role
from flows.run.books import Books
from flows.run.pipeline import Asking, Build, R_contra, Stage
from flows.run.question import RoleQuestion, literals, task_of
from flows.run.questions import ask_missing, roles_about
from flows.run.wanted import made, table_of, wanted_rows
from flows.run.work import count_done


def all_samples(build: Build) -> pa.Table:
    """Return every sample of the recipe."""
    return wanted_rows(build, "samples")


def review_questions(
    build: Build[R_contra], samples_of: Callable[[Build[R_contra]], pa.Table] = all_samples
) -> list[RoleQuestion]:
    """Return the questions about samples and judgments."""
    roles = roles_about(build, "samples", "judgments")
    builders = {
        "samples": lambda: review_requests(build, samples_of(build)),
        "judgments": lambda: _judgment_requests(build),
    }
    tables = {subject: builders[subject]() for subject in {task_of(role).subject for role in roles}}
    return [RoleQuestion(role=role, requests=tables[task_of(role).subject]) for role in roles]


def review_requests(build: Build, samples: pa.Table) -> pa.Table:
    """Return ``subject_id, audio, text, language`` of these samples."""
    table = attach(samples, "prompt_id", build.tables.read("prompts"), "prompt_id", {"text": "text", "language": "language"})
    return table.select(["sample_id", "audio_id", "text", "language"]).rename_columns(
        {"sample_id": "subject_id", "audio_id": "audio"}
    )


def _judgment_requests(build: Build) -> pa.Table:
    """Return ``subject_id, completion, text, language`` of every judgment that decides a label."""
    judgments, prompts = wanted_rows(build, "judgments", 0), build.tables.read("prompts")
    table = attach(judgments, "pair_id", build.tables.read("pairs"), "pair_id", {"prompt_id": "prompt_id"})
    table = attach(table, "prompt_id", prompts, "prompt_id", {"text": "text", "language": "language"})
    table = sorted_by(table.select(["judgment_id", "completion", "text", "language"]), "judgment_id")
    return table.rename_columns({"judgment_id": "subject_id"})


def reviews_stage(
    samples_of: Callable[[Build[R_contra]], pa.Table] = all_samples,
    *,
    reads: tuple[str, ...] = (),
    settings: Callable[[Build[R_contra]], object] | None = None,
    after: str = "judgments",
) -> Stage[R_contra]:
    """Return the stage.

    Args:
        samples_of: the samples that are written about.
        reads: tables that these take, beside those of the samples.
        settings: the part of the recipe that decides which these are, as literals; None = nothing.
        after: the stage after which all that is written about is known.
    """
    questions = partial(review_questions, samples_of=samples_of)

    def run(build: Build[R_contra]) -> Books:
        ask_missing(build, "reviews", table_of("reviews"), questions(build))
        return count_done(build, "reviews")

    def roles(build: Build[R_contra]) -> list[Role]:
        return roles_about(build, "samples", "judgments")

    return Stage(
        name="reviews",
        reads=("prompts", *made("samples"), "pairs", *reads),
        reads_if=lambda build: made("judgments") if build.recipe.splits.taught is None else (),  # else they come later
        writes=("wanted@reviews", table_of("reviews"), "failures@reviews"),
        settings=lambda build: [
            *(literals(role) for role in roles(build)),
            *([settings(build)] if settings is not None else []),
        ],
        run=run,
        asks=Asking(after=(after,), table=table_of("reviews"), roles=roles, questions=questions),
    )


STAGE: Final[Stage] = reviews_stage()
