"""Verification of a release from its files alone: on a disk, in a bucket, or downloaded."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from contracts.errors import DamagedPart, StorageError
from contracts.ids import ID_HEX_LENGTH, audio_id
from storage import release_manifest
from storage.blobs import decoded
from storage.columns import AUDIO, AUDIOS, GROUP, item_column
from storage.shards import split_of
from storage.split_members import SplitMembers

CARD: Final = "README.md"

_AUDIO_NAME: Final = re.compile(rf"(?P<id>[0-9a-f]{{{ID_HEX_LENGTH}}})\.flac")
_BATCH_ROWS: Final = 100
_THREADS: Final = 8


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One problem of a release.

    Attributes:
        file: relative to the release.
        row: row of the shard, from 0 on; None = the whole file.
        column: column of that row; None = the whole row or file.
        what: the problem and, if needed, what to do.
    """

    file: str
    row: int | None = None
    column: str | None = None
    what: str

    def __str__(self) -> str:
        place = "" if self.row is None else f" row {self.row}"
        return f"{self.file}{place}{f' {self.column}' if self.column else ''}: {self.what}"


@dataclass(kw_only=True)
class Verification:
    """What was verified, and its problems.

    Attributes:
        release: folder or URL.
        files: files listed by the manifest, or found where there is none.
        rows: rows read.
        clips: audio cells decoded.
        problems: the problems, file by file.
    """

    release: str
    files: int = 0
    rows: int = 0
    clips: int = 0
    problems: list[Problem] = field(default_factory=list)

    def __str__(self) -> str:
        outcome = f"{len(self.problems)} problems" if self.problems else "no problem"
        return f"{self.release}: {self.files} files, {self.rows} rows and {self.clips} clips verified, {outcome}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready literals."""
        return asdict(self)

    def add(self, file: str, what: str, row: int | None = None, column: str | None = None) -> None:
        """Add a problem."""
        self.problems.append(Problem(file=file, row=row, column=column, what=what))


def verify_release(url: str) -> Verification:
    """Read a whole release and return its problems. Memory use grows with the ids of the rows, not with the audio.

    Splits of one compartment, as the manifest tells, count as one here: they may share groups and clips.

    Checked are: the manifest against the folder's name, presence, size and sha256 of every file, files that it does not list,
    the card and the shards that it names, that each shard reads and has as many rows as listed, ids (unique), each audio cell
    (it decodes, to samples with the audio id in its path), that no leakage group is in two splits, and, of a release with
    several configurations, that no clip is.

    Args:
        url: local path or fsspec URL of the release's folder.

    Raises:
        StorageError: there is no such folder, or it cannot be reached.
    """
    filesystem, root, present = _opened(url)
    found = Verification(release=url)
    rows: dict[str, int | None] = {}
    compartments: Mapping[str, str] = {}
    try:
        manifest = release_manifest.read_whole(filesystem, root)
    except DamagedPart as error:
        found.add(release_manifest.MANIFEST, f"{error} (without it no file's size and hash can be checked)")
        rows = {path: None for path in present if path.endswith(".parquet")}
        found.files = len(present)
    else:
        files, compartments = manifest.files, manifest.compartments
        found.files = len(files)
        for fault in release_manifest.faults(filesystem, root, files):
            found.add(fault.path, fault.what)
        rows = {file.path: file.rows for file in files if file.path.endswith(".parquet") and file.path in present}
    _verify_card(found, filesystem, root, present)
    _verify_shards(found, filesystem, root, rows, compartments)
    return found


def _opened(url: str) -> tuple[Any, str, set[str]]:
    """Return the file system, the folder there, and the files in it."""
    if not url.strip():
        raise StorageError(f"release {url!r}: no folder or URL has that name")
    try:
        filesystem, root = fsspec.core.url_to_fs(url)
        root = root.rstrip("/")
        present = {str(path)[len(root) :].lstrip("/") for path in filesystem.find(root)}
    except Exception as error:
        if "://" not in url and not isinstance(error, ImportError | ValueError | OSError):
            raise
        # Each store's library has its own exceptions, which cannot be named without importing it.
        why = " ".join(str(error).split()) or type(error).__name__
        raise StorageError(f"release {url} cannot be read: {why}") from error
    if not present:
        raise StorageError(
            f"release {url}: no such folder, or nothing in it; give the folder that has {release_manifest.MANIFEST}"
        )
    if present == {""}:
        raise StorageError(f"release {url} is a file: give the folder that it lies in")
    return filesystem, root, present


def _verify_card(found: Verification, filesystem: Any, root: str, present: set[str]) -> None:
    if CARD not in present:
        found.add(CARD, "there is no card: whoever loads the release does not learn its configurations and licences")
        return
    try:
        header = yaml.safe_load(filesystem.cat_file(f"{root}/{CARD}").decode().split("---\n")[1])
        patterns = [files["path"] for config in header["configs"] for files in config["data_files"]]
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError) as error:
        found.add(CARD, f"its YAML header cannot be read ({type(error).__name__}): restore it")
        return
    for pattern in patterns:
        if not any(PurePosixPath(path).match(pattern) for path in present):
            found.add(CARD, f"it names {pattern}, and there is no such file")


def _verify_shards(
    found: Verification, filesystem: Any, root: str, listed: Mapping[str, int | None], compartments: Mapping[str, str]
) -> None:
    with ThreadPoolExecutor(_THREADS) as pool:
        rows = _Rows(found, pool, compartments, is_several=len({_config_of(path) for path in listed}) > 1)
        for path in sorted(listed):
            before = found.rows
            try:
                with filesystem.open(f"{root}/{path}", "rb") as handle:
                    for batch in pq.ParquetFile(handle).iter_batches(batch_size=_BATCH_ROWS):
                        rows.verify(path, found.rows - before, batch)
                        found.rows += batch.num_rows
            except (OSError, pa.ArrowException) as error:
                found.add(path, f"cannot be read as Parquet: {' '.join(str(error).split())}")
                continue
            if listed[path] not in (None, found.rows - before):
                found.add(path, f"has {found.rows - before} rows, {release_manifest.MANIFEST} says {listed[path]}")


def _config_of(path: str) -> str:
    return path.rpartition("/")[0]


class _Rows:
    """Checks across the rows of all shards."""

    def __init__(
        self, found: Verification, pool: ThreadPoolExecutor, compartments: Mapping[str, str], *, is_several: bool
    ) -> None:
        self._found, self._pool, self._compartments = found, pool, compartments
        self._ids: dict[tuple[str, str], tuple[str, int]] = {}  # configuration and id -> file and row
        self._groups = SplitMembers()
        self._clips = SplitMembers() if is_several else None
        self._intact: set[bytes] = set()

    def verify(self, path: str, start: int, batch: pa.RecordBatch) -> None:
        """Verify some rows of a shard, of which ``start`` is the first."""
        self._verify_ids(path, start, batch)
        self._verify_groups(path, start, batch)
        cells = list(_cells(batch))
        self._verify_clips(path, start, cells)
        self._found.clips += len(cells)
        for (row, column, _), what in zip(cells, self._pool.map(self._wrong_with, cells), strict=True):
            if what is not None:
                self._found.add(path, what, start + row, column)

    def _compartment_of(self, path: str) -> str:
        split = split_of(path.rpartition("/")[2])
        return self._compartments.get(split, split)

    def _verify_ids(self, path: str, start: int, batch: pa.RecordBatch) -> None:
        column, config = item_column(batch.schema), _config_of(path)
        for row, value in enumerate(batch[column].to_pylist(), start=start):
            if value is None:
                self._found.add(path, "has no id", row, column)
                continue
            file, first = self._ids.setdefault((config, value), (path, row))
            if (file, first) != (path, row):
                self._found.add(path, f"{value} is the id of row {first} of {file}, too", row, column)

    def _verify_groups(self, path: str, start: int, batch: pa.RecordBatch) -> None:
        split = self._compartment_of(path)
        for row, value in enumerate(batch[GROUP].to_pylist() if GROUP in batch.schema.names else (), start=start):
            if value is not None and (other := self._groups.other_split(value, split)) is not None:
                self._found.add(path, f"{value} lies in the split {other}, too: the splits leak", row, GROUP)

    def _verify_clips(self, path: str, start: int, cells: Sequence["_Cell"]) -> None:
        """Report clips that another configuration has in another split; items of one configuration go by their groups."""
        split = self._compartment_of(path)
        if self._clips is None:
            return
        for row, column, clip in cells:
            name = clip["path"]
            if name and (other := self._clips.other_split(name, split)) is not None:
                self._found.add(path, f"audio {name} lies in the split {other}, too: the splits leak", start + row, column)

    def _wrong_with(self, cell: "_Cell") -> str | None:
        """Return what is wrong with an audio cell, whose path has the audio id of its samples."""
        _, _, clip = cell
        data, path = clip["bytes"], clip["path"] or ""
        if data is None:
            return "has a path and no audio"
        seen = hashlib.sha256(path.encode() + b"\0" + data).digest()
        if seen in self._intact:
            return None
        try:
            pcm, rate = decoded(data)
        except ValueError as error:
            return f"audio {path} {error}"
        named = _AUDIO_NAME.fullmatch(path)
        if named is not None and audio_id(pcm, rate) != named["id"]:
            return f"audio {path} is another clip, or was changed"
        self._intact.add(seen)
        return None


_Cell = tuple[int, str, Mapping[str, Any]]
"""Row, column and clip."""


def _cells(batch: pa.RecordBatch) -> Iterator[_Cell]:
    """Yield every audio cell that is not null."""
    for column in batch.schema:
        if column.type not in (AUDIO, AUDIOS):
            continue
        for row, value in enumerate(batch[column.name].to_pylist()):
            clips: Sequence[Mapping[str, Any] | None] = value if isinstance(value, list) else [value]
            yield from ((row, column.name, clip) for clip in clips if clip is not None)
