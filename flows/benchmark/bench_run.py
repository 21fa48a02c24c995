"""A run of a benchmark: its workspace, its ledger's account and its clips.

The workspace is one of its own: tables hold the answers of judges and metrics about the items of releases, the ledger what they
cost. What was asked or measured before is there, so that a run that was cut off goes on where it was.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import DamagedPart, RecipeError
from contracts.ids import ID_HEX_LENGTH
from flows.benchmark.released_items import OpenRelease
from flows.run.progress import Progress, Silent
from flows.run.question import default_key_variables
from flows.run.settings import Settings
from storage.blobs import BlobStore
from storage.columns import AUDIO, AUDIOS
from storage.release_reader import require_intact
from storage.store_errors import store_errors
from storage.tables import TableStore
from storage.workspace import Workspace

NOTE: Final = "benchmark.json"
_NOTED: Final = json.dumps({"format": 1}).encode() + b"\n"
_AUDIO_ROWS: Final = 100
_AUDIO_ID: Final = rf"[0-9a-f]{{{ID_HEX_LENGTH}}}"


@dataclass(frozen=True, kw_only=True)
class BenchRun:
    """A run (``flows.run.context.RunContext``).

    Attributes:
        workspace: where.
        account: who pays, in the ledger.
        budget_usd: what the account may come to; None = no paid request is allowed.
        progress: observer.
        ray_address: a Ray cluster.
        secrets: environment variables that hold keys.
    """

    workspace: Workspace
    account: str = "bench"
    budget_usd: float | None = None
    progress: Progress = field(default_factory=Silent)
    is_read_only: bool = False
    ray_address: str | None = None
    secrets: frozenset[str] = field(default_factory=default_key_variables)

    @property
    def tables(self) -> TableStore:
        """The tables of the workspace."""
        return TableStore(self.workspace)

    @property
    def blobs(self) -> BlobStore:
        """The audio of the workspace."""
        return BlobStore(self.workspace)


def bench_workspace(url: str | None, release: OpenRelease) -> Workspace:
    """Return the workspace of a benchmark: the one that is named, or one beside the workspaces of builds.

    Raises:
        RecipeError: it is that of a build.
        StorageError: it cannot be reached.
    """
    workspace = Workspace(url or f"{Settings().workspaces.rstrip('/')}/bench-{release.name}")
    workspace.reach()
    if not workspace.exists(NOTE) and workspace.listdir("tables"):
        raise RecipeError(f"workspace {workspace.url} is that of a build: name another one, or a new one, with --workspace")
    return workspace


def mark(run: BenchRun) -> None:
    """Note that the workspace is that of a benchmark. The caller holds its lock."""
    run.workspace.write(NOTE, _NOTED)


def take_clips(run: BenchRun, release: OpenRelease, configuration: str, split: str) -> None:
    """Copy the clips of a split into the workspace, where judges and metrics look for them; those that are there stay.

    The caller holds the workspace's lock. Clips are decoded and compared with their ids where they are read.

    Raises:
        DamagedPart: a shard is missing or was changed.
    """
    mark(run)
    for shard in release.shards_in(configuration, split):
        require_intact(release.workspace, release.folder, shard)
        path = release.workspace.path(f"{release.folder}/{shard.path}")
        files = release.workspace.filesystem
        with store_errors(files, f"reading {path}"), files.open(path, "rb") as handle:
            file = pq.ParquetFile(handle)
            columns = [column.name for column in file.schema_arrow if column.type in (AUDIO, AUDIOS)]
            for batch in file.iter_batches(batch_size=_AUDIO_ROWS, columns=columns):
                for column in columns:
                    _take(run.blobs, batch[column], f"{path}, {column}")


def _take(blobs: BlobStore, column: pa.Array, where: str) -> None:
    cells: list[Any] = column.to_pylist()
    for clip in (clip for cell in cells for clip in (cell if isinstance(cell, list) else [cell]) if clip is not None):
        stem, _, extension = (clip["path"] or "").rpartition(".")
        if extension != "flac" or not re.fullmatch(_AUDIO_ID, stem) or clip["bytes"] is None:
            raise DamagedPart(f"{where}: {clip['path']!r:.80} is no clip of a release: verify it with `unisrm-data verify`")
        if not blobs.workspace.exists(blobs.name(stem)):
            blobs.workspace.write(blobs.name(stem), clip["bytes"])
