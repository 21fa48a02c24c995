"""The stage ``judgments``: judges compare the samples of a pair."""

from collections.abc import Callable
from functools import partial
from typing import Final

import pyarrow as pa

from annotate.models.inquiry import played
from contracts.errors import DataError
from contracts.joins import attach, sorted_by
from flows.run.books import Books
from flows.run.pipeline import Asking, Build, R_contra, Stage
from flows.run.question import RoleQuestion, literals
from flows.run.questions import ask_missing, history_of, needs_history, roles_about, with_writings
from flows.run.wanted import made, wanted_rows
from flows.run.work import count_done
from flows.stages.metrics import current_facts


def all_pairs(build: Build) -> pa.Table:
    """Return every pair of the recipe."""
    return build.tables.read("pairs")


def pair_requests(build: Build, pairs: pa.Table) -> pa.Table:
    """Return what judges see of each of these pairs, of schema PAIRS.

    Columns: ``subject_id`` (the pair), ``text``, ``language``, ``emotion``, ``reference_audio_id``, ``audio_a``, ``audio_b``,
    every metric value with ``_a`` and ``_b``, what the roles wrote about the prompt, and ``history_audio_ids`` for dialogues.
    """
    samples, facts, utterances = wanted_rows(build, "samples"), current_facts(build), build.tables.read("utterances")
    prompts, recordings = build.tables.read("prompts"), wanted_rows(build, "recordings")
    columns = {name: name for name in ("text", "language", "reference_utterance_id", "target_utterance_id")}
    table = attach(sorted_by(pairs, "pair_id"), "prompt_id", prompts, "prompt_id", columns)
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
    complete = [clips if clips and all(clips) else None for clips in turns]
    return pa.table({"prompt_id": past["prompt_id"], "audio_ids": pa.array(complete, pa.list_(pa.string()))})


def judge_questions(build: Build[R_contra], pairs_of: Callable[[Build[R_contra]], pa.Table] = all_pairs) -> list[RoleQuestion]:
    """Return what each judge is asked about the pairs, in its orders and as often as it says, the deciding one first."""
    requests = pair_requests(build, pairs_of(build))
    return [
        RoleQuestion(role=role, requests=played(requests, orders=role.orders, votes=role.votes))
        for role in build.recipe.judges_of_pairs
    ]


def judgments_stage(
    pairs_of: Callable[[Build[R_contra]], pa.Table] = all_pairs,
    *,
    reads: tuple[str, ...] = (),
    settings: Callable[[Build[R_contra]], object] | None = None,
    after: str = "pairs",
    active: Callable[[Build[R_contra]], bool] = lambda build: bool(build.recipe.judges_of_pairs),
) -> Stage[R_contra]:
    """Return the stage.

    Args:
        pairs_of: the pairs that are judged.
        reads: tables that these take, beside ``pairs``.
        settings: the part of the recipe that decides which these are, as literals; None = nothing.
        after: the stage after which they are known.
        active: whether the recipe needs it.
    """
    questions = partial(judge_questions, pairs_of=pairs_of)

    def run(build: Build[R_contra]) -> Books:
        ask_missing(build, "judgments", "judgments", questions(build))
        books = count_done(build, "judgments")
        if build.recipe.labels_from == "judge" and books.rows_in and sum(books.failed.values()) == books.rows_in:
            reasons = ", ".join(f"{reason} {number}" for reason, number in books.failed.items())
            raise DataError(
                f"none of {books.rows_in} judgments can be used ({reasons}), so that no pair has a label: `unisrm-data status` "
                "shows the failures; ask another judge, or ask again with --retry-failed"
            )
        return books

    return Stage(
        name="judgments",
        reads=("utterances", "prompts", *made("writings", "recordings", "samples", "metrics"), "pairs", *reads),
        writes=("wanted@judgments", "judgments", "failures@judgments"),
        settings=lambda build: [
            [literals(role) for role in roles_about(build, "prompts")],
            [literals(role) for role in build.recipe.judges_of_pairs],
            build.recipe.longest_history,
            [metric.name for metric in build.recipe.metrics],
            *([settings(build)] if settings is not None else []),
        ],
        run=run,
        checks=("labels", "filters"),  # whether the labels are the judge's
        asks=Asking(after=(after,), table="judgments", roles=lambda build: build.recipe.judges_of_pairs, questions=questions),
        active=active,
    )


STAGE: Final[Stage] = judgments_stage(
    active=lambda build: bool(build.recipe.judges_of_pairs) and build.recipe.splits.taught is None
)
