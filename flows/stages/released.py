"""The release of a build: which it is, what is wrong with its files, and the state in which they were found right."""

import json
from typing import Final

from contracts.errors import DamagedPart, DamagedState, StorageError
from flows.run.pipeline import Build
from storage import release_manifest
from storage.release_manifest import Fault
from storage.release_reader import current_release, note_release

_SEAL: Final = "releases/sealed.json"


def release_of(build: Build) -> str | None:
    """Return the folder or URL of the build's release; None if there is none, or if the note of it is damaged.

    The note is a pointer only: the stage that finds none writes the release, or finds the very same one, and notes it anew.
    """
    try:
        name = current_release(build.workspace)
    except DamagedState:
        return None
    return name and f"{build.workspace.url}/{name}"


def release_faults(build: Build) -> list[Fault]:
    """Return what is wrong with the files of the build's release, none if there is no release.

    Presence and sizes are always compared. A file is hashed unless it is, by all that its file system says of it (size, times
    of change, inode or ETag), as it was when its hash was right: 1 s a GB, and none for a release that nobody touched. What
    changes on a disk without the file system's knowledge is for ``unisrm-data verify``.
    """
    if (url := release_of(build)) is None:
        return []
    name = url.removeprefix(f"{build.workspace.url}/")
    filesystem, root = build.workspace.filesystem, build.workspace.path(name)
    try:
        files = release_manifest.read(filesystem, root)
    except DamagedPart as error:
        return [Fault(path=release_manifest.MANIFEST, kind="changed", what=f"is damaged: {error}")]
    now = release_manifest.states(filesystem, root)
    found = release_manifest.faults(filesystem, root, files, hashed=_HASHED.get(url) or _sealed(build, name))
    if not any(fault.kind != "unlisted" for fault in found):
        _HASHED[url] = now
    return found


def seal_release(build: Build) -> str | None:
    """Note the state in which the release's files were found right, and return its folder or URL; None if there is none."""
    url = release_of(build)
    if url is not None and (states := _HASHED.get(url)) is not None:
        name = url.removeprefix(f"{build.workspace.url}/")
        if _sealed(build, name) != states:
            build.workspace.write(_SEAL, json.dumps({"folder": name, "states": states}, indent=1).encode())
    return url


def _sealed(build: Build, name: str) -> release_manifest.States:
    try:
        seal = json.loads(build.workspace.read(_SEAL))
        return dict(seal["states"]) if seal["folder"] == name else {}
    except (FileNotFoundError, StorageError, ValueError, KeyError, TypeError):
        return {}  # it saves hashing, no more


def publish(build: Build, folder: str) -> None:
    """Note a release that was written as that of the build."""
    note_release(build.workspace, folder)
    # What was written, or hashed, a moment ago need not be read once more.
    _HASHED[f"{build.workspace.url}/{folder}"] = release_manifest.states(
        build.workspace.filesystem, build.workspace.path(folder)
    )
    seal_release(build)


_HASHED: Final[dict[str, release_manifest.States]] = {}
"""Release -> states in which this process found its files right: the stage looks several times in one build."""
