"""The release that a command is about: that of a recipe's workspace, or a folder or URL."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import DataError
from flows.run.pipeline import PART_SIGN, Build, open_build
from storage.release_diff import Compared
from storage.release_manifest import MANIFEST, File
from storage.release_reader import current_release, release_at, shards_of
from storage.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class NamedRelease:
    """A finished release.

    Attributes:
        workspace: where it lies.
        folder: its folder there.
        builds: the build that made it, or those of a collection's parts; none where only the release is known.
        part: of a collection the part that is meant; None = all.
        parts: names of all parts.
    """

    workspace: Workspace
    folder: str
    builds: Sequence[Build] = ()
    part: str | None = None
    parts: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Its version and digest."""
        return self.folder.rpartition("/")[2]

    @property
    def shards(self) -> dict[tuple[str, str], list[File]]:
        """Configuration and split -> shards; of a part those of its configurations, which have its name or begin with it."""
        found = shards_of(self.workspace, self.folder)
        return (
            found if self.part is None else {key: files for key, files in found.items() if self._part_of(key[0]) == self.part}
        )

    def builds_of(self, configuration: str) -> list[Build]:
        """Return the builds that may have made a configuration: that of its part, where the release is a collection's."""
        if self.part is not None or not self.parts:
            return [*self.builds]
        named = self._part_of(configuration)
        return [build for part, build in zip(self.parts, self.builds, strict=True) if not named or part == named]

    @property
    def compared(self) -> Compared:
        """What ``storage.release_diff`` compares of it."""
        return Compared(workspace=self.workspace, folder=self.folder, shards=self.shards)

    def _part_of(self, configuration: str) -> str:
        named = (part for part in self.parts if configuration == part or configuration.startswith(f"{part}_"))
        return max(named, key=len, default="")


def named_release(named: str, workspace: str | None = None) -> NamedRelease:
    """Return a release.

    Args:
        named: a recipe, a part of a collection as ``<recipe>#<part>``, or the folder or URL of a release.
        workspace: workspace of the recipe; None = its own.

    Raises:
        DataError: the recipe has no release yet, or the folder holds none.
        RecipeError: the recipe cannot be read.
    """
    file, _, part = (named, "", "") if Path(named).exists() else named.partition(PART_SIGN)
    if file.endswith((".yaml", ".yml")) and Path(file).is_file():
        build = open_build(file, workspace, collections=True).as_read_only()
        if part and part not in build.parts:
            open_build(named, workspace)  # says which parts there are
        folder = current_release(build.workspace)
        if folder is None:
            raise DataError(
                f"{named} has no release yet in {build.workspace.url}: build it first, or name its workspace with --workspace"
            )
        builds = [build.parts[part]] if part else [*build.parts.values()] or [build]
        return NamedRelease(workspace=build.workspace, folder=folder, builds=builds, part=part or None, parts=[*build.parts])
    place, folder = release_at(named)
    if not place.exists(f"{folder}/{MANIFEST}"):
        raise DataError(f"{named} is neither a recipe nor a release: it has no {MANIFEST}")
    return NamedRelease(workspace=place, folder=folder)
