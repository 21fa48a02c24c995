"""A database is opened to be durable, and what is wrong with it is said in one line, without its password."""

import logging
import socket
import sqlite3
from contextlib import closing

import pytest

from annotate.database import DatabaseFailed
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import Reply
from contracts.errors import StorageError
from tests.annotate import ledgers
from tests.annotate.ledgers import FULL, entry, query
from tests.annotate.postgres import PASSWORD

place = ledgers.place


def refused(where) -> str:
    """Return why a ledger cannot be opened."""
    with pytest.raises(StorageError) as refusal:
        Ledger(where)
    message = str(refusal.value)
    assert "\n" not in message
    assert refusal.value.__cause__ is None
    return message


def test_writing_is_synchronised(place):
    """A commit is on the disk (2 = FULL), also if the server's default is otherwise."""
    if "://" in place:
        query(place, "ALTER DATABASE ledger SET synchronous_commit = off")
        query(place, "ALTER DATABASE ledger SET default_transaction_isolation = 'repeatable read'")
        settings = "synchronous_commit", "transaction_isolation"
        expected = [("on",), ("read committed",)]
    else:
        settings, expected = ("journal_mode", "synchronous"), [("wal",), (2,)]
    with Ledger(place) as ledger, ledger.together():
        show = "SHOW" if "://" in place else "PRAGMA"
        found = [ledger._database.connection.exec_driver_sql(f"{show} {name}").one() for name in settings]
    assert found == expected


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    """Text and a damaged file are named, with advice."""
    (tmp_path / "text").write_text("no database, but long enough to look at " * 10)
    assert "text: file is not a database; it is no readable ledger: restore the file from a backup" in refused(
        tmp_path / "text"
    )
    path = tmp_path / "damaged.sqlite"
    with Ledger(path) as ledger:
        ledger.claim([entry(f"k{number}") for number in range(1000)])
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 20)
    with (
        pytest.raises(StorageError, match=r"damaged\.sqlite: .*malformed.*restore the file from a backup"),
        Ledger(path) as ledger,
    ):
        ledger.claim([entry(f"n{number}") for number in range(1000)])


def test_a_missing_folder_is_an_error_with_advice(tmp_path):
    """No traceback of sqlite's, but what to do."""
    assert "nowhere/ledger.sqlite: unable to open database file; check that its folder exists" in refused(
        tmp_path / "nowhere" / "ledger.sqlite"
    )


def test_a_full_disk_loses_nothing_acknowledged(tmp_path):
    """When the file cannot grow, the commit is refused as a whole, earlier replies stay, and with room again it goes on."""
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        raw = ledger._database.connection.exec_driver_sql
        ledger.claim([entry(name) for name in "abc"])
        ledger.commit([("a", FULL)])
        pages = raw("PRAGMA page_count").scalar_one()
        raw(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(DatabaseFailed, match="free space"):
            ledger.commit([("b", FULL), ("c", Reply(text="x" * 100_000))])
        raw("PRAGMA max_page_count = 1000000")
        assert ledger.replies(list("abc")) == {"a": FULL}
        ledger.commit([("b", FULL), ("c", FULL)])
        assert set(ledger.replies(list("abc"))) == set("abc")


def test_a_writer_that_does_not_end_is_named(tmp_path, monkeypatch):
    """Somebody else's transaction is waited for, but not for ever."""
    monkeypatch.setattr("annotate.database._BUSY_S", 0.2)
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as stuck:
        stuck.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseFailed, match="database is locked; another process has held it"):
            ledger.extend_lease()
        stuck.execute("ROLLBACK")
        ledger.extend_lease()


def test_a_server_that_is_not_there_is_named_without_its_password():
    """Where, why, and what to look at."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else's either
        port = taken.getsockname()[1]
        message = refused(f"postgresql://asker:s3cret@127.0.0.1:{port}/ledger")
    assert message.startswith(f"ledger postgresql://asker:***@127.0.0.1:{port}/ledger: ")
    assert "refused" in message
    assert "check that the server runs" in message
    assert "s3cret" not in message


def test_wrong_passwords_and_databases_are_named(postgres_server, caplog):
    """Neither the right password nor the wrong one is in any message or log."""
    caplog.set_level(logging.DEBUG)
    place = postgres_server.fresh("right")
    with Ledger(place) as ledger:
        ledger.claim([entry("a")])
        assert ledger.where == "postgresql://asker:***@/right"
    wrong = refused(postgres_server.url("right", password="wr0ng"))
    assert "password authentication failed" in wrong
    nowhere = refused(postgres_server.url("elsewhere"))
    assert 'database "elsewhere" does not exist' in nowhere
    hidden = refused(f"postgresql:///right?user=asker&password=wr0ng&host={postgres_server.folder}")
    assert "password authentication failed" in hidden
    for message in (wrong, nowhere, hidden, caplog.text):
        assert PASSWORD not in message
        assert "wr0ng" not in message


def test_a_server_that_may_lose_replies_is_refused(postgres_server, monkeypatch):
    """With fsync off, what it acknowledges may be gone after a power cut."""
    place = postgres_server.fresh("careless")
    query(place, "CREATE SCHEMA told")
    from sqlalchemy import Connection

    ask = Connection.exec_driver_sql
    monkeypatch.setattr(
        Connection, "exec_driver_sql", lambda self, sql: ask(self, "SELECT 'off'" if sql == "SHOW fsync" else sql)
    )
    assert "runs with fsync off" in refused(place)


def test_a_server_that_goes_away_is_an_error(postgres_server):
    """A connection that is cut in the middle says so, and so does everything after it."""
    place = postgres_server.fresh("fragile")
    with Ledger(place) as ledger:
        ledger.claim([entry("a")])
        pid = ledger._database.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        query(place, f"SELECT pg_terminate_backend({pid}, 5000)")
        for _ in range(2):
            with pytest.raises(DatabaseFailed, match="run the same command again"):
                ledger.commit([("a", FULL)])
    with Ledger(place) as ledger:
        assert ledger.replies(["a"]) == {}


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("mysql://u:s3cret@h/d", "a ledger is a file or a postgresql:// database, not mysql://"),
        ("postgresql://u:s3cret@x@h/d", "with %40"),
        ("postgresql://u:s3cret@h:port/d", "with %40"),
    ],
)
def test_urls_that_are_none_are_refused_without_their_password(where, told):
    """What cannot be read is not repeated."""
    message = refused(where)
    assert told in message
    assert "s3cret" not in message
