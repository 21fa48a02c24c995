"""Files that only their owner may read: keys, and databases with names."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from contracts.errors import SetupError

_OWNER_ONLY: Final = 0o600
_BESIDE: Final = ("", "-wal", "-shm", "-journal")


def make_private(path: str | os.PathLike[str]) -> None:
    """Create a file if it is missing, and make it and SQLite's files beside it readable by its owner only.

    SQLite gives the files beside a database the database's own mode, so those of a database made here stay private.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))
    for ending in _BESIDE:
        file = Path(f"{os.fspath(path)}{ending}")
        # A file of another user is left as it is.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            mode = stat.S_IMODE(file.stat().st_mode)
            if mode & ~_OWNER_ONLY:
                file.chmod(mode & _OWNER_ONLY)


def private(path: Path) -> Path:
    """Make a file private and return its path."""
    make_private(path)
    return path


def require_private(path: Path, what: str) -> None:
    """Refuse a secret that other users can read or write.

    Raises:
        SetupError: it is not private; names the file and the command that helps.
    """
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SetupError(
            f"{what} {path} can be read by others than its owner: run `chmod 600 {path}`; if somebody may have read it, remove "
            "it and run `unisrm-data accept RECIPE secret`: a new one is made, and all links and sessions end"
        )
