"""A ledger that is gone, emptied, replaced or an older copy is not taken for the one that was."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from annotate.database_identity import Known
from annotate.models.ledger.ledger import Ledger
from annotate.people.store.vote_store import Store
from contracts.errors import OtherDatabase
from tests.annotate import ledgers
from tests.annotate.ledgers import FULL, entry, query
from tests.annotate.listeners import listening_settings

place = ledgers.place


def bought(where, *keys):
    """Buy replies, and return what is known of the ledger then."""
    with Ledger(where, account="a") as ledger:
        ledger.claim([entry(key) for key in keys])
        ledger.mark_sent([(key, 0.5) for key in keys], budget_usd=100)
        ledger.commit([(key, FULL) for key in keys])
        return Known(identity=ledger.identity, where=ledger.where, held=ledger.held())


def test_the_same_one_is_opened(place):
    """An identity is made once; what is held is counted, and more is no failure."""
    known = bought(place, "a", "b")
    assert known.held == {"replies": 2, "picodollars spent": 10**12}
    assert bought(place, "c").identity == known.identity
    Ledger(place, known=known).close()


def test_an_emptied_one_is_refused_and_stays_empty(place):
    """Tables that are gone are not made anew; the message says what was there and how to go on."""
    known = bought(place, "a")
    for table in ("requests", "accounts", "losses", "batches", "owners", "identity", "audio"):
        query(place, f"DROP TABLE ledger_{table}")
    query(place, "DROP TABLE ledger_version" if "://" in place else "PRAGMA user_version = 0")
    with pytest.raises(OtherDatabase, match=r"is empty, but .*\(1 replies, .*unisrm-data accept RECIPE ledger") as caught:
        Ledger(place, known=known)
    assert "\n" not in str(caught.value)
    look = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'" if "://" in place else "SELECT name FROM sqlite_master"
    assert query(place, look) == []


def test_a_ledger_from_before_gets_an_identity(place):
    """Without one in the tables any ledger is taken, but not for one that is known."""
    known = bought(place, "a")
    query(place, "DROP TABLE ledger_identity")
    with pytest.raises(OtherDatabase):
        Ledger(place, known=known)
    assert bought(place).identity != known.identity


def test_another_one_and_an_older_copy(tmp_path):
    """Other identity: another one. Same identity and fewer replies, as of a backup or a lost log: an older copy."""
    where = tmp_path / "ledger.sqlite"
    bought(where, "a")
    backup = where.read_bytes()
    known = bought(where, "b")
    bought(tmp_path / "other.sqlite", "a", "b", "c")
    with pytest.raises(OtherDatabase, match="is another one"):
        Ledger(tmp_path / "other.sqlite", known=known)
    where.write_bytes(backup)
    with pytest.raises(OtherDatabase, match="has only 1 replies, 500000000000 picodollars spent: it is an older copy"):
        Ledger(where, known=known)


def test_a_lost_log_is_noticed(tmp_path):
    """The -wal file holds what was committed last; without it there is less than there was."""
    where = tmp_path / "ledger.sqlite"
    bought(where, "a")
    with closing(sqlite3.connect(where)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM ledger_requests").fetchall()  # keeps the log from being folded in
        known = bought(where, "b")
        copy = tmp_path / "copy.sqlite"
        copy.write_bytes(where.read_bytes())
    assert not Path(f"{copy}-wal").exists()
    with pytest.raises(OtherDatabase, match="has only 1 replies"):
        Ledger(copy, known=known)


def test_a_listening_test(place):
    """Likewise for votes and people; the refusal leaves the database as it is."""
    with Store(place, listening_settings()) as store:
        empty = Known(identity=store.identity, where=store.where, held=store.counts())
        store.invite("Ann", {"en": "native"})
        known = Known(identity=store.identity, where=store.where, held=store.counts())
    assert (empty.held, known.held) == ({"answers": 0, "people": 0}, {"answers": 0, "people": 1})
    with Store(place, listening_settings(), known=empty) as same:
        assert same.identity == known.identity
    query(place, "DELETE FROM listening_annotators")
    with pytest.raises(OtherDatabase, match=r"listening test .* has only 0 people: it is an older copy"):
        Store(place, listening_settings(), known=known)
    query(place, "DROP TABLE listening_identity")
    with pytest.raises(OtherDatabase, match="unisrm-data accept RECIPE listening"):
        Store(place, listening_settings(), known=known)
