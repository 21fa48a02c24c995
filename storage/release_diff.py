"""What differs between the rows of two releases: by configuration and split, with ids.

Rows are the same row if they have one id in one configuration. Shards with equal bytes in one split are not read. Of all other
rows the id, the split and a digest of each value (8 bytes) go to temporary files, which are compared in parts of about
``PART_ROWS`` rows: memory holds one part of both releases, and the first ids of each change. The bytes of clips are not read: a
clip is the audio id in its path, and ``storage.release_verification`` tells clips that are not what their path says.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from storage import release_manifest
from storage.columns import item_column
from storage.release_digests import COLUMN, ID, SPLIT, digest_of, read_part, write_parts
from storage.release_manifest import File
from storage.release_reader import schema_of
from storage.row_changes import WHATS, Change, ChangeTally, Mask, Reasons, What
from storage.workspace import Workspace

PART_ROWS: Final = 50_000
_MOST_PARTS: Final = 200
"""One file of each is open while rows are written."""

TRUTHS: Final = ("label", "scores", "rating", "references")
"""Columns with what an item is judged by: that of a configuration is the first that it has."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One of the two releases.

    Attributes:
        workspace: where it lies.
        folder: its folder, relative to the workspace.
        shards: configuration and split -> shards, of what is compared.
    """

    workspace: Workspace
    folder: str
    shards: Mapping[tuple[str, str], Sequence[File]]

    @property
    def name(self) -> str:
        """Version and digest of its content, as its folder is called by default."""
        whole = release_manifest.read_whole(self.workspace.filesystem, self.workspace.path(self.folder))
        return f"{whole.version}-{release_manifest.content_digest(whole.files, whole.compartments)}"

    def shards_of(self, configuration: str) -> list[tuple[str, File]]:
        """Return split and shard of every shard with rows of a configuration."""
        found = ((split, file) for (config, split), files in self.shards.items() if config == configuration for file in files)
        return [(split, file) for split, file in found if file.rows]


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What differs between two releases.

    Attributes:
        before: version and digest of the earlier one.
        after: those of the later one.
        same: rows in which nothing differs.
        changes: what differs, by configuration, then in the order of ``WHATS``, then by split.
        columns_added: configuration -> columns that only the later one has; rows are not compared by them.
        columns_gone: configuration -> columns that only the earlier one has; likewise.
        files: files other than shards and manifest that differ, such as the card.
    """

    before: str
    after: str
    same: int
    changes: Sequence[Change]
    columns_added: Mapping[str, Sequence[str]]
    columns_gone: Mapping[str, Sequence[str]]
    files: Sequence[str]

    def __str__(self) -> str:
        counted = {what: sum(change.rows for change in self.changes if change.what == what) for what in WHATS}
        parts = [f"{rows} {what}" for what, rows in counted.items() if rows] or ["no row differs"]
        return f"{self.before} -> {self.after}: {', '.join(parts)}, {self.same} the same"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready literals."""
        return asdict(self)


def differences(before: Compared, after: Compared, reasons: Reasons | None = None) -> Diff:
    """Compare two releases.

    Args:
        before: the earlier one.
        after: the later one.
        reasons: asked why rows went, for some of them at a time.

    Raises:
        DamagedPart: a manifest or shard is missing or cannot be read.
        DataError: an id occurs twice in a configuration.
    """
    tally = ChangeTally(reasons)
    added, gone = dict[str, list[str]](), dict[str, list[str]]()
    for config in sorted({config for config, _ in (*before.shards, *after.shards)}):
        sides = {side: (one, one.shards_of(config)) for side, one in (("before", before), ("after", after))}
        columns = {side: _columns(one, shards) for side, (one, shards) in sides.items()}
        if columns["before"] and columns["after"]:
            added |= _named(config, [name for name in columns["after"] if name not in columns["before"]])
            gone |= _named(config, [name for name in columns["before"] if name not in columns["after"]])
        known = [{(split, file.sha256) for split, file in shards} for _, shards in sides.values()]
        equal = known[0] & known[1]
        tally.same += sum(file.rows or 0 for split, file in sides["after"][1] if (split, file.sha256) in equal)
        read = {
            side: (one, [(split, file) for split, file in shards if (split, file.sha256) not in equal])
            for side, (one, shards) in sides.items()
        }
        _compare(config, read, columns, tally)
    return Diff(
        before=before.name,
        after=after.name,
        same=tally.same,
        changes=tally.changes(),
        columns_added=added,
        columns_gone=gone,
        files=_other_files(before, after),
    )


def _named(config: str, columns: list[str]) -> dict[str, list[str]]:
    return {config: columns} if columns else {}


def _columns(one: Compared, shards: Sequence[tuple[str, File]]) -> list[str]:
    """Return the columns beside the id of a configuration; none if it has no rows."""
    if not shards:
        return []
    schema = schema_of(one.workspace, one.folder, shards[0][1])
    return [name for name in schema.names if name != item_column(schema)]


def _other_files(before: Compared, after: Compared) -> list[str]:
    listed = [release_manifest.read(one.workspace.filesystem, one.workspace.path(one.folder)) for one in (before, after)]
    was, is_now = ({(file.path, file.sha256) for file in files if file.rows is None} for files in listed)
    return sorted({path for path, _ in was ^ is_now})


def _compare(
    config: str,
    sides: Mapping[str, tuple[Compared, Sequence[tuple[str, File]]]],
    columns: Mapping[str, Sequence[str]],
    tally: ChangeTally,
) -> None:
    rows = max(sum(file.rows or 0 for _, file in shards) for _, shards in sides.values())
    parts = min(1 + rows // PART_ROWS, _MOST_PARTS)
    with tempfile.TemporaryDirectory(prefix="release-diff-") as temporary:
        for side, (one, shards) in sides.items():
            (Path(temporary) / side).mkdir()
            write_parts(one.workspace, one.folder, shards, Path(temporary) / side, parts)
        for part in range(parts):
            found = {side: read_part(Path(temporary) / side, part, columns[side]) for side in sides}
            for side, (one, _) in sides.items():
                _require_unique(found[side], one, config)
            _compare_part(config, found["before"], found["after"], tally)


def _require_unique(rows: pa.Table, one: Compared, config: str) -> None:
    counted = pc.value_counts(rows[ID])
    if len(counted) != rows.num_rows:
        twice = next(item["values"].as_py() for item in counted if item["counts"].as_py() > 1)
        raise DataError(
            f"{one.workspace.path(one.folder)}: configuration {config} has the id {twice} in several rows: "
            "`unisrm-data verify` lists them"
        )


def _compare_part(config: str, before: pa.Table, after: pa.Table, tally: ChangeTally) -> None:
    place = pc.index_in(after[ID], value_set=before[ID].combine_chunks())
    is_new = place.is_null()
    is_gone = pc.invert(pc.is_in(before[ID], value_set=after[ID].combine_chunks()))
    tally.add(config, "added", after.filter(is_new)[ID], before=None, after=after.filter(is_new)[SPLIT])
    tally.add(config, "gone", before.filter(is_gone)[ID], before=before.filter(is_gone)[SPLIT], after=None)
    old, new = before.take(place.drop_null()), after.filter(pc.invert(is_new))
    shared = [name for name in new.column_names if name.startswith(COLUMN) and name in old.column_names]
    differs: dict[str, Mask] = {name.removeprefix(COLUMN): old[name].to_numpy() != new[name].to_numpy() for name in shared}
    exchanged = _exchanged(old, new)
    truth = next((name for name in TRUTHS if name in differs), None)
    relabelled = np.zeros(new.num_rows, bool) if truth is None else _relabelled(old, new, truth, exchanged)
    others = {name: mask & ~exchanged for name, mask in differs.items() if name != truth}
    changed = np.logical_or.reduce([np.zeros(new.num_rows, bool), *others.values()])
    moved = pc.not_equal(old[SPLIT], new[SPLIT]).to_numpy()
    masks: dict[What, Mask] = {"moved": moved, "relabelled": relabelled, "exchanged": exchanged, "changed": changed}
    for what, mask in masks.items():
        was, is_now = old.filter(pa.array(mask)), new.filter(pa.array(mask))
        columns = {name: other[mask] for name, other in others.items()} if what == "changed" else {}
        tally.add(config, what, is_now[ID], before=was[SPLIT], after=is_now[SPLIT], columns=columns)
    tally.same += int(np.count_nonzero(~np.logical_or.reduce([*masks.values()])))


def _exchanged(old: pa.Table, new: pa.Table) -> Mask:
    """Return which pairs have the same two clips in the other order."""
    sides = [f"{COLUMN}audio_{side}" for side in "ab"]
    if not all(name in rows.column_names for rows in (old, new) for name in sides):
        return np.zeros(new.num_rows, bool)
    (old_a, old_b), (new_a, new_b) = ([rows[name].to_numpy() for name in sides] for rows in (old, new))
    return np.asarray((old_a == new_b) & (old_b == new_a) & (old_a != old_b))


def _relabelled(old: pa.Table, new: pa.Table, truth: str, exchanged: Mask) -> Mask:
    """Return which rows have another truth; that of an exchanged pair stays where its label follows the better clip."""
    was, is_now = old[f"{COLUMN}{truth}"].to_numpy(), new[f"{COLUMN}{truth}"].to_numpy()
    a, b = np.uint64(digest_of("a")), np.uint64(digest_of("b"))
    turned = np.where(was == a, b, np.where(was == b, a, was))
    return np.asarray(np.where(exchanged, turned, was) != is_now)
