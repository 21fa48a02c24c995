"""The pieces of a release: some prompts of one split each, with all that the rows of their items are made of.

Items of one prompt lie in one split, and released rows stand in the order of their prompts; so piece after piece gives the rows
of the whole. A release that is not large is one piece.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.joins import attach, sorted_by
from flows.listening.store import VOTED
from flows.run.kind import item_of
from flows.run.pipeline import Build
from flows.run.wanted import table_of
from flows.stages.splits import splits_table
from storage.table_pieces import PieceTables, cut_tables

_PIECE_ROWS: Final = 10_000
_MOST_PIECES: Final = 200
"""Of a split. One file of each is open while a table is cut."""

_FOLDER: Final = ".pieces-"
_ALONG: Final[Mapping[str, tuple[str, str]]] = {
    "prompts": ("prompt_id", "prompts"),
    "wanted@samples": ("subject_id", "prompts"),
    "samples": ("prompt_id", "prompts"),
    "metrics": ("sample_id", "samples"),
    "wanted@metrics": ("subject_id", "samples"),
    "assessments": ("sample_id", "samples"),
    "wanted@reviews": ("subject_id", "samples"),
    table_of("reviews"): ("subject_id", "samples"),
    "wanted@rationales": ("subject_id", "samples"),
    table_of("rationales"): ("subject_id", "samples"),
    "pairs": ("prompt_id", "prompts"),
    "rulings": ("pair_id", "pairs"),
    "judgments": ("pair_id", "pairs"),
    "wanted@judgments": ("subject_id", "pairs"),
    "votes": ("pair_id", "pairs"),
    VOTED: ("pair_id", "pairs"),
}
"""Table -> the column by which its rows are about a row of another table, and that table."""


@contextlib.contextmanager
def pieces(build: Build, reads: tuple[str, ...]) -> Iterator[dict[str, list[Build]]]:
    """Yield split -> builds that see a piece of the tables each; files are removed afterwards.

    Args:
        build: the build, in the stage ``release``.
        reads: tables of which the rows are made.

    Raises:
        DataError: an item that is assigned to a split would be in no piece.
    """
    if build.tables.num_rows(splits_table(build)) <= _PIECE_ROWS:
        yield {split: [build] for split in build.recipe.splits.named()}
        return
    prompts, counts = _numbered(build)
    item, read = item_of(build), {*reads, "votes", VOTED}
    along = {name: (column, of) for name, (column, of) in _ALONG.items() if name in read and of in {"prompts", *reads}}
    along |= dict.fromkeys(("labels", splits_table(build)), ("item_id", item.table))
    with _folder(build) as folder:
        written = cut_tables(build.tables, folder, prompts, along)
        if lost := build.tables.num_rows(splits_table(build)) - written[splits_table(build)]:
            raise DataError(
                f"{lost} assigned items are about no {item.table[:-1]} or prompt of this workspace: remove its mark "
                "stages/splits.json, and run the same command again"
            )
        numbers, found = iter(range(sum(counts.values()))), dict[str, list[Build]]()
        for split, count in counts.items():
            found[split] = [
                replace(build, piece=PieceTables(build.tables, folder, next(numbers), frozenset(along))) for _ in range(count)
            ]
        yield found


def _numbered(build: Build) -> tuple[pa.Table, dict[str, int]]:
    """Return the prompts of assigned items with the number of their piece, and split -> how many pieces it has."""
    assigned = build.tables.read(splits_table(build), ["group_id", "split"])
    groups = assigned.group_by(["group_id", "split"]).aggregate([([], "count_all")])
    prompts = attach(
        sorted_by(build.tables.read("prompts", ["prompt_id", "group_id"]), "prompt_id"),
        "group_id",
        groups,
        "group_id",
        {"split": "split"},
    )
    tables, counts, first = list[pa.Table](), dict[str, int](), 0
    for split in build.recipe.splits.named():
        rows = pc.sum(groups.filter(pc.equal(groups["split"], split))["count_all"]).as_py() or 0
        own = prompts.filter(pc.equal(prompts["split"], split))
        counts[split] = min(-(-rows // _PIECE_ROWS), _MOST_PIECES)
        piece = first + np.arange(own.num_rows) * counts[split] // max(own.num_rows, 1)
        tables.append(own.select(["prompt_id"]).append_column("piece", pa.array(piece, pa.int32())))
        first += counts[split]
    return pa.concat_tables(tables), counts


@contextlib.contextmanager
def _folder(build: Build) -> Iterator[Path]:
    """Yield an empty folder, on the workspace's disk if it has one, and remove it, and what a killed release left."""
    parent = None
    if build.workspace.is_local:
        parent = build.workspace.local_path("releases")
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f"{_FOLDER}*"):
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=parent) as name:
        yield Path(name)
