"""A fresh ledger or listening test may be opened by any number of processes at once."""

import multiprocessing
import sqlite3
import threading
from contextlib import closing

import pytest

from annotate.models.ledger.ledger import Ledger
from annotate.people.store.vote_store import Store
from contracts.errors import StorageError
from tests.annotate.listeners import listening_settings

_PROCESSES = 8


def _open_ledger(place: str) -> None:
    with Ledger(place, account="here") as ledger:
        ledger.extend_lease()


def _open_store(place: str) -> None:
    with Store(place, listening_settings()) as store:
        store.invite("Ann", {"en": "native"})


_OPEN = {"ledger": _open_ledger, "listening": _open_store}


def _opener(what, places, start, errors):
    for place in places:
        start.wait(120)
        try:
            _OPEN[what](place)
        except Exception as error:  # noqa: BLE001 - for the assertion in the parent
            errors.put(f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("what", _OPEN)
@pytest.mark.parametrize(("kind", "rounds"), [("sqlite", 6), ("postgresql", 2)])
def test_eight_processes_open_a_fresh_one_at_once(what, kind, rounds, tmp_path, request):
    """Again and again, and none of them fails."""
    if kind == "sqlite":
        places = [str(tmp_path / f"{number}.sqlite") for number in range(rounds)]
    else:
        server = request.getfixturevalue("postgres_server")
        places = [server.fresh(f"{what}{number}") for number in range(rounds)]
    forking = multiprocessing.get_context("fork")  # they share what is imported, and nothing that is open
    start, errors = forking.Barrier(_PROCESSES), forking.SimpleQueue()
    processes = [forking.Process(target=_opener, args=(what, places, start, errors)) for _ in range(_PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0] * _PROCESSES
    assert errors.empty(), errors.get()


@pytest.mark.parametrize("what", _OPEN)
@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_one_that_is_just_being_made_is_waited_for(what, begin, tmp_path):
    """SQLite refuses to begin a write-ahead log under a writer at once, whatever wait it was told."""
    place = tmp_path / "fresh.sqlite"
    with closing(sqlite3.connect(place, isolation_level=None, check_same_thread=False)) as other:
        other.execute(begin)
        timer = threading.Timer(0.4, other.execute, ["ROLLBACK"])
        timer.start()
        _OPEN[what](str(place))
        timer.join()
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_one_that_is_never_ready_is_named(tmp_path, monkeypatch):
    """The wait has an end, in one line."""
    monkeypatch.setattr("annotate.database._BUSY_S", 0.3)
    place = tmp_path / "fresh.sqlite"
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match=r"database is locked; another process has held it for 0\.3 s"):
            _open_ledger(str(place))
