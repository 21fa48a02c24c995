"""Files and folders on a local disk: atomic writes, and advice on the operating system's errors."""

import contextlib
import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from contracts.errors import DataError, StorageError

ADVICE: Final = {
    errno.ENOSPC: "the disk is full: free some space or move the workspace, then run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space or move the workspace, then run the same command again",
    errno.EROFS: "the file system is read-only: choose another {place}",
    errno.EACCES: "permission denied: give this user access, or choose another {place}",
    errno.ENOTDIR: "a file stands where a folder should be: move it away, then run the same command again",
    errno.EISDIR: "a folder stands where a file should be: move it away, then run the same command again",
}
"""Number of an operating-system error -> what to do about it; ``{place}`` = what else the user can name."""

OUTPUT: Final = "place with --output"
"""What else to name where a command writes what ``--output`` names."""


@contextlib.contextmanager
def storage_errors(what: str, place: str = "workspace with --workspace") -> Iterator[None]:
    """Turn operating-system errors of reading or writing ``what`` into a ``StorageError`` that says what to do.

    Args:
        what: what is read or written.
        place: what else the user can name, and by which option.
    """
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, "").format(place=place) or " ".join(str(error).split()) or type(error).__name__
        raise StorageError(f"{what}: {advice}") from error


@contextlib.contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Yield a temporary neighbour of ``final``; on success flush it to the disk and rename it, on error remove it."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(final)
        sync(final.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def new_folder(final: Path, place: str = OUTPUT) -> Iterator[Path]:
    """Yield a temporary neighbour of ``final``; on success flush it to the disk and rename it, on error remove it.

    Args:
        final: the folder.
        place: what else the user can name, and by which option (``storage_errors``).

    Raises:
        DataError: something is at ``final`` already.
        StorageError: the disk refuses.
    """
    if final.exists() and (not final.is_dir() or any(final.iterdir())):
        raise DataError(f"{final} is there already: name a folder that is not, or remove it")
    with storage_errors(str(final), place):
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".tmp", dir=final.parent))
        try:
            temporary.chmod(0o755)
            yield temporary
            for path in [*temporary.rglob("*"), temporary]:
                sync(path)
            temporary.replace(final)
            sync(final.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def sync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
