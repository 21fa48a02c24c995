"""The story of one row: from the line of its corpus to the release, with all that was made from it."""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.schemas import SPLITS, key_of
from contracts.text_forms import keyed
from flows.listening.store import RATED, VOTED
from flows.run.kind import item_of
from flows.run.pipeline import Build
from flows.run.questions import known_ledger
from flows.run.wanted import table_of
from flows.stages import subsets
from flows.stages.division import divided
from flows.stages.splits import splits_table
from flows.stages.texts import CHOSEN
from flows.views.lineage import Family, dropped_named, drops_and_failures_of, made_from, parts_of, rows_named, where
from flows.views.near_ids import near_rows
from flows.views.pair_summary import history_before, how_decided, how_made
from storage.release_reader import rows_released

_ABOUT_PROMPTS: Final = ("failures@texts", "failures@writings")

_USES: Final[dict[str, Sequence[str]]] = {
    "recordings": ("recording_id", "audio_id", "duration_s"),
    "prompts": ("prompt_id", "language", "reference_language", "text", "target_utterance_id", "reference_utterance_id"),
    "samples": ("sample_id", "prompt_id", "system", "audio_id"),
    "pairs": ("pair_id", "prompt_id", "kind", "system_a", "system_b"),
    "judgments": ("judgment_id", "pair_id", "task", "judge", "model", "verdict"),
    "writings": ("writing_id", "subject_id", "task", "judge", "model"),
}
"""Table -> its key and the other columns of a line about a use."""


class UnknownName(DataError):
    """Nothing has that name."""


def story_of(build: Build, name: str) -> dict[str, Any]:
    """Return chapter -> facts about a row, the rows that it was made from, and the rows made from it.

    Args:
        build: the build.
        name: a pair, sample, prompt or utterance, or another name of one (see ``flows.views.lineage.rows_named``).

    Raises:
        DataError: nothing has that name, or several rows have it.
    """
    if build.parts:
        return _story_of_parts(build, name)
    found = rows_named(build, name)
    if len(found) > 1:
        several = ", ".join(f"{table[:-1]} {key}" for table, key in found[:10]) + (", ..." if len(found) > 10 else "")
        raise DataError(f"{name!r} stands for {len(found)} rows in {build.workspace.url}: explain one of {several}")
    story: dict[str, Any] = {}
    family: Family = {}
    speeches: list[str] = []
    ids = {name} | dropped_named(build, name)
    if found:
        [(table, key)] = found
        row = next(row for part in parts_of(build, table) for row in _rows(build, part, key))
        family = made_from(build, table, [key])
        ids = ids.union({key}, *family.values())
        story = {f"{table[:-1]} {key}": row} | _CHAPTERS[table](build, row) | _uses(build, table, family)
        if table == "pairs":
            speeches = [row["sample_a"], row["sample_b"]]
            ids |= _of_speeches(build, row)
            of_prompt = drops_and_failures_of(
                build, {row["prompt_id"]}, only=_ABOUT_PROMPTS
            )  # its other samples are not this story
            story |= {f"prompt: {chapter}": rows for chapter, rows in of_prompt.items()}
    story |= drops_and_failures_of(build, ids)
    failed = [row["row_id"] for chapter, rows in story.items() if "failed in stage" in chapter for row in rows]
    asked = [*speeches, *(key for table in ("samples", "judgments", "writings") for key in family.get(table, ())), *failed]
    story |= {f"ledger of {row_id}": lines for row_id, lines in _ledger(build, asked, whole=set(failed)).items()}
    with build.noted("releases"):
        # Beside its items, a release can hold their clips, each by itself.
        items = {key for of in {item_of(build).table, "samples"} for key in family.get(of, ())}
        places = [build.workspace] if build.membership is None else [build.workspace, build.membership.collection]
        if released := [row for place in places for row in rows_released(place, items or ids)]:
            story["released"] = released
    damaged = {f"damaged: {what}": problem for what, problem in (build.problems or {}).items()}
    if not story:
        hint = [f"did you mean {' or '.join(near)}?"] if (near := near_rows(build, name)) else []
        raise UnknownName(
            f"no pair, sample, prompt, utterance, recording, file, drop or failure has the id {name!r} in "
            f"{'; '.join([build.workspace.url, *hint, *damaged.values()])}"
        )
    return story | damaged


def _story_of_parts(build: Build, name: str) -> dict[str, Any]:
    """Return the chapters of every part of a collection that has something of that name."""
    story, unknown = dict[str, Any](), list[str]()
    for part, its_build in build.parts.items():
        try:
            story |= {f"{part}: {chapter}": facts for chapter, facts in story_of(its_build, name).items()}
        except UnknownName as error:
            unknown.append(f"{part}: {error}")
    if not story:
        raise UnknownName("; ".join(unknown))
    return story


def _of_speeches(build: Build, pair: dict[str, Any]) -> set[str]:
    """Return a pair's samples and their measurements, whose failures can be the reason why the pair was dropped."""
    made = made_from(build, "samples", [pair["sample_a"], pair["sample_b"]])
    return made["samples"].union(made.get("metrics", ()), made.get("ratings", ()))


def _uses(build: Build, table: str, family: Family) -> dict[str, list[dict[str, Any]]]:
    """Return the uses of a row: a line for each row made from it; a pair has chapters instead."""
    if table == "pairs":
        return {}
    uses = {
        name: _lines(build, name, keys, columns)
        for name, columns in _USES.items()
        if name != table and (keys := family.get(name))
    }
    for name, column in (("labels", "label"), (splits_table(build), "split")):
        decided = {row["item_id"]: row[column] for row in build.tables.read(name, ["item_id", column]).to_pylist()}
        for item in uses.get(item_of(build).table, ()):
            item[column] = decided.get(item[item_of(build).key])
    return {f"used in {name}": lines for name, lines in uses.items()}


def _lines(build: Build, name: str, keys: Collection[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return columns of the rows with these keys; a row in several partitions once."""
    lines: dict[str, dict[str, Any]] = {}
    for part in parts_of(build, name):
        for line in where(build.tables.read(part, columns), columns[:1], keys).to_pylist():
            lines.setdefault(line[columns[0]], line)
    return list(lines.values())


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
    if before := history_before(build, prompt):
        story["heard before"] = before
    return story | _utterance(build, prompt["reference_utterance_id"], "reference speech")


def _authors(build: Build, prompt: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the writings that a prompt's text comes from; they are about the prompt before the text was changed."""
    found = []
    kept = "target_utterance_id" if prompt["reference_utterance_id"] is None else "reference_utterance_id"
    for chosen in _rows(build, CHOSEN, prompt[kept], kept):
        if prompt["target_utterance_id"] in {None, chosen["target_utterance_id"]}:
            for writing in _rows(build, table_of("texts"), chosen["prompt_id"], "subject_id"):
                texts = [text for text in json.loads(writing["content"]).values() if isinstance(text, str)]
                if keyed(prompt["text"]) in {keyed(text) for text in texts}:
                    found.append(writing)
    return found


def _written(build: Build, subject_id: str) -> list[dict[str, Any]]:
    """Return the writings about a row."""
    return [row for part in build.tables.partitions("writings") for row in _rows(build, part, subject_id, "subject_id")]


def _sample(build: Build, sample: dict[str, Any]) -> dict[str, Any]:
    story: dict[str, Any] = {"audio file": f"{build.workspace.url}/{build.blobs.name(sample['audio_id'])}"}
    if (damage := build.blobs.damage(sample["audio_id"])) is not None:
        story["audio damage"] = damage
    for metric in _rows(build, "metrics", sample["sample_id"], "sample_id"):
        story[f"metric {metric['metric']}"] = {**metric["values"], "model": metric["model"], "detail": metric["detail"]}
    for review in _written(build, sample["sample_id"]):
        story[f"written: {review['task']} {review['writing_id']}"] = review
    if (assessment := _row(build, "assessments", sample["sample_id"])) is not None:
        story["assessment"] = assessment
    story |= _decided(build, sample["sample_id"])
    ratings = _rows(build, "ratings", sample["sample_id"], "sample_id") + _rows(build, RATED, sample["sample_id"], "sample_id")
    if ratings:
        story["ratings"] = ratings
    story |= _utterance(build, sample["utterance_id"], "clip of the corpus")
    story |= _utterance(build, sample["reference_utterance_id"], "reference of the clip")
    prompt = _row(build, "prompts", sample["prompt_id"])
    return story | ({"prompt": prompt} | _prompt(build, prompt) if prompt else {})


def _pair(build: Build, pair: dict[str, Any]) -> dict[str, Any]:
    story: dict[str, Any] = {}
    samples: dict[str, dict[str, Any]] = {}
    for side in ("a", "b"):
        sample = _row(build, "samples", pair[f"sample_{side}"])
        if sample:
            samples[side] = sample
            story[f"speech {side.upper()}"] = sample
            for chapter, facts in _sample(build, sample).items():
                if chapter.startswith(("metric", "audio", "written", "clip", "reference of")):
                    story[f"speech {side.upper()}: {chapter}"] = facts
    for judgment in _rows(build, "judgments", pair["pair_id"], "pair_id"):
        story[f"judgment {judgment['judgment_id']}"] = judgment
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
    decided = _decided(build, pair["pair_id"])
    prompt = _row(build, "prompts", pair["prompt_id"])
    if prompt is None:
        return story | decided
    made = how_made(build, prompt, samples, _written(build, pair["prompt_id"]))
    short = [*made, *how_decided(ruling, votes, decided.get("label"), decided.get("split"))]
    return {"in short": short} | story | decided | {"prompt": prompt} | _prompt(build, prompt)


def _decided(build: Build, item_id: str) -> dict[str, Any]:
    """Return the label and the split of an item, as far as it has them."""
    found = {"label": _row(build, "labels", item_id), "split": _row(build, splits_table(build), item_id)}
    if found["split"] is not None:
        [found["split"]] = divided(build, pa.Table.from_pylist([found["split"]], schema=SPLITS)).to_pylist()
    found["subsets"] = subsets.split_of(build, item_id) or None
    return {chapter: row for chapter, row in found.items() if row is not None}


def _ledger(build: Build, row_ids: Collection[str], *, whole: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Return row -> its requests, replies and cost in the ledger; rows without a request are left out.

    Args:
        build: the build.
        row_ids: keys of samples, judgments and writings, made or failed.
        whole: rows whose replies are shown, because no table has them.
    """
    stories: dict[str, list[dict[str, Any]]] = {}
    with build.noted("ledger"):
        if row_ids and (known := known_ledger(build)) is not None:
            with known as ledger:
                stories = {row_id: lines for row_id in row_ids if (lines := ledger.history(row_id))}
    kept = ("key", "repeat", "state", "attempts", "reason", "message")
    return {
        row_id: [
            {name: line[name] for name in (*kept, *(["text"] if row_id in whole else []))}
            | {"cost_usd": line["spent_usd"] + line["open_usd"]}
            for line in lines
        ]
        for row_id, lines in stories.items()
    }


_CHAPTERS: Final[dict[str, Callable[[Build, dict[str, Any]], dict[str, Any]]]] = {
    "pairs": _pair,
    "samples": _sample,
    "prompts": _prompt,
    "utterances": lambda _build, _row: {},
}
