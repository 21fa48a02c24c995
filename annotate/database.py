"""Databases of ledgers and listening tests: a SQLite file or PostgreSQL, opened so that commits are durable.

Both have one writer at a time (SQLite's write lock, an advisory lock in PostgreSQL), so nothing that a transaction has read
changes before it writes. That is one rule to reason about instead of two, and costs nothing where writers commit in groups.
"""

import contextlib
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    Engine,
    Index,
    Text,
    TextClause,
    cast,
    create_engine,
    event,
    exc,
    extract,
    func,
    literal,
    make_url,
    pool,
)

from contracts.errors import StorageError

_POSTGRESQL: Final = ("postgresql", "postgres", "postgresql+psycopg")
_SECRET: Final = ("password", "sslpassword")
_BUSY_S: Final = 60
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
# Per transaction, because a pooler before the server may mix sessions: durable, and no snapshot older than the lock.
_BEGIN_POSTGRESQL: Final = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on; "
    f"SET LOCAL lock_timeout = '{_BUSY_S}s'; SET LOCAL idle_in_transaction_session_timeout = '{_BUSY_S}s'; "
    "SELECT pg_advisory_xact_lock({lock})"
)


class DatabaseFailed(StorageError):
    """The database itself fails, whatever the statement."""


class Database:
    """An open database, for one thread at a time.

    Attributes:
        where: path or URL for messages, without its password.
        what: what is kept in it, for messages.
        dialect: ``sqlite`` or ``postgresql``.
    """

    def __init__(self, where: str | os.PathLike[str], *, what: str = "ledger", lock: int = 7297431840021) -> None:
        """Open the file or reach the server.

        Args:
            where: path of a file, or a postgresql:// URL.
            what: what is kept in it, for messages.
            lock: PostgreSQL's advisory lock of its writers; other tables in the same database have another one.

        Raises:
            StorageError: the URL is of an unknown kind, the file or the server refuses, or the server may lose what it
                acknowledges.
        """
        self.what = what
        url = _url(os.fspath(where), what)
        self.dialect = url.get_backend_name()
        self._begin = "BEGIN IMMEDIATE" if self.dialect == "sqlite" else _BEGIN_POSTGRESQL.format(lock=lock)
        self._secrets = [str(secret) for secret in (url.password, *(url.query.get(name) for name in _SECRET)) if secret]
        self.where = url.database or "" if self.dialect == "sqlite" else _shown(url)
        self._depth = 0
        # In order; see ``once_durable``.
        self._when_durable: list[Callable[[], None]] = []
        with self._errors():
            self._engine = _engine(url)
            self.connection: Connection = self._engine.connect()
            if self.dialect == "postgresql" and self.connection.exec_driver_sql("SHOW fsync").scalar() != "on":
                self.close()
                raise StorageError(f"{self.what} {self.where}: the server runs with fsync off and may lose replies; turn it on")

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(exc.SQLAlchemyError):  # the server may be gone
            self.connection.close()
        self._engine.dispose()

    def now(self) -> ColumnElement[float]:
        """Return the time in seconds since 1970, by the clock that all users of the database share."""
        if self.dialect == "sqlite":
            return literal(time.time())
        return cast(extract("epoch", func.clock_timestamp()), Double())

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read.

        Raises:
            DatabaseFailed: the database fails.
        """
        with self._errors():
            yield self.connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Write in one transaction, durable at the end; inside another one, as a part of it.

        Raises:
            DatabaseFailed: the database fails; nothing has been written.
        """
        if self._depth:
            yield self.connection
            return
        with self._errors():
            self.connection.exec_driver_sql(self._begin)
            self._depth += 1
            try:
                yield self.connection
                self.connection.exec_driver_sql("COMMIT")
            except BaseException:
                # A full disk and a lost connection end the transaction by themselves; the first error is the one to raise.
                with contextlib.suppress(exc.SQLAlchemyError):
                    self.connection.exec_driver_sql("ROLLBACK")
                self._when_durable.clear()
                raise
            finally:
                self._depth -= 1
        actions, self._when_durable = self._when_durable, []
        for action in actions:
            action()

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[Connection]:
        """Write a part of the transaction under way, which is undone alone if an error other than the database's escapes it."""
        actions = len(self._when_durable)
        self.connection.exec_driver_sql("SAVEPOINT part")
        try:
            yield self.connection
        except (exc.SQLAlchemyError, DatabaseFailed):
            raise  # the whole transaction fails, and may have ended already
        except BaseException:
            self.connection.exec_driver_sql("ROLLBACK TO SAVEPOINT part")
            self.connection.exec_driver_sql("RELEASE SAVEPOINT part")
            del self._when_durable[actions:]
            raise
        self.connection.exec_driver_sql("RELEASE SAVEPOINT part")

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is under way."""
        return self._depth > 0

    def once_durable(self, action: Callable[[], None]) -> None:
        """Run an action in memory as soon as the transaction under way is committed, and only then."""
        self._when_durable.append(action)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            lines = str(cause).strip().splitlines() or [type(cause).__name__]
            message = lines[0]
            for secret in self._secrets:
                message = message.replace(secret, "***")
            raise DatabaseFailed(f"{self.what} {self.where}: {message}; {self._advice(error, message)}") from None

    def _advice(self, error: exc.SQLAlchemyError, message: str) -> str:
        again = "then run the same command again"
        if self.dialect == "postgresql":
            return f"check that the server runs and that its address, user, password and database are right, {again}"
        if "locked" in message:
            return f"another process has held it for {_BUSY_S} s: look whether one is stuck, {again}"
        if isinstance(error, exc.DatabaseError) and not isinstance(error, exc.OperationalError):
            return f"it is no readable {self.what}: restore the file from a backup"
        return f"check that its folder exists, is writable and has free space, {again}"


def _url(where: str, what: str) -> URL:
    scheme, is_url, rest = where.partition("://")
    if not is_url:
        return URL.create("sqlite", database=where)
    if scheme not in _POSTGRESQL:
        raise StorageError(f"a {what} is a file or a postgresql:// database, not {scheme}://")
    # An @ in a password would make a part of the password the host, and show it.
    if rest.partition("?")[0].count("@") > 1 or not (url := _parsed(where)):
        raise StorageError(
            f"the {what}'s URL cannot be read: write postgresql://USER:PASSWORD@HOST/DATABASE, "
            "with %40 %3A %2F for @ : / in a password"
        )
    return url.set(drivername="postgresql+psycopg")


def _parsed(where: str) -> URL | None:
    try:
        return make_url(where)
    except (exc.ArgumentError, ValueError):
        return None


def _shown(url: URL) -> str:
    bare = url.set(drivername="postgresql", password=None, query={})
    return bare.render_as_string(hide_password=True)


def _engine(url: URL) -> Engine:
    """Return an engine without transactions of its own and without parameters in its messages."""
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "poolclass": pool.NullPool, "hide_parameters": True}
    if url.get_backend_name() == "postgresql":
        return create_engine(url, connect_args={"connect_timeout": 10} if "connect_timeout" not in url.query else {}, **options)
    engine = create_engine(url, connect_args={"timeout": _BUSY_S}, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    _retry_while_busy(lambda: _write_ahead(cursor))
    # FULL syncs the log at every commit: an acknowledged reply survives a power cut, not only a kill.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        cursor.execute("PRAGMA journal_mode = WAL")


def _retry_while_busy(action: Callable[[], None]) -> None:
    """Run an action that SQLite refuses without its usual wait while another process opens the same file."""
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            # The low byte is the error; the others say why.
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > until:
                raise
        time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - so that two processes do not collide again


def text_column(name: str) -> Column[str]:
    """Return a text column without nulls."""
    return Column(name, Text, nullable=False)


def sum_column(name: str) -> Column[int]:
    """Return a column of whole numbers, 0 by default."""
    return Column(name, BigInteger, nullable=False, server_default="0")


def partial_index(name: str, *columns: Column[Any], where: ColumnElement[bool] | TextClause, unique: bool = False) -> Index:
    """Return an index over some rows only, in either database."""
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)
