"""Workspaces and releases as data frames, for notebooks. Nothing is written or locked; neither Ray nor Prefect is started."""

import os
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from contracts.errors import DataError, RecipeError
from contracts.ids import ID_HEX_LENGTH
from contracts.schemas import SCHEMAS, schema_of
from flows.run.pipeline import PART_SIGN, Build, open_build
from flows.views.explain import story_of
from flows.views.near_ids import near_ids
from storage import release_reader
from storage.blobs import BlobStore
from storage.release_manifest import File
from storage.tables import TableStore
from storage.workspace import Workspace

_AUDIO_ID: Final = re.compile(rf"[0-9a-f]{{{ID_HEX_LENGTH}}}")


def open_workspace(source: str | os.PathLike[str], workspace: str | None = None) -> "WorkspaceReader":
    """Open a workspace for reading.

    Args:
        source: folder or URL of a workspace, or a recipe (a file, or a name that ends in ``.yaml`` or ``.yml``). Of a
            collection it has the releases; its tables are those of its parts, as ``RECIPE.yaml#PART``.
        workspace: where the recipe's workspace is; None = where ``unisrm-data build`` puts it.

    Raises:
        RecipeError: the recipe is wrong.
        DataError: nothing was built there yet.
        StorageError: the workspace is no folder, or its store is not there or refuses.
    """
    given = os.fspath(source)
    file = given.partition(PART_SIGN)[0]
    if "://" not in given and (file.endswith((".yaml", ".yml")) or Path(given).is_file()):
        build = open_build(given, workspace, collections=True).as_read_only()
        reader = WorkspaceReader(build.workspace, build)
    else:
        if workspace is not None:
            raise RecipeError(f"{given} is no recipe: give either a recipe and its workspace, or the workspace alone")
        opened = Workspace(given)
        opened.reach()
        reader = WorkspaceReader(opened)
    if not (reader.tables or reader.releases):
        raise DataError(f"{reader.url} holds no tables: build something there first, or give the folder that has `tables`")
    return reader


class WorkspaceReader:
    """Tables, audio and releases of one workspace.

    Attributes:
        url: folder or URL.
    """

    def __init__(self, workspace: Workspace, build: Build | None = None) -> None:
        """Take an open workspace.

        Args:
            workspace: the workspace.
            build: the build of its recipe that only looks; None = the recipe is not known.
        """
        self.url = workspace.url
        self._workspace, self._build = workspace, build
        self._store, self._blobs = TableStore(workspace), BlobStore(workspace)
        self._clips: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"<workspace {self.url}: {len(self.tables)} tables, {len(self.releases)} releases>"

    @property
    def tables(self) -> list[str]:
        """Names of the tables that are there, sorted; ``drops@filters`` is the partition that the stage ``filters`` wrote."""
        return [name for name in self._workspace.listdir("tables") if name.partition("@")[0] in SCHEMAS]

    @property
    def releases(self) -> list[str]:
        """Names of the complete releases, such as ``0.1.0-0123456789ab``, sorted."""
        return [folder.removeprefix("releases/") for folder in release_reader.complete_releases(self._workspace)]

    def table(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows of a table; null is unknown, and a map is a dict.

        Args:
            name: name of a table. One that has only partitions, such as ``drops``, is all of them together.
            columns: which columns, in that order; None = all.

        Raises:
            DataError: there is no such table or column; names those that are there.
            StorageError: the table is damaged, or was written by a newer version.
        """
        there = self.tables
        parts = [name] if name in there else [part for part in there if part.startswith(f"{name}@")]
        if not parts:
            raise DataError(f"{self.url} has no table {name!r}{_hint(name, there)}")
        _require_columns(f"table {name}", columns, schema_of(name).names)
        return _frame(pa.concat_tables([self._store.read(part, columns) for part in parts]))

    def audio(self, clip: str) -> tuple[npt.NDArray[np.float32], int]:
        """Return a clip as float32 in [-1, 1), shape (n,), and its sample rate in Hz.

        Args:
            clip: ``sample_id``, or ``audio_id`` of a sample, of a recording or in a release.

        Raises:
            DataError: there is no such sample; names those with similar ids.
            DamagedPart: the file is missing, does not decode, or holds something else than what was stored.
        """
        if clip not in self._clips:
            samples = self._store.read("samples", ["sample_id", "audio_id"])
            self._clips = dict(zip(samples["sample_id"].to_pylist(), samples["audio_id"].to_pylist(), strict=True))
        audio_id = self._clips.get(clip, clip)
        if clip not in self._clips and not (_AUDIO_ID.fullmatch(clip) and self._workspace.exists(self._blobs.name(clip))):
            near = near_ids(clip, self._clips)
            hint = f"did you mean {' or '.join(near)}?" if near else 'see table("samples")'
            raise DataError(f"{self.url} has no sample or clip {clip!r}: {hint}")
        return self._blobs.waveform(audio_id)

    def release(self, version: str | None = None) -> "ReleaseReader":
        """Return a release.

        Args:
            version: its name, or its version where only one release has that; None = the one of the last build.

        Raises:
            DataError: there is no such release, or several; names those that are there.
            DamagedPart: its manifest is damaged.
        """
        names = self.releases
        found = [name for name in names if version in {None, name, name.rpartition("-")[0]}]
        if len(found) != 1 and (current := release_reader.current_release(self._workspace)) is not None:
            found = [name for name in found if name == current.removeprefix("releases/")] or found
        if not found:
            wanted = "release" if version is None else f"release {version!r}"
            raise DataError(f"{self.url} has no {wanted}{_hint(version or '', names)}")
        if len(found) > 1:
            raise DataError(f"{self.url} has {len(found)} releases {version or ''}: name one of {', '.join(found)}")
        return ReleaseReader(self._workspace, found[0])

    def explain(self, name: str) -> dict[str, Any]:
        """Return the whole story of a row, as ``unisrm-data explain`` tells it: chapter -> facts.

        Args:
            name: a pair, sample, prompt, utterance or file, by its id, a corpus's own id or a file name.

        Raises:
            RecipeError: the workspace was opened without its recipe.
            DataError: nothing has that name, or several rows have it.
        """
        if self._build is None:
            raise RecipeError(f'explain needs the recipe too: open_workspace("RECIPE.yaml", {self.url!r})')
        return story_of(self._build.as_read_only(), name)


class ReleaseReader:
    """One finished release.

    Attributes:
        name: its version and the hash of its content.
        url: folder or URL, as ``datasets.load_dataset`` takes it.
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        """Take a release.

        Args:
            workspace: where it lies.
            name: its folder below ``releases``.
        """
        self.name, self.url = name, f"{workspace.url}/releases/{name}"
        self._workspace, self._folder = workspace, f"releases/{name}"

    def __repr__(self) -> str:
        return f"<release {self.url}: {', '.join(f'{config}/{split}' for config, split in self._shards)}>"

    @cached_property
    def _shards(self) -> dict[tuple[str, str], list[File]]:
        return release_reader.shards_of(self._workspace, self._folder)

    @property
    def splits(self) -> dict[str, list[str]]:
        """Configuration -> its splits that have rows."""
        splits: dict[str, list[str]] = {}
        for config, split in self._shards:
            splits.setdefault(config, []).append(split)
        return splits

    def split(self, name: str, columns: Sequence[str] | None = None, *, config: str | None = None) -> pd.DataFrame:
        """Return the rows of a split; in the place of its clips are their audio ids, for ``WorkspaceReader.audio``.

        Args:
            name: name of the split.
            columns: which columns, in that order; None = all.
            config: configuration, such as ``task1``; None = the only one with such a split.

        Raises:
            DataError: there is no such split or column, or several configurations have that split; names what is there.
            DamagedPart: a file of the release is missing or damaged.
        """
        found = [key for key in self._shards if key[1] == name and config in {None, key[0]}]
        if len(found) != 1:
            there = "; ".join(f"{config} has {', '.join(splits)}" for config, splits in self.splits.items())
            problem = f"several configurations with a split {name!r}, name one by config=" if found else f"no split {name!r}"
            raise DataError(f"{self.url} has {problem}: {there}")
        shards = self._shards[found[0]]
        _require_columns(f"split {name}", columns, release_reader.columns_of(self._workspace, self._folder, shards[0]))
        return _frame(
            pa.concat_tables([release_reader.read_shard(self._workspace, self._folder, shard, columns) for shard in shards])
        )


def _require_columns(what: str, columns: Sequence[str] | None, there: Sequence[str]) -> None:
    for column in [columns] if isinstance(columns, str) else columns or ():
        if column not in there:
            raise DataError(f"{what} has no column {column!r}{_hint(column, there)}")
    if isinstance(columns, str):
        raise DataError(f"{what}: columns are a list: [{columns!r}]")


def _hint(given: str, there: Sequence[str]) -> str:
    close = get_close_matches(given, there, n=1)
    nearest = f": did you mean {close[0]!r}?" if close else ":"
    return f"{nearest} it has {', '.join(there) or 'none'}"


def _frame(rows: pa.Table) -> pd.DataFrame:
    return rows.to_pandas(maps_as_pydicts="strict")
