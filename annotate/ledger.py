"""The ledger: a durable record of every request to a judge and of every reply, so that nothing is paid for twice.

One SQLite file. A request is *reserved*, *sent* (recorded before it leaves this process), and then *replied* or *failed*. A
reply is on the disk before anyone sees it, and before it is parsed: one that no parser can read has been paid for, is
kept, and can be read again by a better parser for nothing.

Money is booked when it may be owed: each attempt books its highest price while it is open; the answer replaces it by the
price of what came back; an attempt that a crash cut off stays booked at its highest price. So ``spend`` never
understates the bill.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from annotate.judge import Answer, Refusal, Reply
from contracts.errors import StorageError

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE requests (
    key TEXT PRIMARY KEY,
    judge TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    judgment_id TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'sent', 'replied', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    open_usd REAL NOT NULL DEFAULT 0,
    spent_usd REAL NOT NULL DEFAULT 0,
    latency_s REAL,
    model_served TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    text TEXT,
    raw TEXT,
    reason TEXT,
    message TEXT
);
CREATE INDEX requests_by_judgment ON requests (judgment_id);
"""
_RESERVE: Final = """
INSERT INTO requests (key, judge, model, prompt_version, judgment_id, repeat, state)
VALUES (?, ?, ?, ?, ?, ?, 'reserved')
ON CONFLICT (key) DO UPDATE SET
    state = 'reserved', spent_usd = spent_usd + open_usd, open_usd = 0, reason = NULL, message = NULL, raw = NULL
WHERE state <> 'replied'
"""
_SEND: Final = """
UPDATE requests SET state = 'sent', attempts = attempts + 1, open_usd = open_usd + ?
WHERE key = ? AND state IN ('reserved', 'sent')
"""
# A rule's answers were never sent: their attempt is counted here.
_COMMIT: Final = """
UPDATE requests SET state = ?, attempts = max(attempts, ?), open_usd = 0, spent_usd = spent_usd + ?, latency_s = ?,
    model_served = ?, input_tokens = ?, output_tokens = ?, text = ?, raw = ?, reason = ?, message = ?
WHERE key = ? AND state IN ('reserved', 'sent')
"""


_REPLIED: Final = """
SELECT key FROM requests WHERE state = 'replied' AND key IN (SELECT value FROM json_each(?))
"""
_REPLIES: Final = """
SELECT key, text, model_served, input_tokens, output_tokens, spent_usd AS cost_usd, latency_s, attempts, raw FROM requests
WHERE state = 'replied' AND key IN (SELECT value FROM json_each(?))
"""
_SPEND: Final = """
SELECT judge, model, sum(state = 'replied'), sum(state = 'failed'),
    coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), total(spent_usd + open_usd)
FROM requests GROUP BY judge, model ORDER BY judge, model
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What is known of a request before it is asked.

    Attributes:
        key: its key.
        judge: judge plug-in.
        model: model asked for.
        prompt_version: hash of the prompt template.
        judgment_id: the judgment for which it was first asked.
        repeat: 0 for the first asking; asking once more has a key of its own.
    """

    key: str
    judge: str
    model: str
    prompt_version: str
    judgment_id: str
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Spend:
    """Sum over one judge and model."""

    judge: str
    model: str
    replied: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


class Ledger:
    """An open ledger file. Use it as a context manager, from one thread."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the ledger, or start a new one.

        Raises:
            StorageError: it cannot be opened or written, is no ledger, or was written by another version of this software.
        """
        self.path = os.fspath(path)
        with self._errors():
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=60)
            self._db.execute("PRAGMA journal_mode = WAL")
            # FULL syncs the log at every commit: an acknowledged reply survives a power cut, not only a kill.
            self._db.execute("PRAGMA synchronous = FULL")
            with self._transaction():
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in _SCHEMA.split(";"):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {_VERSION}")
        if version not in (0, _VERSION):
            self._db.close()
            raise StorageError(f"{self.path} is a ledger of version {version}, this software reads {_VERSION}: update it")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Return those of ``keys`` that have no reply yet, in the order given."""
        with self._errors():
            done = {key for (key,) in self._db.execute(_REPLIED, [json.dumps(list(keys))])}
        return [key for key in keys if key not in done]

    def replies(self, keys: Sequence[str]) -> Iterator[tuple[str, Reply]]:
        """Yield key and reply of those of ``keys`` that were replied, in no particular order."""
        with self._errors():
            cursor = self._db.execute(_REPLIES, [json.dumps(list(keys))])
            names = [column[0] for column in cursor.description[1:]]
            for key, *values in cursor:
                yield key, Reply(**dict(zip(names, values, strict=True)))

    def reserve(self, entries: Iterable[Entry]) -> None:
        """Record requests that are about to be asked, in one transaction; a replied one stays as it is."""
        with self._errors(), self._transaction():
            self._db.executemany(
                _RESERVE,
                (
                    (entry.key, entry.judge, entry.model, entry.prompt_version, entry.judgment_id, entry.repeat)
                    for entry in entries
                ),
            )

    def mark_sent(self, key: str, open_usd: float = 0.0) -> None:
        """Record that an attempt is about to leave this process, and book its highest price.

        Raises:
            StorageError: the request was not reserved, or is answered already.
        """
        with self._errors(), self._transaction():
            self._changed(self._db.execute(_SEND, [open_usd, key]).rowcount, 1, key)

    def commit(self, answers: Sequence[Answer]) -> None:
        """Make answers durable, in one transaction: when it returns they survive a power cut.

        Raises:
            StorageError: the disk refuses, or one of them was not reserved or is answered already; none is committed.
        """
        with self._errors(), self._transaction():
            if answers:
                changed = self._db.executemany(_COMMIT, (_columns(key, answer) for key, answer in answers)).rowcount
                self._changed(changed, len(answers), ", ".join(key for key, _ in answers[:3]))

    def story(self, judgment_id: str) -> list[dict[str, Any]]:
        """Return every column of all that was asked for one judgment, in the order of asking."""
        with self._errors():
            cursor = self._db.execute("SELECT * FROM requests WHERE judgment_id = ? ORDER BY repeat, key", [judgment_id])
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def spend(self) -> list[Spend]:
        """Return replies, failures, tokens and money by judge and model, open attempts at their highest price."""
        with self._errors():
            return [Spend(*row) for row in self._db.execute(_SPEND)]

    def _changed(self, rows: int, wanted: int, keys: str) -> None:
        if rows != wanted:
            raise StorageError(
                f"ledger {self.path}: {wanted - rows} of {wanted} requests ({keys}) are not reserved or already "
                "answered; is another build using this ledger?"
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # a full disk ends the transaction by itself
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"ledger {self.path}: {error}; check that its folder exists, is writable and has free space, "
                "then run the same command again"
            ) from error
        except sqlite3.DatabaseError as error:
            raise StorageError(f"ledger {self.path} is no readable ledger ({error}): restore the file from a backup") from error


def _columns(key: str, answer: Reply | Refusal) -> tuple[object, ...]:
    booked = answer.attempts, answer.cost_usd
    if isinstance(answer, Refusal):
        return ("failed", *booked, None, None, None, None, None, answer.raw, answer.reason, answer.message, key)
    served = answer.latency_s, answer.model_served, answer.input_tokens, answer.output_tokens
    return ("replied", *booked, *served, answer.text, answer.raw, None, None, key)
