"""Clips that people have rated, as samples of their systems: what they say, and which of two was rated higher (pure)."""

from functools import cache
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.ids import canonical_json, row_id
from contracts.joins import attach, sorted_by
from contracts.ratings import rating_summaries
from contracts.schema_columns import SCORES
from contracts.schemas import DROPS, PROMPTS, RULINGS
from contracts.text_identity import identity_form
from synth.pairing import HUMAN

RULE: Final = 2
"""Version of the rule which clips can stand in a pair; the stages that go by it are done again where it changes."""


def rated(utterances: pa.Table, scale: str) -> tuple[pa.Table, pa.Table]:
    """Return the utterances that can stand in a pair, with ``rating`` and ``raters``, and the others as drops.

    Args:
        utterances: table of schema UTTERANCES.
        scale: the scale that decides.

    Reasons of drops: ``no_content`` (the corpus does not say which clips say the same), ``no_rating`` (none on the scale),
    ``other_language`` and ``other_text`` (not those of the content's first clip, by id, so that it does not say the same).
    """
    found = rating_summaries(utterances["ratings"], scale)
    table = utterances.append_column("rating", found["mean"]).append_column("raters", found["raters"])
    reason = pc.if_else(pc.is_null(table["rating"]), "no_rating", pa.scalar(None, pa.string()))
    reason = pc.if_else(pc.is_null(table["content_id"]), "no_content", reason)
    reason = _with_contradictions(table, reason)
    return table.filter(pc.is_null(reason)), drops("contents", table, reason)


def _with_contradictions(table: pa.Table, reason: pa.ChunkedArray) -> pa.Array:
    """Return the reasons with those of clips that say something else than the first clips of their contents."""
    found = reason.to_pylist()
    first: dict[tuple[str, str, str], str] = {}
    form = cache(identity_form)
    columns = {name: table[name].to_pylist() for name in ("utterance_id", "corpus", "content_id", "language", "text")}
    for place in sorted(range(table.num_rows), key=columns["utterance_id"].__getitem__):
        if found[place] is not None:
            continue
        content, text = (columns["corpus"][place], columns["content_id"][place]), columns["text"][place]
        if first.setdefault((*content, "language"), columns["language"][place]) != columns["language"][place]:
            found[place] = "other_language"
        elif text is not None and first.setdefault((*content, "text"), form(text)) != form(text):
            found[place] = "other_text"
    return pa.array(found, pa.string())


def drops(stage: str, utterances: pa.Table, reason: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return a row of schema DROPS for each utterance with a reason, by id."""
    gone = utterances.append_column("reason", reason).filter(pc.is_valid(reason))
    rows = [
        {
            "stage": stage,
            "row_id": row["utterance_id"],
            "filter": stage,
            "reason": row["reason"],
            "evidence": canonical_json({name: row[name] for name in ("corpus", "source_id", "source_ref")}),
        }
        for row in gone.select(["utterance_id", "corpus", "source_id", "source_ref", "reason"]).to_pylist()
    ]
    return sorted_by(pa.Table.from_pylist(rows, schema=DROPS), "row_id")


def group_of(corpus: str, content_id: str) -> str:
    """Return the text group of a content."""
    return row_id("content", corpus, content_id)


def _prompt_of(group: str) -> str:
    return row_id("content prompt", group)


def contents(utterances: pa.Table) -> pa.Table:
    """Return a row of schema PROMPTS per content, by id: of its first clip, with the first text that a clip of it has."""
    first: dict[str, dict[str, object]] = {}
    columns = ["utterance_id", "corpus", "content_id", "text", "language", "style", "license"]
    for row in sorted_by(utterances.select(columns), "utterance_id").to_pylist():
        group = group_of(row["corpus"], row["content_id"])
        prompt = {
            "prompt_id": _prompt_of(group),
            "group_id": group,
            **{name: row[name] for name in ("text", "language", "style", "corpus", "license")},
        }
        known = first.setdefault(group, prompt)
        known["text"] = known["text"] if known["text"] is not None else row["text"]
    return sorted_by(pa.Table.from_pylist(list(first.values()), schema=PROMPTS), "prompt_id")


def samples(utterances: pa.Table, recordings: pa.Table) -> pa.Table:
    """Return a row of schema SAMPLES per recording of these utterances, by id; a clip without a system is a person's."""
    names = ("corpus", "content_id", "system", "license")
    rows = attach(recordings, "utterance_id", utterances, "utterance_id", {name: name for name in names})
    groups = [group_of(*of) for of in zip(rows["corpus"].to_pylist(), rows["content_id"].to_pylist(), strict=True)]
    kept = ("audio_id", "duration_s", "sample_rate_hz", "native_sample_rate_hz", "loudness_lufs", "license", "utterance_id")
    table = pa.table(
        {
            "sample_id": pa.array([row_id("rated sample", one) for one in rows["recording_id"].to_pylist()], pa.string()),
            "prompt_id": pa.array([_prompt_of(group) for group in groups], pa.string()),
            "group_id": pa.array(groups, pa.string()),
            "system": pc.coalesce(rows["system"], HUMAN),
            "engine": pa.repeat("corpus", rows.num_rows),
            "engine_version": pa.repeat("", rows.num_rows),
            "params": pa.repeat("{}", rows.num_rows),
            "is_synthetic": pc.is_valid(rows["system"]),
            **{name: rows[name] for name in kept},
        }
    )
    return sorted_by(table, "sample_id")


def rulings(pairs: pa.Table, samples: pa.Table, utterances: pa.Table, scale: str) -> pa.Table:
    """Return a row of schema RULINGS per pair, by id: the higher mean rating wins, equal ones are no preference.

    Args:
        pairs: table of schema PAIRS.
        samples: table of schema SAMPLES, each of which is an utterance.
        utterances: utterances with ``rating`` and ``raters`` (see ``rated``).
        scale: the scale that decides.
    """
    table = sorted_by(pairs, "pair_id").select(["pair_id", "sample_a", "sample_b"])
    for side in ("a", "b"):
        table = attach(table, f"sample_{side}", samples, "sample_id", {f"utterance_{side}": "utterance_id"})
        names = {f"total_{side}": "rating", f"votes_{side}": "raters"}
        table = attach(table, f"utterance_{side}", utterances, "utterance_id", names)
    a, b = table["total_a"], table["total_b"]
    verdict = pc.if_else(pc.greater(a, b), "a", pc.if_else(pc.less(a, b), "b", pa.scalar(None, pa.string())))
    scores_a, scores_b = (pa.array([[(scale, score)] for score in totals.to_pylist()], SCORES) for totals in (a, b))
    return pa.table(
        {
            "pair_id": table["pair_id"],
            "verdict": verdict,
            "scores_a": scores_a,
            "scores_b": scores_b,
            "total_a": a,
            "total_b": b,
            "votes_a": table["votes_a"],
            "votes_b": table["votes_b"],
            "votes_none": pa.repeat(0, table.num_rows),
            "order_flip": pa.nulls(table.num_rows, pa.bool_()),
            "judgment_ids": pa.array([[]] * table.num_rows, pa.list_(pa.string())),
        },
        schema=RULINGS,
    )
