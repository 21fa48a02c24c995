"""The whole story of one row, from the line of the corpus that it came from to the release."""

import json
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.schemas import key_of
from contracts.text_forms import keyed
from flows.decide import splits_table
from flows.listening_store import RATED, VOTED
from flows.pipeline import Build
from flows.questions import known_ledger
from flows.writing import CHOSEN, SCRIPTED

_SUBJECTS = ("pairs", "samples", "prompts", "utterances")


def story_of(build: Build, row_id: str) -> dict[str, Any]:
    """Return chapter -> facts about a pair, sample, prompt or utterance, and all that it came from and went to.

    Raises:
        DataError: no row has that id.
    """
    story: dict[str, Any] = {}
    for table in _SUBJECTS:
        row = _row(build, table, row_id)
        if row is not None:
            story = {f"{table[:-1]} {row_id}": row} | _CHAPTERS[table](build, row)
            break
    story |= _fate(build, row_id)
    damaged = {f"damaged: {what}": told for what, told in (build.problems or {}).items()}
    if not story:
        told = f"; {'; '.join(damaged.values())}" if damaged else ""
        raise DataError(
            f"no pair, sample, prompt, utterance, drop or failure has the id {row_id!r} in {build.workspace.url}{told}"
        )
    return story | damaged


def _row(build: Build, table: str, key: str | None, column: str | None = None) -> dict[str, Any] | None:
    rows = _rows(build, table, key, column)
    return rows[0] if rows else None


def _rows(build: Build, table: str, key: str | None, column: str | None = None) -> list[dict[str, Any]]:
    if key is None:
        return []
    found = build.tables.read(table)
    found = found.filter(pc.equal(found[column or key_of(table)], key))
    return [
        {
            name: dict(value) if pa.types.is_map(found.schema.field(name).type) and value is not None else value
            for name, value in row.items()
        }
        for row in found.to_pylist()
    ]


def _utterance(build: Build, utterance_id: str | None, role: str) -> dict[str, Any]:
    row = _row(build, "utterances", utterance_id)
    return {role: row} if row else {}


def _prompt(build: Build, prompt: dict[str, Any]) -> dict[str, Any]:
    story = _utterance(build, prompt["target_utterance_id"], "human recording of the text")
    for writing in [*_authors(build, prompt), *_written(build, prompt["prompt_id"])]:
        story[f"written: {writing['task']} {writing['writing_id']}"] = writing
    return story | _utterance(build, prompt["reference_utterance_id"], "reference speech")


def _authors(build: Build, prompt: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the writings that a prompt's text was taken from; a changed text made another prompt of the one they are about."""
    found = []
    kept = "target_utterance_id" if prompt["reference_utterance_id"] is None else "reference_utterance_id"
    for chosen in _rows(build, CHOSEN, prompt[kept], kept):
        if prompt["target_utterance_id"] in {None, chosen["target_utterance_id"]}:
            for writing in _rows(build, SCRIPTED, chosen["prompt_id"], "subject_id"):
                texts = [text for text in json.loads(writing["content"]).values() if isinstance(text, str)]
                if keyed(prompt["text"]) in {keyed(text) for text in texts}:
                    found.append(writing)
    return found


def _written(build: Build, subject_id: str) -> list[dict[str, Any]]:
    """Return what language models wrote about a row."""
    return [row for part in build.tables.partitions("writings") for row in _rows(build, part, subject_id, "subject_id")]


def _sample(build: Build, sample: dict[str, Any]) -> dict[str, Any]:
    story: dict[str, Any] = {"audio file": f"{build.workspace.url}/{build.blobs.name(sample['audio_id'])}"}
    if (damage := build.blobs.damage(sample["audio_id"])) is not None:
        story["audio damage"] = damage
    for metric in _rows(build, "metrics", sample["sample_id"], "sample_id"):
        story[f"metric {metric['metric']}"] = {**metric["values"], "model": metric["model"], "detail": metric["detail"]}
    for review in _written(build, sample["sample_id"]):
        story[f"written: {review['task']} {review['writing_id']}"] = review
    ratings = _rows(build, "ratings", sample["sample_id"], "sample_id") + _rows(build, RATED, sample["sample_id"], "sample_id")
    if ratings:
        story["ratings"] = ratings
    prompt = _row(build, "prompts", sample["prompt_id"])
    return story | ({"prompt": prompt} | _prompt(build, prompt) if prompt else {})


def _pair(build: Build, pair: dict[str, Any]) -> dict[str, Any]:
    story: dict[str, Any] = {}
    for side in ("a", "b"):
        sample = _row(build, "samples", pair[f"sample_{side}"])
        if sample:
            story[f"speech {side.upper()}"] = sample
            for chapter, facts in _sample(build, sample).items():
                if chapter.startswith(("metric", "audio", "written")):
                    story[f"speech {side.upper()}: {chapter}"] = facts
    for judgment in _rows(build, "judgments", pair["pair_id"], "pair_id"):
        story[f"judgment {judgment['judgment_id']}"] = judgment
        story[f"ledger of {judgment['judgment_id']}"] = _ledger(build, judgment["judgment_id"])
        for review in _written(build, judgment["judgment_id"]):
            story[f"written of {judgment['judgment_id']}: {review['task']} {review['writing_id']}"] = review
    ruling = _row(build, "rulings", pair["pair_id"])
    if ruling:
        story["ruling"] = ruling
    for partition in build.tables.partitions("judgments"):
        for judgment in _rows(build, partition, pair["pair_id"], "pair_id"):
            story.setdefault(f"asked again: judgment {judgment['judgment_id']}", judgment)
    votes = _rows(build, "votes", pair["pair_id"], "pair_id") + _rows(build, VOTED, pair["pair_id"], "pair_id")
    if votes:
        story["votes"] = votes
    label = _row(build, "labels", pair["pair_id"])
    if label:
        story["label"] = label
    split = _row(build, splits_table(build), pair["pair_id"])
    if split:
        story["split"] = split
    prompt = _row(build, "prompts", pair["prompt_id"])
    return story | ({"prompt": prompt} | _prompt(build, prompt) if prompt else {})


def _ledger(build: Build, judgment_id: str) -> list[dict[str, Any]]:
    lines = list[dict[str, Any]]()
    with build.noted("ledger"):
        if (known := known_ledger(build)) is not None:
            with known as ledger:
                lines = ledger.story(judgment_id)
    return [
        {name: line[name] for name in ("key", "repeat", "state", "attempts", "reason")}
        | {"cost_usd": line["spent_usd"] + line["open_usd"]}
        for line in lines
    ]


def _fate(build: Build, row_id: str) -> dict[str, Any]:
    """Return where a row was dropped or failed."""
    fate: dict[str, Any] = {}
    for kind in ("drops", "failures"):
        for partition in build.tables.partitions(kind):
            for row in _rows(build, partition, row_id, "row_id"):
                verb = "dropped" if kind == "drops" else "failed"
                fate[f"{verb} in stage {row['stage']}"] = row
    return fate


_CHAPTERS: Final[dict[str, Callable[[Build, dict[str, Any]], dict[str, Any]]]] = {
    "pairs": _pair,
    "samples": _sample,
    "prompts": _prompt,
    "utterances": lambda _build, _row: {},
}
