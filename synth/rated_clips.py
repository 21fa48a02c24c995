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


def rated(utterances: pa.Table, scale: str, *, min_raters: int = 1, with_voice: bool = False) -> tuple[pa.Table, pa.Table]:
    """Return the utterances that can stand in a pair, with ``rating`` and ``raters``, and the others as drops.

    Args:
        utterances: table of schema UTTERANCES.
        scale: the scale that decides.
        min_raters: how many must have rated a clip; above 1, an unknown number is too few.
        with_voice: whether every pair needs to know who or what made its clips.

    Reasons of drops: ``no_content`` (the corpus does not say which clips say the same), ``no_rating`` (none on the scale),
    ``too_few_raters``, ``no_speaker_or_system`` (and no condition), ``other_language`` and ``other_text`` (not those of the
    content's first clip, by id, so that it does not say the same).
    """
    found = rating_summaries(utterances["ratings"], scale)
    table = utterances.append_column("rating", found["mean"]).append_column("raters", found["raters"])
    reason = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    if with_voice:
        named = [pc.is_valid(table[name]) for name in ("speaker_id", "system", "condition")]
        reason = pc.if_else(pc.or_(pc.or_(named[0], named[1]), named[2]), reason, "no_speaker_or_system")
    if min_raters > 1:
        reason = pc.if_else(pc.less(table["raters"], min_raters), "too_few_raters", reason)
    reason = pc.if_else(pc.is_null(table["rating"]), "no_rating", reason)
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


def of_contents(clips: pa.Table) -> pa.Table:
    """Append ``group_id``, ``prompt_id`` and ``spoken_text`` (null) to rated utterances: clips of one content are compared."""
    names = zip(clips["corpus"].to_pylist(), clips["content_id"].to_pylist(), strict=True)
    return _in_groups(clips, [group_of(*name) for name in names], pa.nulls(clips.num_rows, pa.string()))


def of_pools(clips: pa.Table) -> pa.Table:
    """Append the same where clips are compared that are for one split, in one language: a prompt is such a pool of clips.

    Its clips have a text of their own each, ``spoken_text``: null = no clip of the content has one.

    Args:
        clips: rated utterances with ``drawn_for`` and ``own_split`` (see ``splits.pools``).
    """
    said = of_contents(clips.drop_columns(["drawn_for", "own_split"]))
    first = contents(said).select(["group_id", "text"]).rename_columns(["group_id", "of_content"])
    said = attach(said, "group_id", first, "group_id", {"of_content": "of_content"})
    pool = cache(lambda *names: row_id("pool", *names))
    names = zip(*(clips[name].to_pylist() for name in ("corpus", "language", "drawn_for", "own_split")), strict=True)
    return _in_groups(clips, [pool(*one) for one in names], pc.coalesce(said["text"], said["of_content"]))


def _in_groups(clips: pa.Table, groups: list[str], spoken: pa.Array | pa.ChunkedArray) -> pa.Table:
    prompts = cache(lambda group: row_id("content prompt", group))
    clips = clips.append_column("group_id", pa.array(groups, pa.string()))
    clips = clips.append_column("prompt_id", pa.array([prompts(group) for group in groups], pa.string()))
    return clips.append_column("spoken_text", spoken)


def contents(clips: pa.Table) -> pa.Table:
    """Return a row of schema PROMPTS per group of clips, by id: of its first clip.

    Of clips that say one thing it has the first text that any of them has.

    Args:
        clips: rated utterances with the columns of ``of_contents`` or ``of_pools``.
    """
    is_pool = "drawn_for" in clips.column_names
    first: dict[str, dict[str, object]] = {}
    columns = ["prompt_id", "group_id", "language", "style", "corpus", "license"]
    columns += ["drawn_for", "own_split"] if is_pool else []
    for row in sorted_by(clips.select(["utterance_id", "text", *columns]), "utterance_id").to_pylist():
        known = first.setdefault(row["group_id"], {name: row[name] for name in columns} | {"text": None})
        if known["text"] is None and not is_pool:
            known["text"] = row["text"]
    return sorted_by(pa.Table.from_pylist(list(first.values()), schema=PROMPTS), "prompt_id")


def samples(clips: pa.Table, recordings: pa.Table) -> pa.Table:
    """Return a row of schema SAMPLES per recording of these clips, by id; a clip without a system is a person's.

    Args:
        clips: rated utterances with the columns of ``of_contents`` or ``of_pools``.
        recordings: table of schema RECORDINGS.
    """
    names = ("prompt_id", "group_id", "spoken_text", "system", "license")
    rows = attach(recordings, "utterance_id", clips, "utterance_id", {name: name for name in names})
    kept = ("audio_id", "duration_s", "sample_rate_hz", "native_sample_rate_hz", "loudness_lufs", "license", "utterance_id")
    table = pa.table(
        {
            "sample_id": pa.array([row_id("rated sample", one) for one in rows["recording_id"].to_pylist()], pa.string()),
            **{name: rows[name] for name in ("prompt_id", "group_id", "spoken_text")},
            "system": pc.coalesce(rows["system"], HUMAN),
            "engine": pa.repeat("corpus", rows.num_rows),
            "engine_version": pa.repeat("", rows.num_rows),
            "params": pa.repeat("{}", rows.num_rows),
            "is_synthetic": pc.is_valid(rows["system"]),
            **{name: rows[name] for name in kept},
        }
    )
    return sorted_by(table, "sample_id")


def of_one_sound(samples: pa.Table, clips: pa.Table) -> pa.Array:
    """Return per sample whether its sound is in another split, too, under a smaller utterance id, which keeps its place.

    Args:
        samples: ``utterance_id`` and ``audio_id`` of schema SAMPLES.
        clips: rated utterances with ``drawn_for``.
    """
    table = attach(samples.select(["utterance_id", "audio_id"]), "utterance_id", clips, "utterance_id", {"split": "drawn_for"})
    first: dict[str, str] = {}
    for row in sorted_by(table, "utterance_id").to_pylist():
        first.setdefault(row["audio_id"], row["split"])
    sounds = zip(table["audio_id"].to_pylist(), table["split"].to_pylist(), strict=True)
    return pa.array([first[sound] != split for sound, split in sounds], pa.bool_())


def of_one_content(pairs: pa.Table) -> pa.Table:
    """Return rows of schema PAIRS of clips of one content, with that category."""
    place = pairs.column_names.index("category")
    return pairs.set_column(place, pairs.schema.field("category"), pa.repeat("same_content", pairs.num_rows))


def far_apart(pairs: pa.Table, clips: pa.Table, min_gap: float) -> tuple[pa.Table, pa.Table]:
    """Return the pairs whose ratings differ by that much, and the others as drops ``small_gap``, by pair.

    Args:
        pairs: table of schema PAIRS.
        clips: ``sample_id`` and ``rating``.
        min_gap: the least difference.
    """
    table = pairs.select(["pair_id", "sample_a", "sample_b"])
    for side in ("a", "b"):
        table = attach(table, f"sample_{side}", clips, "sample_id", {f"rating_{side}": "rating"})
    gap = pc.round(pc.abs(pc.subtract(table["rating_a"], table["rating_b"])), 9)
    close = pc.less(gap, min_gap)
    drops = [
        {
            "stage": "pairs",
            "row_id": row["pair_id"],
            "filter": "pairs",
            "reason": "small_gap",
            "evidence": canonical_json({name: row[name] for name in ("rating_a", "rating_b")}),
        }
        for row in table.filter(close).to_pylist()
    ]
    return pairs.filter(pc.invert(close)), sorted_by(pa.Table.from_pylist(drops, schema=DROPS), "row_id")


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
