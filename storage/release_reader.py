"""Reading the finished releases of a workspace: their splits, and rows without the bytes of their clips."""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, TypeAdapter

from contracts.errors import DamagedPart, DamagedState
from storage import release_manifest
from storage.columns import AUDIO, AUDIOS, item_column
from storage.release_manifest import MANIFEST, File
from storage.shards import split_of
from storage.state import read_state
from storage.store_errors import store_errors
from storage.workspace import Workspace

_ROWS_AT_ONCE: Final = 32

CURRENT: Final = "releases/current.json"
"""Names the release of the last build, and the one before it that was another."""


_Folder = Annotated[str, Field(pattern=r"^releases/[A-Za-z0-9][A-Za-z0-9._+-]*$")]


@dataclass(frozen=True, kw_only=True)
class _Pointer:
    """Content of ``CURRENT``."""

    folder: _Folder
    before: _Folder | None = None


_POINTER: Final = TypeAdapter(_Pointer)


def current_release(workspace: Workspace) -> str | None:
    """Return the folder of the last build's release, relative to the workspace; None if there is none.

    Raises:
        DamagedState: the file that names it is damaged; the next build writes it again.
    """
    noted = _noted(workspace)
    return noted.folder if noted is not None and workspace.exists(f"{noted.folder}/{MANIFEST}") else None


def release_before(workspace: Workspace) -> str | None:
    """Return the folder of the release that was the last build's before the current one, whether it is still there or not.

    None is returned of a workspace with one release, or whose older one was noted before this was.

    Raises:
        DamagedState: the file that names it is damaged.
    """
    noted = _noted(workspace)
    return None if noted is None else noted.before


def note_release(workspace: Workspace, folder: str) -> None:
    """Note a release as that of the last build. Noting the same one again keeps which was before it."""
    try:
        noted = _noted(workspace)
    except DamagedState:
        noted = None
    before = None
    if noted is not None:
        before = noted.before if noted.folder == folder else noted.folder
    content = {"folder": folder} | ({} if before is None else {"before": before})
    workspace.write(CURRENT, json.dumps(content).encode())


def _noted(workspace: Workspace) -> _Pointer | None:
    try:
        return read_state(workspace, CURRENT, _POINTER, advice="the next build looks for the release again")
    except FileNotFoundError:
        return None


def release_at(url: str) -> tuple[Workspace, str]:
    """Return the place in which a release lies, and the name of its folder there; it need not be there.

    Args:
        url: local path or fsspec URL of the release's folder.
    """
    where = url.rstrip("/") if "://" in url else os.path.abspath(url)
    parent, _, folder = where.rpartition("/")
    return Workspace(parent or "/"), folder


def complete_releases(workspace: Workspace) -> list[str]:
    """Return the folders of all complete releases, relative to the workspace and sorted."""
    folders = [f"releases/{name}" for name in workspace.listdir("releases")]
    return [folder for folder in folders if workspace.exists(f"{folder}/{MANIFEST}")]


def shards_of(workspace: Workspace, folder: str) -> dict[tuple[str, str], list[File]]:
    """Return configuration and split -> shards in order.

    Raises:
        DamagedPart: the release's manifest is damaged.
    """
    shards: dict[tuple[str, str], list[File]] = {}
    for file in release_manifest.read(workspace.filesystem, workspace.path(folder)):
        if file.rows is not None:
            config, _, name = file.path.rpartition("/")
            shards.setdefault((config, split_of(name)), []).append(file)
    return shards


def columns_of(workspace: Workspace, folder: str, shard: File) -> list[str]:
    """Return the names of a shard's columns; raises as ``read_shard`` does."""
    with _opened(workspace, folder, shard) as file:
        return list(file.schema_arrow.names)


def schema_of(workspace: Workspace, folder: str, shard: File) -> pa.Schema:
    """Return the columns of a shard as they are stored; raises as ``read_shard`` does."""
    with _opened(workspace, folder, shard) as file:
        return file.schema_arrow


def read_shard(workspace: Workspace, folder: str, shard: File, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a shard; a column of clips holds their audio ids, and one of lists of clips lists of them.

    Args:
        workspace: where the release lies.
        folder: the release, relative to the workspace.
        shard: the shard.
        columns: which columns, in that order; None = all.

    Raises:
        DamagedPart: the shard is missing, or is not the one of the manifest.
    """
    require_intact(workspace, folder, shard)
    with _opened(workspace, folder, shard) as file:
        schema = file.schema_arrow
        fields = [schema.field(name) for name in (schema.names if columns is None else columns)]
        rows = file.read(columns=_without_bytes(fields))
    return _with_audio_ids(rows, fields)


def rows_without_clips(workspace: Workspace, folder: str, shard: File, rows_at_once: int) -> Iterator[pa.Table]:
    """Yield the rows of a shard, so many at a time, with columns of clips as ``read_shard`` has them.

    The bytes of clips are not read, and so the shard is not compared with its hash.

    Args:
        workspace: where the release lies.
        folder: the release, relative to the workspace.
        shard: the shard.
        rows_at_once: most rows of a table.

    Raises:
        DamagedPart: the shard is missing or cannot be read.
    """
    with _opened(workspace, folder, shard) as file:
        fields = list(file.schema_arrow)
        for batch in file.iter_batches(rows_at_once, columns=_without_bytes(fields)):
            yield _with_audio_ids(pa.Table.from_batches([batch]), fields)


def rows_with_clips(
    workspace: Workspace, folder: str, shard: File, columns: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a shard, some of them in memory at a time; a clip is a record of ``bytes`` and ``path``.

    The shard is not compared with its hash: who reads it several times calls ``require_intact`` once.

    Args:
        workspace: where the release lies.
        folder: the release, relative to the workspace.
        shard: the shard.
        columns: which columns; None = all.

    Raises:
        DamagedPart: the shard is missing or cannot be read.
    """
    with _opened(workspace, folder, shard) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=None if columns is None else list(columns)):
            yield from batch.to_pylist()


def require_intact(workspace: Workspace, folder: str, shard: File) -> None:
    """Compare a shard's bytes with its hash in the manifest.

    Raises:
        DamagedPart: it is missing or was changed.
    """
    path = workspace.path(f"{folder}/{shard.path}")
    try:
        with store_errors(workspace.filesystem, f"reading {path}"), workspace.filesystem.open(path, "rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise DamagedPart(f"{path} cannot be read ({error}): build the release again") from error
    if sha256 != shard.sha256:
        raise DamagedPart(f"{path} was changed since it was released: build the release again")


_LEAVES: Final = {AUDIO: "{}.path", AUDIOS: "{}.list.element.path"}
"""Type of a column of clips -> its part in the Parquet file that holds the audio ids."""


def _without_bytes(fields: Sequence[pa.Field]) -> list[str]:
    return [_LEAVES.get(field.type, "{}").format(field.name) for field in fields]


def _with_audio_ids(rows: pa.Table, fields: Sequence[pa.Field]) -> pa.Table:
    return pa.table({field.name: _audio_ids(rows[field.name], field.type) for field in fields})


def _audio_ids(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    if kind == AUDIO:
        return pc.replace_substring(pc.struct_field(column, "path"), ".flac", "")
    if kind == AUDIOS:
        lists = column.combine_chunks()
        ids = pc.replace_substring(pc.struct_field(lists.values, "path"), ".flac", "")
        return pa.ListArray.from_arrays(lists.offsets, ids, mask=lists.is_null())
    return column


def rows_released(workspace: Workspace, item_ids: Collection[str]) -> list[dict[str, Any]]:
    """Return where these items are in the workspace's releases: ``<item's column>, release, file, row``, rows from 0 on.

    Raises:
        DamagedPart: a manifest or a shard cannot be read.
        StorageError: the workspace cannot be read.
    """
    found = list[dict[str, Any]]()
    wanted = pa.array(sorted(item_ids), pa.string())
    for folder in complete_releases(workspace) if len(wanted) else ():
        for shard in (shard for shards in shards_of(workspace, folder).values() for shard in shards):
            with _opened(workspace, folder, shard) as file:
                column = item_column(file.schema_arrow)
                ids = file.read(columns=[column])[column]
            places = pc.indices_nonzero(pc.is_in(ids, value_set=wanted)).to_pylist()
            release = folder.removeprefix("releases/")
            found += [{column: ids[row].as_py(), "release": release, "file": shard.path, "row": row} for row in places]
    return found


@contextmanager
def _opened(workspace: Workspace, folder: str, shard: File) -> Iterator[pq.ParquetFile]:
    path = workspace.path(f"{folder}/{shard.path}")
    try:
        with store_errors(workspace.filesystem, f"reading {path}"), workspace.filesystem.open(path, "rb") as handle:
            yield pq.ParquetFile(handle)
    except (OSError, pa.ArrowException) as error:
        raise DamagedPart(f"{path} cannot be read ({error}): build the release again") from error
