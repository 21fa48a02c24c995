"""Tables are made once, those of version 1 become ours with every reply and every cent, and newer ones are left alone."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from annotate.models.ledger.ledger import Ledger
from annotate.models.request import Reply
from contracts.errors import StorageError
from tests.annotate import ledgers
from tests.annotate.ledgers import balanced, entry, query

place = ledgers.place

# What version 1 wrote.
VERSION_1 = """
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
PRAGMA user_version = 1;
INSERT INTO requests VALUES
    ('r', 'gemini', 'm', 'v', 'j1', 0, 'replied', 2, 0, 0.1, 1.5, 'm-1', 5, 7, 'text; with ''marks''', '{"a": 1}', NULL, NULL),
    ('f', 'gemini', 'm', 'v', 'j2', 1, 'failed', 1, 0, 0.2, NULL, NULL, NULL, NULL, NULL, NULL, 'blocked', 'why'),
    ('s', 'gemini', 'm', 'v', 'j3', 0, 'sent', 1, 0.7, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('n', 'gemini', 'm', 'v', 'j4', 0, 'reserved', 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"""


@pytest.fixture
def old(tmp_path: Path) -> str:
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_1)
    return str(path)


def test_version_1_becomes_ours(old):
    """Its replies are read, what it spent counts for the account that opens it, and what it left open can be asked."""
    with Ledger(old, account="here") as ledger:
        kept = Reply(
            text="text; with 'marks'", model_served="m-1", input_tokens=5, output_tokens=7, cost_usd=0.1, latency_s=1.5,
            attempts=2, raw='{"a": 1}',
        )  # fmt: skip
        assert ledger.replies(["r", "f", "s", "n"]) == {"r": kept}
        assert ledger.owed_usd() == 1.0
        assert [(line.task, line.replied, line.failed, line.cost_usd) for line in ledger.spend()] == [("", 1, 1, 1.0)]
        (failed,) = ledger.history("j2")
        assert (failed["state"], failed["reason"], failed["repeat"], failed["spent_usd"]) == ("failed", "blocked", 1, 0.2)
        assert ledger.claim([entry(key) for key in "rfsn"]) == ["f", "s", "n"]
        assert ledger.mark_sent([("n", 0.25)], 1.2) == ["n"]
    assert balanced(old) == {"here": 10**12}
    assert query(old, "SELECT count(*) FROM sqlite_master WHERE name = 'requests'") == [(0,)]


def test_what_nobody_is_named_for_goes_to_the_first_who_is(old):
    """A look at an old ledger without an account does not hide its spend from the recipe that pays for it."""
    with Ledger(old) as looking:
        assert looking.owed_usd() == 1.0
    with Ledger(old, account="here") as ledger:
        assert ledger.owed_usd() == 1.0
    with Ledger(old, account="there") as other, Ledger(old) as looking:
        assert (other.owed_usd(), looking.owed_usd()) == (0.0, 0.0)
    assert balanced(old) == {"here": 10**12}


def test_unnamed_money_is_added_to_what_is_owed_already(place):
    """Requests, losses and batches without an account come along."""
    with Ledger(place) as ledger, Ledger(place, account="here") as here:
        ledger.claim([entry("a"), entry("b"), entry("c")])
        ledger.mark_sent([("a", 0.5), ("b", 0.5)], 9.0)
        ledger.record_batch("first", "gemini", "m", [("c", 0.5)], 9.0)
        here.claim([entry("d")])
        here.mark_sent([("d", 0.5)], 9.0)
    with Ledger(place, account="here") as ledger:
        assert ledger.owed_usd() == 2.0
        assert [batch.name for batch in ledger.open_batches("gemini", "m")] == ["first"]
    assert balanced(place) == {"here": 2 * 10**12}


def test_a_move_that_fails_leaves_version_1_as_it_was(old):
    """All of it or nothing: a full disk in the middle costs nothing."""
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("CREATE INDEX ledger_requests_by_row ON requests (text)")
    before = query(old, "SELECT * FROM requests ORDER BY key")
    with pytest.raises(StorageError, match="ledger_requests_by_row already exists"):
        Ledger(old)
    assert query(old, "SELECT * FROM requests ORDER BY key") == before
    assert query(old, "PRAGMA user_version") == [(1,)]
    query(old, "DROP INDEX ledger_requests_by_row")
    with Ledger(old) as ledger:
        assert ledger.owed_usd() == 1.0


def test_newer_ledgers_are_refused(place):
    """With the advice to update; whatever they hold is not touched."""
    Ledger(place).close()
    query(place, "UPDATE ledger_version SET version = 99" if "://" in place else "PRAGMA user_version = 99")
    with pytest.raises(StorageError, match=r"version 99, this software reads 2 and older: update it"):
        Ledger(place)


def test_other_databases_are_refused(tmp_path):
    """A file of somebody else's stays as it is."""
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    with pytest.raises(StorageError, match="a database, but no ledger"):
        Ledger(path)
    assert query(str(path), "SELECT name FROM sqlite_master") == [("photos",)]
