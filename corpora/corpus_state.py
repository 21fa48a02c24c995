"""Detection of changes in a corpus, without reading its audio."""

import hashlib
import os
from collections.abc import Iterator
from typing import Final

from corpora.links import FollowLinks, bounds, leads_outside

_AUDIO: Final = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".g722")


def state(root: str, apart_from: str = "", follow_links: FollowLinks = "inside") -> str | None:
    """Return a hash that changes when files of a local corpus are added, removed or renamed, or its metadata is edited.

    The hash covers the names of all entries, and size and modification time of files that are no audio, which is fast even for
    a million recordings. Links that a reader follows are followed, and their targets are covered. Edited audio is not detected.
    Folders below ``/usr`` change only with their package and are skipped.

    Args:
        root: the corpus.
        apart_from: a folder to skip: the workspace, which changes with every write.
        follow_links: the option of the corpus's reader.

    Returns:
        64 hex digits; None for a URL or below ``/usr``, which are read once.
    """
    if "://" in root or root.startswith("/usr/"):
        return None
    hasher = hashlib.sha256()
    for folder, entry in _files(root, apart_from, bounds(root, follow_links), set()):
        hasher.update(f"{os.path.relpath(folder, root)}/{entry.name}\0".encode("utf-8", "surrogateescape"))
        if entry.is_symlink():
            hasher.update(f"{os.readlink(entry.path)}\0".encode("utf-8", "surrogateescape"))  # noqa: PTH115 - as below
        if not entry.name.lower().endswith(_AUDIO):
            facts = entry.stat(follow_symlinks=os.path.exists(entry.path))  # noqa: PTH110 - strings all along: half the time
            hasher.update(f"{facts.st_size} {facts.st_mtime_ns}\0".encode())
    return hasher.hexdigest()


def _files(
    folder: str, apart_from: str, allowed: tuple[str, ...] | None, seen: set[str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield a folder's files, then those of its folders, each sorted by name; a link to a visited folder is not followed."""
    seen.add(os.path.realpath(folder))
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    yield from ((folder, entry) for entry in found if not _is_folder(entry))
    for entry in found:
        if not _is_folder(entry) or entry.path == apart_from:
            continue
        if entry.is_symlink() and (leads_outside(entry.path, allowed) or os.path.realpath(entry.path) in seen):
            continue
        yield from _files(entry.path, apart_from, allowed, seen)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
