"""The release that a command is about: that of a recipe's workspace, or a folder or URL."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import DataError
from flows.run.pipeline import Build, open_build
from storage.release_manifest import MANIFEST
from storage.release_reader import current_release
from storage.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class NamedRelease:
    """A finished release.

    Attributes:
        workspace: where it lies.
        folder: its folder there.
        builds: the build that made it, or those of a collection's parts; none where only the release is known.
    """

    workspace: Workspace
    folder: str
    builds: Sequence[Build] = ()

    @property
    def name(self) -> str:
        """Its version and digest."""
        return self.folder.rpartition("/")[2]


def named_release(named: str, workspace: str | None = None) -> NamedRelease:
    """Return a release.

    Args:
        named: a recipe, or the folder or URL of a release.
        workspace: workspace of the recipe; None = its own.

    Raises:
        DataError: the recipe has no release yet, or the folder holds none.
        RecipeError: the recipe cannot be read.
    """
    if named.endswith((".yaml", ".yml")) and Path(named).is_file():
        build = open_build(named, workspace, collections=True).as_read_only()
        folder = current_release(build.workspace)
        if folder is None:
            raise DataError(f"{named} has no release yet: build it first")
        return NamedRelease(workspace=build.workspace, folder=folder, builds=[*build.parts.values()] or [build])
    where = named.rstrip("/") if "://" in named else os.path.abspath(named)
    parent, _, name = where.rpartition("/")
    opened = Workspace(parent or "/")
    if not opened.exists(f"{name}/{MANIFEST}"):
        raise DataError(f"{named} is neither a recipe nor a release: it has no {MANIFEST}")
    return NamedRelease(workspace=opened, folder=name)
