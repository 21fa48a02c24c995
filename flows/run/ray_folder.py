"""The private folder of an embedded Ray cluster: sockets, logs, spilled objects, token. It is removed when the build ends."""

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from contracts.errors import SetupError

RAY_SUBFOLDER: Final = "r"
"""Ray's folder inside it: Ray makes its topmost folder accessible to everybody, the private one around it is not."""

_PREFIX: Final = "unisrm-ray-"
_OWNER: Final = "owner.lock"
_LONGEST: Final = 107 - len("/r/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store.12")
"""Longest path of a folder in bytes: a Unix socket's path has at most 107."""
_UNCLAIMED_S: Final = 60.0
"""A folder without a lock that is younger than this may be about to be locked."""


@contextlib.contextmanager
def ray_folder() -> Iterator[Path]:
    """Make a folder that only this user can open, and remove it with all that lies in it.

    Folders of killed builds are removed first: the kernel has released the lock in each of them.

    Raises:
        SetupError: the path of every folder for temporary files is too long for a socket in it.
    """
    parents = _parents()
    for parent in parents:
        _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parents[0]))
    claim = folder / "owner.new"
    owner = os.open(claim, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(owner, fcntl.LOCK_EX)
        claim.rename(folder / _OWNER)  # the file never exists without its lock
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(owner)


def write_token(folder: Path) -> Path:
    """Write a fresh random token into a file that only this user can read, and return its path."""
    path = folder / "token"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    return path


def _parents() -> list[Path]:
    """Return the folders for temporary files whose paths are short enough, the configured one first."""
    choices = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - a private folder is made in it
    room = len(_PREFIX) + 10
    fitting = [path for path in choices if len(os.fsencode(path)) + room <= _LONGEST and os.access(path, os.W_OK)]
    if not fitting:
        raise SetupError(
            f"no folder for temporary files has a path short enough for Ray's sockets ({_LONGEST - room} bytes): set TMPDIR"
        )
    return list(dict.fromkeys(fitting))


def _sweep(parent: Path) -> None:
    """Remove this user's folders below ``parent`` whose builds have ended."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            facts = folder.lstat()
            ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()
            if ours and _abandoned(folder, facts.st_mtime):
                shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path, changed: float) -> bool:
    try:
        owner = os.open(folder / _OWNER, os.O_RDWR)
    except FileNotFoundError:
        return time.time() - changed > _UNCLAIMED_S
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(owner)
    return True
