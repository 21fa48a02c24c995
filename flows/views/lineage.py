"""Which rows were made from a row, and which row a name means: a key of any table, a corpus's own id, or a file.

Rows are linked by columns with keys of other tables. Partitions (``judgments@...``) belong to their table.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.schemas import KEYS
from flows.run.pipeline import Build
from flows.run.questions import history_of, needs_history

SUBJECTS: Final = ("pairs", "samples", "prompts", "utterances")
"""Tables whose rows have a story of their own."""

_MADE_FROM: Final[tuple[tuple[str, Sequence[str], Sequence[str]], ...]] = (
    ("recordings", ("utterances",), ("utterance_id",)),
    ("prompts", ("utterances",), ("target_utterance_id", "reference_utterance_id")),
    ("samples", ("prompts", "utterances"), ("prompt_id", "utterance_id", "reference_utterance_id")),
    ("metrics", ("samples",), ("sample_id",)),
    ("ratings", ("samples",), ("sample_id",)),
    ("pairs", ("samples",), ("sample_a", "sample_b")),
    ("judgments", ("pairs",), ("pair_id",)),
    ("votes", ("pairs",), ("pair_id",)),
    ("writings", ("prompts", "samples", "judgments"), ("subject_id",)),
)
"""Table, the tables that its rows are made from, and its columns with their keys; parents come before their children."""

_NAMED_IN: Final = (
    ("recordings", "utterance_id"),
    ("metrics", "sample_id"),
    ("ratings", "sample_id"),
    ("judgments", "pair_id"),
    ("votes", "pair_id"),
    ("writings", "subject_id"),
    ("failures", "subject_id"),
)
"""Table with keys of its own, and the column with the key of the row that it is about."""

_OF_ROWS: Final = ("_id", "sample_a", "sample_b")
"""How the names of evidence end that are keys of rows."""

Family = Mapping[str, set[str]]
"""Table -> keys."""


def parts_of(build: Build, table: str) -> list[str]:
    """Return a table's name and those of its partitions."""
    return [table, *build.tables.partitions(table)]


def where(table: pa.Table, columns: Iterable[str], values: Iterable[str]) -> pa.Table:
    """Return the rows in which one of the columns holds one of the values."""
    wanted = pa.array(sorted(values), pa.string())
    masks = [pc.is_in(table[column], value_set=wanted) for column in columns]
    found = masks[0]
    for mask in masks[1:]:
        found = pc.or_(found, mask)
    return table.filter(found)


def made_from(build: Build, table: str, keys: Iterable[str]) -> Family:
    """Return the rows themselves and all rows made from them, directly or not."""
    family = defaultdict[str, set[str]](set, {table: set(keys)})
    for child, parents, columns in _MADE_FROM:
        sought = set[str]().union(*(family[parent] for parent in parents))
        if not sought:
            continue
        for name in parts_of(build, child):
            rows = build.tables.read(name, [KEYS[child], *columns])
            family[child].update(where(rows, columns, sought)[KEYS[child]].to_pylist())
        if child == "prompts":
            family[child].update(_after(build, family["utterances"]))
    return {name: found for name, found in family.items() if found}


def _after(build: Build, utterances: set[str]) -> list[str]:
    """Return the prompts whose history holds one of the recordings."""
    if not utterances or not needs_history(build):
        return []
    past = history_of(build, build.tables.read("prompts"), build.tables.read("utterances")).to_pylist()
    return [row["prompt_id"] for row in past if utterances & set(row["history_utterance_ids"] or ())]


def rows_named(build: Build, name: str) -> list[tuple[str, str]]:
    """Return table and key of each row with a story that ``name`` means, by the first of these kinds of names that fits.

    - the key of a pair, sample, prompt or utterance;
    - the key of a recording, metric, rating, judgment, vote, writing or failure: the row that it is about;
    - an utterance's id, line or audio file in its corpus, the file with or without its folders;
    - a clip, by its audio id or file name, of the workspace or of a release: its samples, else its utterance;
    - a text group: its prompts.
    """
    for table in SUBJECTS:
        if any(_holds(build, part, KEYS[table], name) for part in parts_of(build, table)):
            return [(table, name)]
    return (
        _about(build, name)
        or _in_corpus(build, name)
        or _clip(build, PurePosixPath(name).name.removesuffix(".flac"))
        or _keys(build, "prompts", "group_id", name)
    )


def _holds(build: Build, part: str, column: str, value: str) -> bool:
    return bool(pc.index(build.tables.read(part, [column])[column], value).as_py() >= 0)


def _keys(build: Build, table: str, column: str, value: str) -> list[tuple[str, str]]:
    rows = build.tables.read(table, [KEYS[table], column])
    return [(table, key) for key in where(rows, [column], [value])[KEYS[table]].to_pylist()]


def _about(build: Build, name: str) -> list[tuple[str, str]]:
    for table, column in _NAMED_IN:
        keys = [KEYS[table], "row_id"] if table == "failures" else [KEYS[table]]
        for part in parts_of(build, table):
            found = where(build.tables.read(part, [*keys, column]), keys, [name])[column].to_pylist()
            if found and found[0] != name and (about := rows_named(build, found[0])):
                return about
    return []


def _in_corpus(build: Build, name: str) -> list[tuple[str, str]]:
    rows = build.tables.read("utterances", ["utterance_id", "source_id", "source_ref", "audio_path"]).to_pylist()
    exact = [row for row in rows if name in {row["source_id"], row["source_ref"], row["audio_path"]}]
    loose = [row for row in rows if row["audio_path"] and PurePosixPath(row["audio_path"]).name == name]
    return [("utterances", row["utterance_id"]) for row in exact or loose]


def _clip(build: Build, audio_id: str) -> list[tuple[str, str]]:
    if samples := _keys(build, "samples", "audio_id", audio_id):
        return samples
    recordings = where(build.tables.read("recordings", ["utterance_id", "audio_id"]), ["audio_id"], [audio_id])
    return [("utterances", key) for key in sorted(set(recordings["utterance_id"].to_pylist()))]


def drops_and_failures_of(build: Build, keys: set[str], *, only: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Return the drops and failures of rows, and of rows to be made from them: a chapter for each stage.

    Args:
        build: the build.
        keys: the rows.
        only: partitions to read; none = all.
    """
    losses: dict[str, list[dict[str, Any]]] = {}
    for kind, verb in (("drops", "dropped"), ("failures", "failed")):
        for partition in build.tables.partitions(kind):
            if only and partition not in only:
                continue
            rows = build.tables.read(partition)
            found = where(rows, ["row_id", "subject_id"], keys) if kind == "failures" else _drops_of(rows, keys)
            for row in found.to_pylist():
                losses.setdefault(f"{verb} in stage {row['stage']}", []).append(row)
    return losses


def _drops_of(drops: pa.Table, keys: set[str]) -> pa.Table:
    """Return the drops of the rows, and of rows to be made from them, whose evidence has their ids, such as ``prompt_id``."""
    named = [
        any(key.endswith(_OF_ROWS) and value in keys for key, value in _evidence(text).items() if isinstance(value, str))
        for text in drops["evidence"].to_pylist()
    ]
    own = pc.is_in(drops["row_id"], value_set=pa.array(sorted(keys), pa.string()))
    return drops.filter(pc.or_(own, pa.array(named, pa.bool_())))


def _evidence(text: str) -> dict[str, Any]:
    found = json.loads(text) if text.startswith("{") else {}
    return found if isinstance(found, dict) else {}


def dropped_named(build: Build, name: str) -> set[str]:
    """Return the ids of unusable utterances with that name in their corpus: only the table of drops has them."""
    drops = build.tables.read("drops@utterances", ["row_id", "evidence"]).to_pylist()
    named = [(row["row_id"], _evidence(row["evidence"])) for row in drops]
    return {row_id for row_id, evidence in named if name in {evidence.get("source_id"), evidence.get("source_ref")}}
