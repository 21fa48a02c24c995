"""The stages in which speeches are compared: pairs, judgments, rulings, reviews."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from annotate.models.inquiry import played
from annotate.models.judge import Judge
from annotate.models.task import TaskSpec
from contracts.joins import attach, sorted_by
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.questions import (
    Question,
    answered,
    ask_missing,
    history_of,
    judge_of,
    literals,
    needs_history,
    roles_about,
    task_of,
    with_writings,
)
from flows.run.wanted import made, wanted_rows
from flows.stages.candidates import candidate_literals, current_facts, current_samples
from flows.stages.gather import current_recordings
from scoring.reliability.aggregation import rulings
from synth.pairs import pairs

REVIEWED: Final = "writings@reviews"
"""What models wrote about samples and judgments."""


def _pairs(build: Build) -> Books:
    samples = current_samples(build)
    made = pairs(samples, seed=build.recipe.seed, kinds=build.recipe.pair_kinds)
    build.tables.replace("pairs", sorted_by(made, "pair_id"))
    per_prompt = count(samples["prompt_id"])
    possible = sum(n * (n - 1) // 2 for n in per_prompt.values())
    return Books(
        stage="pairs",
        unit="possible pairs",
        rows_in=possible,
        rows_out=made.num_rows,
        dropped={"kind_not_wanted": possible - made.num_rows} if possible > made.num_rows else {},
    )


def pair_requests(build: Build) -> pa.Table:
    """Return what judges are told about each pair.

    Columns: ``subject_id`` (the pair), ``text``, ``language``, ``emotion``, ``reference_audio_id``, ``audio_a``, ``audio_b``,
    every metric value with ``_a`` and ``_b``, what the roles wrote about the prompt, and ``history_audio_ids`` for dialogues.
    """
    samples, facts, utterances = current_samples(build), current_facts(build), build.tables.read("utterances")
    prompts, recordings = build.tables.read("prompts"), current_recordings(build)
    told = {name: name for name in ("text", "language", "reference_utterance_id", "target_utterance_id")}
    table = attach(sorted_by(build.tables.read("pairs"), "pair_id"), "prompt_id", prompts, "prompt_id", told)
    table = attach(table, "target_utterance_id", utterances, "utterance_id", {"emotion": "emotion"})
    table = attach(table, "reference_utterance_id", recordings, "utterance_id", {"reference_audio_id": "audio_id"})
    for side in ("a", "b"):
        table = attach(table, f"sample_{side}", samples, "sample_id", {f"audio_{side}": "audio_id"})
        names = {f"{name}_{side}": name for name in facts.column_names if name != "sample_id"}
        table = attach(table, f"sample_{side}", facts, "sample_id", names)
    table = with_writings(build, table, "prompt_id")
    if needs_history(build):
        table = attach(table, "prompt_id", _heard_before(build, recordings), "prompt_id", {"history_audio_ids": "audio_ids"})
    return table.rename_columns({"pair_id": "subject_id"})


def _heard_before(build: Build, recordings: pa.Table) -> pa.Table:
    """Return ``prompt_id, audio_ids``: the turns before as audio; null where one of them has none."""
    past = history_of(build, build.tables.read("prompts"), build.tables.read("utterances"))
    audio = dict(zip(recordings["utterance_id"].to_pylist(), recordings["audio_id"].to_pylist(), strict=True))
    turns = [[audio.get(one) for one in ids or []] for ids in past["history_utterance_ids"].to_pylist()]
    heard = [clips if clips and all(clips) else None for clips in turns]
    return pa.table({"prompt_id": past["prompt_id"], "audio_ids": pa.array(heard, pa.list_(pa.string()))})


def task_and_judge(build: Build) -> tuple[TaskSpec, Judge]:
    """Return the task and the judge that decide the labels, configured."""
    return task_of(build.recipe.judge), judge_of(build.recipe.judge)


def judge_questions(build: Build) -> list[Question]:
    """Return what each judge is asked about all pairs, in its orders and as often as it says, the deciding one first."""
    requests = pair_requests(build)
    return [
        Question(role=wish, requests=played(requests, orders=wish.orders, votes=wish.votes))
        for wish in (build.recipe.judge, *build.recipe.judges)
    ]


def _judgments(build: Build) -> Books:
    questions = judge_questions(build)
    ask_missing(build, "judgments", "judgments", questions)
    return answered(build, "judgments", "judgments", questions, "judgments")


def judgment_books(build: Build) -> Books:
    """Count the judgments."""
    return answered(build, "judgments", "judgments", judge_questions(build), "judgments")


def current_judgments(build: Build) -> pa.Table:
    """Return the rows of ``judgments`` that decide the labels: this recipe's judge on this recipe's pairs."""
    return wanted_rows(build, "judgments", "judgments", lambda: judge_questions(build)[0].ids, 0)


def _rulings(build: Build) -> Books:
    judgments = current_judgments(build)
    ruled = rulings(judgments, on_disagreement=build.recipe.judge.on_disagreement)
    build.tables.replace("rulings", sorted_by(ruled, "pair_id"))
    judged = pc.count_distinct(judgments["pair_id"]).as_py()
    return Books(stage="rulings", unit="judged pairs", rows_in=judged, rows_out=ruled.num_rows)


def review_questions(build: Build) -> list[Question]:
    """Return the questions about samples and judgments."""
    roles = roles_about(build, "samples", "judgments")
    builders = {"samples": _sample_requests, "judgments": _judgment_requests}
    tables = {subject: builders[subject](build) for subject in {task_of(role).subject for role in roles}}
    return [Question(role=role, requests=tables[task_of(role).subject]) for role in roles]


def _sample_requests(build: Build) -> pa.Table:
    """Return ``subject_id, audio, text, language`` of every sample."""
    samples, prompts = current_samples(build), build.tables.read("prompts")
    table = attach(samples, "prompt_id", prompts, "prompt_id", {"text": "text", "language": "language"})
    return table.select(["sample_id", "audio_id", "text", "language"]).rename_columns(
        {"sample_id": "subject_id", "audio_id": "audio"}
    )


def _judgment_requests(build: Build) -> pa.Table:
    """Return ``subject_id, completion, text, language`` of every judgment that decides a label."""
    judgments, prompts = current_judgments(build), build.tables.read("prompts")
    table = attach(judgments, "pair_id", build.tables.read("pairs"), "pair_id", {"prompt_id": "prompt_id"})
    table = attach(table, "prompt_id", prompts, "prompt_id", {"text": "text", "language": "language"})
    table = sorted_by(table.select(["judgment_id", "completion", "text", "language"]), "judgment_id")
    return table.rename_columns({"judgment_id": "subject_id"})


def _reviews(build: Build) -> Books:
    questions = review_questions(build)
    ask_missing(build, "reviews", REVIEWED, questions)
    return answered(build, "reviews", REVIEWED, questions, "reviews")


def review_books(build: Build) -> Books:
    """Count the reviews."""
    return answered(build, "reviews", REVIEWED, review_questions(build), "reviews")


def judged(build: Build, *, others: bool) -> object:
    """Return all that decides the judgments beyond the tables, with or without the second opinions."""
    metrics = [metric.model_dump() for metric in build.recipe.metrics]
    asked = (build.recipe.judge, *(build.recipe.judges if others else ()))
    written = [literals(role) for role in roles_about(build, "prompts")]
    return [candidate_literals(build), metrics, written, [literals(wish) for wish in asked]]


JUDGING: tuple[Stage, ...] = (
    Stage(
        name="pairs",
        reads=made("samples"),
        writes=("pairs",),
        settings=lambda build: [list(build.recipe.pair_kinds), candidate_literals(build)],
        run=_pairs,
    ),
    Stage(
        name="judgments",
        reads=("utterances", "prompts", *made("writings", "recordings", "samples", "metrics"), "pairs"),
        writes=("wanted@judgments", "judgments", "failures@judgments"),
        settings=lambda build: judged(build, others=True),
        run=_judgments,
        count=judgment_books,
    ),
    Stage(
        name="rulings",
        reads=made("judgments"),
        writes=("rulings",),
        settings=lambda build: [judged(build, others=False), build.recipe.judge.on_disagreement],
        run=_rulings,
    ),
    Stage(
        name="reviews",
        reads=("prompts", *made("samples"), "pairs", *made("judgments")),
        writes=("wanted@reviews", REVIEWED, "failures@reviews"),
        settings=lambda build: [
            judged(build, others=False),
            [literals(role) for role in roles_about(build, "samples", "judgments")],
        ],
        run=_reviews,
        count=review_books,
    ),
)
