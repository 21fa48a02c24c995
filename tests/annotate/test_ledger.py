"""The ledger keeps what was paid for, through every kind of end."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from annotate.judge import Refusal, Reply
from annotate.ledger import Entry, Ledger, Spend
from contracts.errors import StorageError

FULL = Reply(
    text="<think>", model_served="m-1", input_tokens=5, output_tokens=7, cost_usd=0.5, latency_s=1.5, attempts=2, raw='{"a": 1}'
)


def entry(key: str, **changes) -> Entry:
    return Entry(
        **{"key": key, "judgment_id": f"j-{key}", "judge": "gemini", "model": "m", "prompt_version": "v", "repeat": 0} | changes
    )


def test_a_reply_comes_back_whole(ledger: Ledger):
    """All that was recorded of a reply is read again."""
    ledger.reserve([entry("a")])
    ledger.mark_sent("a", 0.9)
    ledger.mark_sent("a", 0.9)
    ledger.commit([("a", FULL)])
    assert dict(ledger.replies(["a", "b"])) == {"a": FULL}
    assert ledger.missing(["b", "a", "c"]) == ["b", "c"]


def test_states_follow_the_request(ledger: Ledger):
    """Reserved, sent, replied; reserved, sent, failed, and reserved again; a reply is final."""
    states = []

    def note() -> None:
        states.append([(row["state"], row["attempts"]) for row in ledger.story("j-a") + ledger.story("j-b")])

    ledger.reserve([entry("a"), entry("b")])
    note()
    ledger.mark_sent("a")
    ledger.mark_sent("b")
    note()
    ledger.commit([("a", Reply(text="x")), ("b", Refusal(reason="blocked", message="why"))])
    note()
    ledger.reserve([entry("a"), entry("b")])
    note()
    assert states == [
        [("reserved", 0), ("reserved", 0)],
        [("sent", 1), ("sent", 1)],
        [("replied", 1), ("failed", 1)],
        [("replied", 1), ("reserved", 1)],
    ]


def test_a_replied_request_cannot_be_sent_or_answered_again(ledger: Ledger):
    """Whoever tries is told, and nothing changes."""
    ledger.reserve([entry("a"), entry("b")])
    ledger.commit([("a", FULL)])
    with pytest.raises(StorageError, match="already answered"):
        ledger.mark_sent("a")
    with pytest.raises(StorageError, match="1 of 2"):
        ledger.commit([("b", FULL), ("a", Reply(text="other"))])
    assert dict(ledger.replies(["a", "b"])) == {"a": FULL}


def test_an_unknown_request_cannot_be_answered(ledger: Ledger):
    """A reply without a reservation is an error."""
    with pytest.raises(StorageError, match="not reserved"):
        ledger.commit([("a", FULL)])


def test_money_is_booked_when_it_may_be_owed(ledger: Ledger, tmp_path: Path):
    """Open attempts count in full, answers at their price, and attempts cut off by a crash stay booked."""

    def spent() -> float:
        (line,) = ledger.spend()
        return line.cost_usd

    ledger.reserve([entry("a"), entry("b")])
    ledger.mark_sent("a", 1.0)
    ledger.mark_sent("a", 1.0)
    ledger.mark_sent("b", 0.25)
    assert spent() == 2.25
    ledger.commit([("a", FULL)])
    assert spent() == 0.75
    ledger.reserve([entry("b")])  # what a restart after kill -9 does with a request that was under way
    assert spent() == 0.75
    ledger.mark_sent("b", 0.25)
    ledger.commit([("b", Refusal(reason="blocked", message="", cost_usd=0.125))])
    assert ledger.spend() == [Spend("gemini", "m", 1, 1, 5, 7, 0.875)]


def test_committed_replies_are_there_after_reopening(tmp_path: Path):
    """Another process sees every commit; an open reservation asks again."""
    with Ledger(tmp_path / "l") as first:
        first.reserve([entry("a"), entry("b")])
        first.commit([("a", FULL)])
        with Ledger(tmp_path / "l") as second:
            assert second.missing(["a", "b"]) == ["b"]


def test_writing_is_synchronised(ledger: Ledger):
    """The file is in WAL mode and every commit is flushed (2 = FULL)."""
    assert ledger._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ledger._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_no_ledger_is_refused(tmp_path: Path):
    """A file that is something else, and one of another version, are errors that name the file."""
    (tmp_path / "text").write_text("no database, but long enough to look at " * 10)
    with pytest.raises(StorageError, match="no readable ledger"):
        Ledger(tmp_path / "text")
    with sqlite3.connect(tmp_path / "newer") as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(StorageError, match="version 99"):
        Ledger(tmp_path / "newer")


def test_missing_folder_is_an_error_with_advice(tmp_path: Path):
    """No traceback of sqlite's, but what to do."""
    with pytest.raises(StorageError, match="check that its folder exists"):
        Ledger(tmp_path / "nowhere" / "ledger.sqlite")


def test_full_disk_loses_nothing_acknowledged(ledger: Ledger):
    """When the file cannot grow, the commit is refused as a whole and earlier replies stay."""
    ledger.reserve([entry(name) for name in "abc"])
    ledger.commit([("a", FULL)])
    (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
    ledger._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="free space"):
        ledger.commit([("b", FULL), ("c", Reply(text="x" * 100_000))])
    ledger._db.execute("PRAGMA max_page_count = 1000000")
    assert dict(ledger.replies(list("abc"))) == {"a": FULL}
    ledger.commit([("b", FULL)])
    assert ledger.missing(list("abc")) == ["c"]


WRITER = """
import sys
from annotate.judge import Reply
from annotate.ledger import Entry, Ledger
with Ledger(sys.argv[1]) as ledger:
    for number in range(10**9):
        key = f"k{number}"
        ledger.reserve([Entry(key=key, judgment_id=key, judge="j", model="m", prompt_version="v")])
        ledger.mark_sent(key)
        ledger.commit([(key, Reply(text="x" * 2000))])
        print(key, flush=True)
"""


def test_kill_leaves_every_acknowledged_reply(tmp_path: Path):
    """Killed in the middle of writing: all replies that were acknowledged are there, and the file is sound."""
    path = tmp_path / "ledger.sqlite"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, env=environment, text=True)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip()]
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        acknowledged.append(writer.stdout.readline().strip())
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += [line.strip() for line in writer.stdout]
    writer.wait()
    writer.stdout.close()
    assert len(acknowledged) > 1
    with Ledger(path) as ledger:
        assert ledger.missing(acknowledged) == []
        assert all(reply.text == "x" * 2000 for _, reply in ledger.replies(acknowledged))
        assert ledger._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_many_replies_are_fast(ledger: Ledger):
    """20,000 replies in batches of 256 take seconds, not a flush each."""
    started = time.monotonic()
    for start in range(0, 20_000, 256):
        keys = [f"k{number}" for number in range(start, min(start + 256, 20_000))]
        ledger.reserve(entry(key) for key in keys)
        ledger.commit([(key, Reply(text="x" * 1500)) for key in keys])
    assert time.monotonic() - started < 10
    (line,) = ledger.spend()
    assert line.replied == 20_000
