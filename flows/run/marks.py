"""Marks of finished stages, and bringing a stage up to date.

A finished stage leaves a mark: hashes of its part of the recipe and of the versions of all tables that it reads and writes,
with its books. As long as the hashes are unchanged, a rerun does not even open the tables.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import TypeAdapter

from contracts.errors import DamagedState, RecipeError
from contracts.ids import digest
from flows.run.books import Books
from flows.run.declared import declared, noting
from flows.run.pipeline import Build, Stage, Waiting
from storage.state import read_state

FORMAT: Final = 3
"""Increase it when a change of code makes finished stages stale."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What is recorded when a stage finishes: hashes of its inputs and outputs, and its books."""

    inputs: str
    outputs: str
    books: Books


_MARK: Final = TypeAdapter(Mark)


def _mark_name(stage: Stage[Any]) -> str:
    return f"stages/{stage.name}.json"


def inputs_of(stage: Stage[Any], build: Build[Any]) -> str:
    """Return a hash of what decides the outcome of a stage: the part of the recipe that it reads, and its tables."""
    return digest([FORMAT, stage.name, build.recipe.seed, stage.settings(build), _versions(stage.all_reads(build), build)])


def _outputs(stage: Stage[Any], build: Build[Any]) -> str:
    return digest([_versions(stage.writes, build), stage.produced(build) if stage.produced else None])


def _versions(patterns: tuple[str, ...], build: Build[Any]) -> dict[str, str]:
    names = [name for pattern in patterns for name in _expanded(pattern, build)]
    return {name: build.tables.version(name) for name in names}


def tables_of(stage: Stage[Any], build: Build[Any]) -> list[str]:
    """Return the names of all tables and partitions that a stage reads or writes."""
    return [name for pattern in (*stage.all_reads(build), *stage.writes) for name in _expanded(pattern, build)]


def _expanded(pattern: str, build: Build) -> list[str]:
    return build.tables.partitions(pattern.removesuffix("@*")) if pattern.endswith("@*") else [pattern]


def mark_of(stage: Stage[Any], build: Build[Any]) -> Mark | None:
    """Return the mark of a stage; None if it never finished, or if the mark is damaged.

    A mark only saves work: a stage without a readable one is run again.
    """
    try:
        mark = read_state(build.workspace, _mark_name(stage), _MARK, advice="the stage is done again")
    except (FileNotFoundError, DamagedState):
        return None
    return mark if mark.books.stage == stage.name and not mark.books.missing else None


def finished(stage: Stage[Any], build: Build[Any]) -> Books | None:
    """Return the books of a stage that is up to date; None for any other."""
    mark = mark_of(stage, build)
    if mark is None or mark.inputs != inputs_of(stage, build) or mark.outputs != _outputs(stage, build):
        return None
    return mark.books


def notes_of(build: Build[Any], stages: Sequence[Stage[Any]]) -> list[str]:
    """Return what the books of the stages that are up to date note, each line once."""
    pages = (finished(stage, build) for stage in stages)
    return list(dict.fromkeys(note for books in pages if books is not None for note in books.notes))


def execute(stage: Stage[Any], build: Build[Any]) -> Books | Waiting:
    """Bring a stage up to date and return its books, or what it waits for. The caller holds the workspace's lock."""
    known = finished(stage, build)
    if known is not None:
        return known
    build.workspace.require_lease()
    if stage.prepare is not None:
        stage.prepare(build)
    read = set[str]()
    noted = replace(build, recipe=noting(build.recipe, read))
    inputs = inputs_of(stage, noted)  # now: a change while the stage runs makes it stale for the next run
    books = stage.run(replace(build, stage=stage, recipe=declared(build.recipe, stage.name, {*read, *stage.checks})))
    if isinstance(books, Waiting):
        return books
    if not isinstance(books, Books):
        raise RecipeError(
            f"kind {build.recipe.kind!r}: stage {stage.name}: run() must return Books, got {type(books).__name__}"
        )
    books = books.balanced()
    mark = {"inputs": inputs, "outputs": _outputs(stage, build), "books": books.as_dict()}
    build.workspace.write(_mark_name(stage), json.dumps(mark, indent=1).encode())
    return books
