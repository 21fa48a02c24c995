"""The lock of a workspace on a local disk: the operating system releases it even after ``kill -9``."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from storage.lease import LeaseOwner, locked
from storage.local_files import storage_errors


@contextlib.contextmanager
def local_lock(path: Path, url: str) -> Iterator[None]:
    """Lock a workspace on a local disk.

    Args:
        path: the lock file.
        url: the workspace, for messages.

    Raises:
        WorkspaceLocked: another process has it.
        StorageError: the lock file cannot be written.
    """
    with storage_errors(f"opening the workspace {url}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+", encoding="utf-8", errors="replace")
    with handle:
        with storage_errors(f"locking the workspace {url}"):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.seek(0)
                raise locked(url, _owner(handle.read())) from None
            handle.truncate(0)
            handle.write(LeaseOwner.this_process().to_json().decode())
            handle.flush()
        yield


def _owner(lock: str) -> LeaseOwner | None:
    with contextlib.suppress(ValueError):
        return LeaseOwner.from_json(lock.encode())
    return None
