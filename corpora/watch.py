"""Noticing that a corpus has changed, without reading it."""

import hashlib
import os
from typing import Final

_AUDIO: Final = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".g722")


def state(root: str, apart_from: str = "") -> str | None:
    """Return a hash that changes when files of a local corpus are added, removed or renamed, or its metadata is edited.

    Looks at the names of all entries, and at size and time of change of what is no audio file: a quick look even at a million
    recordings. Edited audio is not noticed; a package's own folders below ``/usr`` change with the package only and are not
    looked at.

    Args:
        root: the corpus.
        apart_from: a folder that is not looked at even if it lies inside: the workspace, which changes with every write.

    Returns:
        64 hex digits; None for a URL or below ``/usr``, which are read once.
    """
    if "://" in root or root.startswith("/usr/"):
        return None
    hasher = hashlib.sha256()
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if os.path.join(folder, name) != apart_from)  # noqa: PTH118 - as below
        for name in sorted(files):
            hasher.update(f"{os.path.relpath(folder, root)}/{name}\0".encode("utf-8", "surrogateescape"))
            if not name.lower().endswith(_AUDIO):
                facts = os.lstat(os.path.join(folder, name))  # noqa: PTH118 - strings all along: half the time
                hasher.update(f"{facts.st_size} {facts.st_mtime_ns}\0".encode())
    return hasher.hexdigest()
