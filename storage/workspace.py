"""The workspace: one folder or bucket prefix that holds all tables, blobs and releases of one recipe.

Layout below the root::

    lock                           of the running build
    workspace.json                 format of the workspace
    blobs/ab/ab12....flac          audio by content (storage.blobs)
    cache/clips/                   the same in providers' formats; may be deleted (annotate.models.provider_clips)
    tables/<name>/manifest.json    the committed parts of a table (storage.tables)
    tables/<name>/<digest>.parquet
    releases/<version>/            finished releases (storage.release_writer)

Any fsspec URL works; a bare path is local. A local write goes to a hidden neighbour, is flushed to the disk and then
renamed; an object store's single PUT is atomic by itself. So no reader ever sees half a file under its final name.
"""

import contextlib
import errno
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import fsspec
from fsspec.implementations.local import LocalFileSystem

from contracts.errors import StorageError
from storage.lease import Lease
from storage.local_files import ADVICE, atomic_path, storage_errors
from storage.local_lock import local_lock
from storage.store_errors import STORE_ADVICE, in_one_line, store_errors

FORMAT_FILE: Final = "workspace.json"
FORMAT: Final = 1
"""Format of a workspace as a whole; another one is refused. Tables have versions of their own (``contracts.migrations``)."""

_REACH_S: Final = 60.0
"""Time limit of a store's first answer."""


class Workspace:
    """Files below one root, with atomic writes. Cheap to open and to pickle: a worker opens its own by URL."""

    def __init__(self, url: str | os.PathLike[str]) -> None:
        given = os.fspath(url)
        if not given or "\0" in given:
            raise StorageError(f"workspace {given!r}: no folder or URL has that name")
        if "@" in given.partition("://")[2].partition("/")[0]:
            raise StorageError(
                "a workspace URL must not hold a login: give it by the environment or the store's own configuration"
            )
        try:
            # No cached listings: a build must see what other processes have written since.
            self._fs, self._root = fsspec.core.url_to_fs(given, **({"use_listings_cache": False} if "://" in given else {}))
        except (ImportError, ValueError, TypeError, OSError) as error:
            raise StorageError(f"workspace {given}: {error}") from error
        self.is_local: bool = isinstance(self._fs, LocalFileSystem)
        if self.is_local:
            self._root = os.path.abspath(self._root)
        self._root = self._root.rstrip("/")
        self.url: str = self._root if self.is_local else given.rstrip("/")
        self._lease: Lease | None = None

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.url,)

    def path(self, name: str) -> str:
        """Return the file system's own path of a name below the root."""
        return f"{self._root}/{name}"

    def local_path(self, name: str) -> Path:
        """Return a real path below the root.

        Raises:
            StorageError: the workspace is not on a local disk.
        """
        if not self.is_local:
            raise StorageError(f"{self.url} is not on a local disk, but {name} must be")
        return Path(self.path(name))

    @property
    def filesystem(self) -> Any:
        """The fsspec file system, for readers that take one."""
        return self._fs

    def exists(self, name: str) -> bool:
        """Tell whether a file or folder of that name exists."""
        with self._errors(f"looking for {self.path(name)}"):
            return bool(self._fs.exists(self.path(name)))

    def listdir(self, name: str) -> list[str]:
        """Return the names directly below a folder, sorted; none if there is no such folder.

        Raises:
            StorageError: it is a file, or cannot be read.
        """
        if self.is_local and Path(self.path(name)).is_file():
            raise StorageError(f"listing {self.path(name)}: {ADVICE[errno.ENOTDIR]}")
        self._fs.invalidate_cache()
        folder = self.path(name).rstrip("/")
        try:
            with self._errors(f"listing {folder}"):
                entries = [entry.rstrip("/") for entry in self._fs.ls(folder, detail=False)]
        except FileNotFoundError:
            return []
        # Some stores list an empty folder as an entry of itself.
        return sorted(entry.rsplit("/", 1)[-1] for entry in entries if entry != folder)

    def sizes(self, name: str) -> dict[str, int]:
        """Return name -> bytes of the files directly below a folder; none if there is no such folder.

        Raises:
            StorageError: it is a file, or cannot be read.
        """
        try:
            with self._errors(f"listing {self.path(name)}"):
                entries = self._fs.ls(self.path(name), detail=True)
        except FileNotFoundError:
            return {}
        return {entry["name"].rsplit("/", 1)[-1]: int(entry["size"]) for entry in entries if entry["type"] == "file"}

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            FileNotFoundError: no such file.
            StorageError: it cannot be read.
        """
        with self._errors(f"reading {self.path(name)}"):
            return bytes(self._fs.cat_file(self.path(name)))

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file atomically and durably.

        Raises:
            LeaseLost: this object has lost its lease on the workspace; nothing is written.
            StorageError: the disk is full or read-only, or the store fails; no partial file is left.
        """
        self.require_lease()
        path = self.path(name)
        with storage_errors(f"writing {path}"), self._errors(f"writing {path}"):
            if not self.is_local:
                self._fs.pipe_file(path, data)
                return
            with atomic_path(Path(path)) as temporary:
                temporary.write_bytes(data)

    def put_file(self, source: Path, name: str) -> None:
        """Copy a file of this machine into the workspace; raises what ``write`` does."""
        self.require_lease()
        path = self.path(name)
        with storage_errors(f"writing {path}"), self._errors(f"writing {path}"):
            self._fs.put_file(str(source), path)

    def remove(self, name: str) -> None:
        """Remove a file if it is there.

        Raises:
            LeaseLost: this object has lost its lease on the workspace; nothing is removed.
        """
        self.require_lease()
        with contextlib.suppress(FileNotFoundError), self._errors(f"removing {self.path(name)}"):
            self._fs.rm_file(self.path(name))

    def reach(self) -> None:
        """Check within a minute that the workspace can be used; it need not exist yet.

        Raises:
            StorageError: it is no folder, its store or bucket cannot be reached, or a newer version made it; names the URL.
        """
        if self.is_local:
            # Missing folders will be made below the nearest existing one.
            found = next(path for path in (Path(self._root), *Path(self._root).parents) if os.path.lexists(path))
            if not found.is_dir():
                raise StorageError(f"workspace {self.url}: {found} is no folder: choose another one with --workspace")
            self._require_format()
            return
        problems = list[Exception]()
        thread = threading.Thread(target=self._list_root, args=(problems,), daemon=True)
        thread.start()
        thread.join(_REACH_S)
        if thread.is_alive():
            raise StorageError(f"workspace {self.url}: no answer within {_REACH_S:g} s; {STORE_ADVICE}")
        if problems:
            raise StorageError(f"workspace {self.url}: {in_one_line(problems[0])}; {STORE_ADVICE}") from problems[0]
        self._require_format()

    def _require_format(self) -> None:
        """Refuse a workspace of another format. A damaged note says nothing, and the next fan-out writes it anew."""
        try:
            noted = json.loads(self.read(FORMAT_FILE))
        except (FileNotFoundError, StorageError, ValueError, RecursionError):
            return
        if isinstance(noted, dict) and noted.get("format", FORMAT) != FORMAT:
            raise StorageError(
                f"workspace {self.url}: {FORMAT_FILE} says format {noted['format']!r}, and this version knows {FORMAT}: "
                "install the unisrm-data that made it, or a later one, or choose another workspace"
            )

    def note_format(self) -> None:
        """Write the note of the workspace's format; raises what ``write`` does."""
        self.write(FORMAT_FILE, json.dumps({"format": FORMAT}).encode() + b"\n")

    def _list_root(self, problems: list[Exception]) -> None:
        try:
            self._fs.ls(self._root, detail=False)
        except FileNotFoundError as error:
            if error.__cause__ is not None:  # an answer of the store, such as: no such bucket
                problems.append(error)
        except Exception as error:  # noqa: BLE001 - raised again by the caller's thread
            problems.append(error)

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn errors of the file system into a ``StorageError``, except that of a missing file."""
        try:
            with store_errors(self._fs, what), storage_errors(what):
                yield
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise error.__cause__ from None
            raise

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Lock the workspace for one build.

        On a local disk this is an operating-system lock, see ``storage.local_lock``; in an object store a lease, see
        ``storage.lease``.

        Raises:
            WorkspaceLocked: another build has it; the message names its host and process, and when the lock expires if that
                build is dead.
            LeaseLost: the lease was lost inside the block; nothing was written since.
            StorageError: the store cannot keep two builds apart, or the lock is damaged.
        """
        return local_lock(Path(self.path("lock")), self.url) if self.is_local else self._remote_lock()

    def require_lease(self) -> None:
        """Check that a lease taken through this object is still valid; for loops that go long without a write.

        Raises:
            LeaseLost: another build may have the workspace by now.
        """
        if self._lease is not None:
            self._lease.check()

    @contextlib.contextmanager
    def _remote_lock(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            locking = f"locking the workspace {self.url}"
            with storage_errors(locking), self._errors(locking):  # errors inside the block are no errors of locking
                lease = Lease(self._fs, self.path("lock"), self.url)
                stack.enter_context(lease.held())
            self._lease = lease
            try:
                yield
            finally:
                if not lease.is_lost:  # a lost lease is kept, so that it refuses later writes
                    self._lease = None
