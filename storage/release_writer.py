"""Releases: folders of shards with a card and a manifest, written atomically.

``releases/<version>-<digest>/`` holds ``README.md``, ``<config>/<split>-*.parquet`` and ``MANIFEST.json``. The digest is that
of the content: an identical release is found, and only its damaged files are written again; another one never overwrites it.

On a local disk everything is written to a hidden folder beside it, flushed, and renamed. On an object store the files are
uploaded first and ``MANIFEST.json`` last: a folder without it is no release.
"""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError, LeakageError, RecipeError
from storage import release_manifest
from storage.card import render
from storage.card_facts import Disjoint, Facts
from storage.columns import GROUP, ReleaseSchema
from storage.local_files import atomic_path, storage_errors, sync
from storage.release_manifest import MANIFEST, File
from storage.shards import ShardLayout, write_split
from storage.split_members import SplitMembers
from storage.store_errors import store_errors
from storage.tally import Tally
from storage.workspace import Workspace

_STAGING: Final = ".tmp-"


@dataclass(frozen=True, kw_only=True)
class ReleaseSplit:
    """One split to release.

    Attributes:
        config: configuration, such as ``task1``; splits of one name belong together in all configurations.
        split: name, such as ``sft``.
        rows: tables of ``storage.columns.row_schema(schema)``, read once; rows that share clips belong together.
        compartment: splits of one compartment may share texts and clips, those of two never do; None = the split is its own.
        schema: release schema of the configuration.
        audio: audio id -> FLAC file; None = that of the release.
        layout: how the rows are divided into shards; None = that of the release.
    """

    config: str
    split: str
    rows: Iterable[pa.Table]
    schema: ReleaseSchema
    compartment: str | None = None
    audio: Callable[[str], bytes] | None = None
    layout: ShardLayout | None = None


def write(
    workspace: Workspace,
    version: str,
    *,
    splits: Sequence[ReleaseSplit],
    audio: Callable[[str], bytes],
    facts: Facts,
    layout: ShardLayout,
) -> str:
    """Write a release, or repair an equal one that exists; the caller holds the workspace's lock.

    Leftovers of a killed release are removed first. The same rows, facts and layout give the same bytes and the same folder. If
    it exists, every file is hashed, and only files that differ are written.

    Args:
        workspace: the workspace.
        version: the recipe's version.
        splits: the splits, in the card's order.
        audio: audio id -> FLAC file.
        facts: content of the card beside the rows.
        layout: how rows are divided into shards.

    Returns:
        The release's folder, relative to the workspace; ``workspace.path()`` makes it absolute.

    Raises:
        RecipeError: the version is no folder name.
        DataError: a configuration has no rows.
        LeakageError: two splits share a clip or a leakage group, in one configuration or two; checked where there are several
            configurations, or splits of one compartment.
        SchemaError: rows do not fit their schema.
        DamagedPart: a clip is missing.
        StorageError: the workspace cannot be written; no release is visible.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", version):
        raise RecipeError(f"release version {version!r} is no folder name; use letters, digits and . _ + -")
    with storage_errors(f"writing release {version} in {workspace.url}"), _staging(workspace) as folder:
        files = _build(folder, splits, audio, facts, layout)
        compartments = {one.split: one.compartment for one in splits if one.compartment not in (None, one.split)}
        name = f"releases/{version}-{release_manifest.content_digest(files, compartments)}"
        (folder / MANIFEST).write_text(release_manifest.manifest_text(version, files, compartments), encoding="utf-8")
        if workspace.exists(f"{name}/{MANIFEST}"):
            _repair(workspace, folder, name, files)
        else:
            _publish(workspace, folder, name)
    return name


def _build(
    folder: Path, splits: Sequence[ReleaseSplit], audio: Callable[[str], bytes], facts: Facts, layout: ShardLayout
) -> list[File]:
    tally, files = Tally({split.config: split.schema for split in splits}), list[File]()
    shared = _Shared() if len(tally.schemas) > 1 or any(split.compartment for split in splits) else None
    for split in splits:
        tally.open(split.config, split.split)
        rows = _counted(split, tally, shared)
        clips, own_layout = split.audio or audio, split.layout or layout
        for shard in write_split(folder, split.config, split.split, rows, clips, layout=own_layout, schema=split.schema):
            files.append(_entry(folder, shard.path, shard.rows))
    if empty := [name for name in tally.schemas if not any(rows for (config, _), rows in tally.rows.items() if config == name)]:
        raise DataError(
            f"a release needs rows, but every split of {', '.join(empty)} is empty; look at `unisrm-data status` for what "
            "dropped them"
        )
    if shared is not None:
        facts = replace(facts, leakage=[*facts.leakage, *shared.proven()])
    (folder / "README.md").write_text(render(facts, tally), encoding="utf-8")
    return sorted([*files, _entry(folder, "README.md", None)], key=lambda file: file.path)


def _counted(split: ReleaseSplit, tally: Tally, shared: "_Shared | None") -> Iterator[pa.Table]:
    for table in split.rows:
        tally.add(split.config, split.split, table)
        if shared is not None:
            shared.add(split, table)
        yield table


class _Shared:
    """The proof that no two splits share a clip or a leakage group, over all configurations."""

    def __init__(self) -> None:
        self._members = {"clip": SplitMembers(), "leakage group": SplitMembers()}

    def add(self, split: ReleaseSplit, rows: pa.Table) -> None:
        """Look at some rows.

        Raises:
            LeakageError: another split has a clip or leakage group of theirs.
        """
        columns = dict.fromkeys(split.schema.audio_columns, "clip") | {GROUP: "leakage group"}
        for name, what in columns.items():
            values = rows[name] if name in rows.column_names else pa.array([], pa.string())
            flat = pc.list_flatten(values) if pa.types.is_list(values.type) else values
            for thing in pc.unique(flat).drop_null().to_pylist():
                if (other := self._members[what].other_split(thing, split.compartment or split.split)) is not None:
                    raise LeakageError(
                        f"splits {other} and {split.split} share the {what} {thing}, the latter in configuration "
                        f"{split.config}: rows of all configurations must go by the splits of their items"
                    )

    def proven(self) -> list[Disjoint]:
        """Return the lines of the card: nothing is shared, or there would have been an error."""
        return [
            Disjoint(key=f"{what}, over all configurations", left="any split", right="any other", shared=0)
            for what in self._members
        ]


def _entry(folder: Path, path: str, rows: int | None) -> File:
    with (folder / path).open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    return File(path=path, sha256=sha256, size_bytes=(folder / path).stat().st_size, rows=rows)


@contextmanager
def _staging(workspace: Workspace) -> Iterator[Path]:
    """Yield an empty local folder, beside the releases if these are local, and remove it afterwards."""
    if not workspace.is_local:
        with tempfile.TemporaryDirectory(prefix="release-") as temporary:
            yield Path(temporary)
        return
    releases = workspace.local_path("releases")
    releases.mkdir(parents=True, exist_ok=True)
    for stale in releases.glob(f"{_STAGING}*"):
        shutil.rmtree(stale)
    folder = Path(tempfile.mkdtemp(prefix=_STAGING, dir=releases))
    folder.chmod(0o755)  # mkdtemp gives 0700, and the rename keeps it
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _repair(workspace: Workspace, folder: Path, name: str, files: Sequence[File]) -> None:
    """Replace the files of an existing release that differ, and remove shards that are not in its manifest."""
    filesystem, root = workspace.filesystem, workspace.path(name)
    found = release_manifest.faults(filesystem, root, files)
    for fault in found:
        if fault.kind == "unlisted" and (fault.is_shard or fault.path.endswith(".tmp")):  # .tmp: of an interrupted repair
            workspace.remove(f"{name}/{fault.path}")
    damaged = [fault.path for fault in found if fault.kind != "unlisted"]
    listed = f"{root}/{MANIFEST}"
    with store_errors(filesystem, f"reading {listed}"):
        is_right = filesystem.isfile(listed) and filesystem.cat_file(listed) == (folder / MANIFEST).read_bytes()
    if not is_right:
        damaged.append(MANIFEST)
    for path in damaged:
        if not workspace.is_local:
            workspace.put_file(folder / path, f"{name}/{path}")
            continue
        final = workspace.local_path(name) / path
        if final.parent.exists() and not final.parent.is_dir():
            final.parent.unlink()
        if final.is_dir():
            shutil.rmtree(final)
        with atomic_path(final) as part:
            shutil.copyfile(folder / path, part)


def _publish(workspace: Workspace, folder: Path, name: str) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    if workspace.is_local:
        for path in [*paths, *sorted(path for path in folder.rglob("*") if path.is_dir()), folder]:
            sync(path)
        final = workspace.local_path(name)
        if final.exists():  # a folder without a manifest is no release
            shutil.rmtree(final)
        folder.rename(final)
        sync(final.parent)
        return
    for path in sorted(paths, key=lambda path: (path.name == MANIFEST, path)):
        workspace.put_file(path, f"{name}/{path.relative_to(folder).as_posix()}")
