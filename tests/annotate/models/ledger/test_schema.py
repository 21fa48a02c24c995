"""Tables are made once, and those of other versions are left alone."""

import sqlite3
from contextlib import closing

import pytest

from annotate.models.ledger.ledger import Ledger
from contracts.errors import StorageError
from tests.annotate import ledgers
from tests.annotate.ledgers import balanced, entry, query

place = ledgers.place


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


@pytest.mark.parametrize(("version", "advice"), [(99, "update it"), (1, "name another file; no release wrote such a ledger")])
def test_ledgers_of_other_versions_are_refused(place, version, advice):
    """With what to do; whatever they hold is not touched."""
    Ledger(place).close()
    query(place, f"UPDATE ledger_version SET version = {version}" if "://" in place else f"PRAGMA user_version = {version}")
    with pytest.raises(StorageError, match=f"version {version}, and this software reads version 3: {advice}"):
        Ledger(place)


def test_other_databases_are_refused(tmp_path):
    """A file of somebody else's stays as it is."""
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    with pytest.raises(StorageError, match="a database, but no ledger"):
        Ledger(path)
    assert query(str(path), "SELECT name FROM sqlite_master") == [("photos",)]
