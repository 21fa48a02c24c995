"""Where the links inside a corpus may lead: to what the user named, unless the options say otherwise.

Inside are the corpus's folder and, where that is a snapshot in the cache of a model hub, whose files are links of the form
``snapshots/<revision>/x -> ../../blobs/<hash>``, the folder ``blobs`` beside ``snapshots``. A link to anywhere else could bring
private files of this machine into a release.
"""

import os
from pathlib import Path
from typing import Literal

FollowLinks = Literal["inside", "anywhere"]
"""Which links a reader follows; its option ``follow_links``."""

ADVICE = "set the reader's option follow_links to anywhere if it may be read"


def bounds(root: str, follow: FollowLinks) -> tuple[str, ...] | None:
    """Return the folders, without links in their paths, that a local corpus may be read from; None = any."""
    if follow == "anywhere":
        return None
    real = Path(os.path.realpath(root))
    snapshots = [folder for folder in (real, *real.parents) if folder.name == "snapshots"]
    blobs = [os.path.realpath(folder.parent / "blobs") for folder in snapshots if (folder.parent / "blobs").is_dir()]
    return str(real), *blobs


def leads_outside(path: str, allowed: tuple[str, ...] | None) -> bool:
    """Tell whether a path, all links followed, lies in none of the allowed folders."""
    if allowed is None:
        return False
    real = os.path.realpath(path)
    return not any(real == folder or real.startswith(folder.rstrip("/") + "/") for folder in allowed)
