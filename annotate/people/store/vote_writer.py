"""Many threads write to one database, each waiting until its own part is durable.

The thread that gets the turn writes for all that wait, in one transaction (``annotate.group_commit``). No thread waits for a
lock of the database by sleeping and trying again.
"""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from annotate.database import Database, DatabaseFailed
from annotate.group_commit import WriteJob, commit_together
from storage.private_files import make_private

T = TypeVar("T")

_TOGETHER: Final = 64
"""Most parts of one transaction, so that the first of them does not wait long for the last."""

_LOCK: Final = 7297431840022
"""PostgreSQL's advisory lock of those who write to a listening test."""

_READERS: Final = 4
"""Idle connections that are kept for the next reader."""


@dataclass(kw_only=True, eq=False, slots=True)
class _Part(WriteJob):
    """What one thread wants written."""

    action: Callable[[Connection], Any]


class Commits:
    """A database that any number of threads may write to and read from.

    Attributes:
        where: path or URL for messages, without its password.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        """Open it.

        Raises:
            StorageError: see ``Database``.
        """
        self._where = where
        if "://" not in os.fspath(where):  # names and votes are nobody else's business
            with contextlib.suppress(FileNotFoundError, PermissionError):  # which the database says better
                make_private(where)
        self._turn = threading.Lock()
        self._waiting: deque[_Part] = deque()
        self._writer: Database | None = self._open()
        self._readers: deque[Database] = deque()
        self.where = self._writer.where

    def _open(self) -> Database:
        """Return a connection of one's own.

        Raises:
            StorageError: see ``Database``.
        """
        return Database(self._where, what="listening test", lock=_LOCK)

    def close(self) -> None:
        """Close all connections that nobody is using."""
        with self._turn:
            if self._writer:
                self._writer.close()
                self._writer = None
        while self._readers:
            self._readers.pop().close()

    def write(self, action: Callable[[Connection], T]) -> T:
        """Run an action in a transaction and return its result once that is durable.

        If the action raises, nothing of it is written, and the parts of others in the same transaction are; the action may run
        twice.

        Raises:
            DatabaseFailed: the database fails; nothing has been written.
        """
        part = _Part(action=action)
        self._waiting.append(part)
        with self._turn:
            while not part.done:
                self._write_waiting()
        if part.error is not None:
            raise part.error
        return part.result  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read what has been committed.

        Raises:
            DatabaseFailed: the database fails.
        """
        try:
            database = self._readers.pop()
        except IndexError:
            database = self._open()
        try:
            with database.reading() as connection:
                yield connection
        except DatabaseFailed:  # its connection may be of no more use
            database.close()
            raise
        except BaseException:
            self._keep(database)
            raise
        self._keep(database)

    def _keep(self, database: Database) -> None:
        if len(self._readers) < _READERS:
            self._readers.append(database)
        else:
            database.close()

    def _write_waiting(self) -> None:
        parts = [self._waiting.popleft() for _ in range(min(len(self._waiting), _TOGETHER))]
        try:
            commit_together(parts, self._run, transaction=self._transaction, savepoint=self._savepoint)
        except BaseException as error:
            if self._writer is not None:  # its connection may be of no more use
                self._writer.close()
                self._writer = None
            if not isinstance(error, DatabaseFailed):
                raise

    def _run(self, parts: Sequence[_Part]) -> None:
        assert self._writer is not None
        for part in parts:
            part.result = part.action(self._writer.connection)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._writer is None:
            self._writer = self._open()
        with self._writer.writing():
            yield

    def _savepoint(self) -> contextlib.AbstractContextManager[Connection]:
        assert self._writer is not None
        return self._writer.savepoint()
