"""Processes that share a ledger: real ones, in files and on a server, dying as processes die."""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from annotate.database import DatabaseFailed
from annotate.models.ledger import owners
from annotate.models.ledger.entries import Entry
from annotate.models.ledger.ledger import Ledger
from annotate.models.ledger.owners import LEASE_S
from annotate.models.request import Refusal, Reply
from contracts.errors import StorageError
from tests.annotate import ledgers
from tests.annotate.ledgers import FULL, balanced, entry, forking, query

place = ledgers.place


def ask_all(*, place: str, provider: Path, name: str, keys: int, group: int, budget: float, is_victim: bool, test) -> None:
    """Ask every key, in an order of its own, of a provider that is a file: one line per request.

    A victim looks between asking and committing whether it should stop there and wait for its end.
    """
    todo = [f"k{number}" for number in range(keys)]
    random.Random(name).shuffle(todo)
    test.recv()
    log = os.open(provider, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with Ledger(place, account="here") as ledger:
        asked = 0
        while todo:
            some, todo = todo[:group], todo[group:]
            ours = ledger.claim(
                [Entry(key=key, row_id=key, judge="j", model="m", task="t", prompt_version="v") for key in some]
            )
            unpaid = set(ledger.mark_sent([(key, 0.1) for key in ours], budget))
            for key in ours:
                if key not in unpaid:
                    os.write(log, f"{name} {key}\n".encode())
            time.sleep(0.005)  # a provider takes its time, in which the others ask
            asked += len(ours) - len(unpaid)
            if is_victim and asked > 3 * group:
                test.send("in the middle")
                test.recv()
            ledger.commit([(key, Reply(text=name, cost_usd=0.1)) for key in ours if key not in unpaid])
            ledger.release(sorted(unpaid))
            done = ledger.replies(some)
            ledger.extend_lease()
            todo += [key for key in some if key not in done and key not in unpaid]


class Askers:
    """Several processes that ask the same."""

    def __init__(self, place: str, folder: Path, count: int, *, keys: int, group: int, budget: float = 1e6, victims: int = 0):
        self.provider = folder / "provider.txt"
        self.processes, self.channels = [], []
        for number in range(count):
            here, there = forking.Pipe()
            facts = {"place": place, "provider": self.provider, "keys": keys, "group": group, "budget": budget}
            facts |= {"name": f"p{number}", "is_victim": number < victims, "test": there}
            process = forking.Process(target=ask_all, kwargs=facts, daemon=True)
            process.start()
            self.processes.append(process)
            self.channels.append(here)

    def start(self, *which: int) -> None:
        """Start some, or all, together."""
        for channel in [self.channels[number] for number in which] or self.channels:
            channel.send("go")

    def join(self) -> list[int | None]:
        """Wait for the end of all and return their exit codes."""
        for process in self.processes:
            process.join(120)
        return [process.exitcode for process in self.processes]

    def asked(self) -> list[tuple[str, str]]:
        return [tuple(line.split()) for line in self.provider.read_text().splitlines()]


def test_nobody_asks_what_another_one_asks(place, tmp_path):
    """Three processes with the same 300 questions ask each of them once between them, and all get all replies."""
    askers = Askers(place, tmp_path, 3, keys=300, group=7)
    askers.start()
    assert askers.join() == [0, 0, 0]
    asked = askers.asked()
    assert sorted(key for _, key in asked) == sorted(f"k{number}" for number in range(300))
    assert len({name for name, _ in asked}) > 1
    with Ledger(place, account="here") as ledger:
        replies = ledger.replies([f"k{number}" for number in range(300)])
        assert {(reply.text, key) for key, reply in replies.items()} == set(asked)
        assert ledger.owed_usd() == 30.0
    balanced(place)
    assert query(place, "SELECT count(*) FROM ledger_owners") == [(0,)]


def test_survivors_take_over_from_the_killed(place, tmp_path):
    """After kill -9 the others ask again what had no reply, at most one group of it twice, and count its price."""
    askers = Askers(place, tmp_path, 3, keys=200, group=8, victims=1)
    askers.start(0)
    assert askers.channels[0].recv() == "in the middle"
    askers.start(1, 2)
    askers.processes[0].kill()
    assert askers.join() == [-signal.SIGKILL, 0, 0]
    times = Counter(key for _, key in askers.asked())
    twice = {key for key, count in times.items() if count > 1}
    assert len(times) == 200
    assert 0 < len(twice) <= 8
    assert twice <= {key for name, key in askers.asked() if name == "p0"}
    assert max(times.values()) == 2
    with Ledger(place, account="here") as ledger:
        assert len(ledger.replies(list(times))) == 200
        assert ledger.owed_usd() == pytest.approx(0.1 * (200 + len(twice)), abs=1e-12)
    balanced(place)


def test_two_processes_keep_one_budget(place, tmp_path):
    """Together they ask for as much as the account may owe, and for no cent more."""
    askers = Askers(place, tmp_path, 2, keys=100, group=5, budget=3.0)
    askers.start()
    assert askers.join() == [0, 0]
    assert len(askers.asked()) == 30
    assert balanced(place) == {"here": 3 * 10**12}


HOUR_S = 3600.0


@pytest.fixture
def clock(monkeypatch):
    """A clock of this process that goes on by hand: how long a lease has been looked at."""
    hands = [1000.0]
    monkeypatch.setattr(owners, "elapsed_s", lambda: hands[0])

    def raise_if_stopped(seconds: float) -> None:
        hands[0] += seconds

    return raise_if_stopped


def other_processes(place: str, ledger: Ledger) -> None:
    """Put a user of the ledger on another machine, of whose processes nothing is known here."""
    ledger.extend_lease()
    query(place, f"UPDATE ledger_owners SET host = 'far' WHERE token = '{ledger._owner.token}'")


def expire(place: str, seconds: float = 2 * LEASE_S) -> None:
    """Let every lease run out."""
    query(place, f"UPDATE ledger_owners SET lease_until = lease_until - {seconds}")


def test_a_step_of_the_clock_takes_nothing_from_a_living_process(place, tmp_path, monkeypatch):
    """By an hour, forward or back, here or there: who is there is alive, and what it paid for is kept."""
    asker = Askers(place, tmp_path, 1, keys=20, group=4, victims=1)
    asker.start()
    assert asker.channels[0].recv() == "in the middle"
    keys = [f"k{number}" for number in range(20)]
    open_keys = {key for (key,) in query(place, "SELECT key FROM ledger_requests WHERE state = 'sent'")}
    assert len(open_keys) == 4
    for step in (HOUR_S, -HOUR_S):
        expire(place, step)
        with monkeypatch.context() as patch, Ledger(place, account="here") as other:
            now = time.time() + step
            patch.setattr(time, "time", lambda now=now: now)
            claimed = other.claim([entry(key) for key in keys])
            assert not open_keys & set(claimed)
            other.release(claimed)
    for _ in keys:
        asker.channels[0].send("go on")
    assert asker.join() == [0]
    with Ledger(place, account="here") as ledger:
        assert set(ledger.replies(keys)) == set(keys)
        assert ledger.owed_usd() == pytest.approx(2.0)
    balanced(place)


def test_who_is_elsewhere_and_shows_life_is_alive_whatever_the_clocks_say(place, clock):
    """A lease that is over by the clock and is extended nevertheless belongs to somebody."""
    with Ledger(place, account="here") as far, Ledger(place, account="here") as other:
        far.claim([entry("a")])
        other_processes(place, far)
        expire(place, HOUR_S)
        for _ in range(20):
            assert other.claim([entry("a")]) == []
            clock(15.0)
            far.extend_lease()
            expire(place, HOUR_S)
        assert other.claim([entry("a")]) == []
        clock(21.0)
        assert other.claim([entry("a")]) == ["a"]


def test_a_lease_of_the_future_holds_for_a_minute(place, clock):
    """The clock was set back since: nobody waits for an hour."""
    with Ledger(place, account="here") as far, Ledger(place, account="here") as other:
        far.claim([entry("a")])
        other_processes(place, far)
        expire(place, -HOUR_S)
        assert other.claim([entry("a")]) == []
        clock(LEASE_S - 1)
        assert other.claim([entry("a")]) == []
        clock(2)
        assert other.claim([entry("a")]) == ["a"]


def test_one_of_this_process_that_has_ended_is_dead(place, monkeypatch):
    """Also if the database could not be told so: the process goes on, and its number proves nothing for that one."""
    failing = Ledger(place, account="here")
    failing.claim([entry("a")])

    def fails(_):
        raise DatabaseFailed("gone")

    with monkeypatch.context() as patch:
        patch.setattr(type(failing._database), "writing", fails)
        failing.close()
    with Ledger(place, account="here") as other:
        assert other.claim([entry("a")]) == ["a"]


def test_who_shows_no_life_is_taken_over_but_its_replies_are_kept(place, clock):
    """A process elsewhere that slept for minutes may not send what others took, but a reply that it paid for is not thrown away."""
    with Ledger(place, account="here") as sleeper, Ledger(place, account="there") as other:
        keys = ["a", "b", "c", "d"]
        sleeper.claim([entry(key) for key in keys])
        sleeper.mark_sent([("a", 0.5), ("b", 0.5), ("d", 0.5)], 9.0)
        other_processes(place, sleeper)
        assert other.claim([entry(key) for key in keys]) == []
        expire(place)
        assert other.claim([entry(key) for key in keys]) == []
        clock(21.0)
        assert other.claim([entry(key) for key in "abc"]) == ["a", "b", "c"]
        other.mark_sent([("a", 0.25), ("b", 0.25)], 9.0)
        other.commit([("b", Reply(text="first"))])
        with pytest.raises(StorageError, match="run the same command again"):
            sleeper.mark_sent([("c", 0.5)], 9.0)
        with pytest.raises(StorageError, match=r"\(b\)"):
            sleeper.commit([("b", FULL)])
        with pytest.raises(StorageError, match=r"\(a\)"):
            sleeper.commit([("a", Refusal(reason="blocked", message=""))])
        sleeper.commit([("a", FULL), ("d", FULL)])
        with pytest.raises(StorageError, match=r"\(a\)"):
            other.commit([("a", Reply(text="second"))])
        assert {key: reply.text for key, reply in other.replies(keys).items()} == {"a": "<think>", "b": "first", "d": "<think>"}
        # What may have been billed twice is booked twice: a and b were, d was not.
        assert (sleeper.owed_usd(), other.owed_usd()) == (0.5 + 0.5 + 0.5 + 0.5, 0.25)
    balanced(place)


def test_a_late_reply_costs_its_own_account(place, clock):
    """Within one account the money stays in the row."""
    with Ledger(place, account="here") as sleeper, Ledger(place, account="here") as other:
        sleeper.claim([entry("a")])
        sleeper.mark_sent([("a", 0.5)], 9.0)
        other_processes(place, sleeper)
        expire(place)
        other.claim([])
        clock(21.0)
        other.claim([entry("a")])
        sleeper.commit([("a", Reply(text="x", cost_usd=0.25))])
        assert other.replies(["a"])["a"].cost_usd == 0.75
    balanced(place)


def test_who_wakes_up_in_time_goes_on(place):
    """A lease that ran out is extended by the next word, as long as nobody took anything."""
    with Ledger(place, account="here") as sleeper, Ledger(place, account="here") as other:
        sleeper.claim([entry("a")])
        other_processes(place, sleeper)
        expire(place)
        sleeper.mark_sent([("a", 0.5)], 9.0)
        assert other.claim([entry("a")]) == []
        expire(place)
        sleeper.extend_lease()
        assert other.claim([entry("a")]) == []
        sleeper.commit([("a", FULL)])


def test_the_dead_are_forgotten_when_they_left_nothing(place):
    """Owners without open requests or batches are swept out, others stay as long as something names them."""
    with Ledger(place, account="here") as ledger:
        ledger.claim([entry("a"), entry("b")])
        ledger.record_batch("first", "gemini", "m", [("b", 0.5)], 9.0)
        add = "INSERT INTO ledger_owners (token, host, pid, started, lease_until) VALUES ('{0}', '', 1, 1, {1})"
        for token, lease_until in (("forgotten", 0), ("asks", 0), ("waits", 0), ("alive", "9e9")):
            query(place, add.format(token, lease_until))
        query(place, "UPDATE ledger_requests SET owner = 'asks' WHERE key = 'a'")
        query(place, "UPDATE ledger_batches SET owner = 'waits'")
        with Ledger(place) as newcomer:
            newcomer.extend_lease()
            left = {token for (token,) in query(place, "SELECT token FROM ledger_owners")}
            assert left - {"asks", "waits", "alive"} == {ledger._owner.token, newcomer._owner.token}
            assert {"asks", "waits", "alive"} <= left


def test_a_reply_outlives_that_its_request_was_claimed_anew_and_given_back(place, clock):
    """Taken for dead, a process loses a request, gets it back when the other dies, gives it back unsent; then the first reply comes."""
    with Ledger(place, account="here") as ours:
        ours.claim([entry("a")])
        assert ours.mark_sent([("a", 0.1)], 1.0) == []
        other_processes(place, ours)
        expire(place, HOUR_S)
        with Ledger(place, account="here") as other:
            assert other.claim([entry("a")]) == []
            clock(21.0)
            assert other.claim([entry("a")]) == ["a"]
            other.release(["a"])
        assert ours.claim([entry("a")]) == ["a"]
        ours.release(["a"])
        ours.commit([("a", Reply(text="late", cost_usd=0.1))])
        assert ours.replies(["a"])["a"].text == "late"
        assert ours.owed_usd() == pytest.approx(0.2)
    balanced(place)
