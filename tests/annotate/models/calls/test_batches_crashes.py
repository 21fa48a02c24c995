"""Calls through batches, stopped anywhere and started again: nothing lost, nothing bought twice, and books that cover the bill."""

import itertools
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.models.inquiry import Case
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import Refusal, Reply
from tests.annotate.batch_provider import BILLED_USD, Postman, Provider, case
from tests.annotate.batch_runs import (
    BUSY,
    DOWN,
    EXPIRED,
    FAULTY,
    NEVER_CAME,
    SWALLOWED,
    ask,
    batch_states,
    booked_usd,
    bury,
    states,
    texts,
)


class Crash(BaseException):
    """The process is no more."""


@dataclass
class Fuse:
    """Blows at one point, and then lets nothing happen any more.

    Attributes:
        blows_at: which point; None = never.
        points: passed so far.
    """

    blows_at: int | None = None
    points: int = 0
    blown: bool = field(default=False)

    def __call__(self, point: str) -> None:
        self.points += 1
        self.blown = self.blown or self.points == self.blows_at
        if self.blown:
            raise Crash(point)


class Mortal(Ledger):
    """A ledger whose process may die before and after everything that it writes."""

    fuse: Fuse

    def close(self) -> None:
        if self.fuse.blown:
            self._database.close()  # the dead say no good-bye
        else:
            super().close()


def mortal(name: str) -> Callable[..., Any]:
    real = getattr(Ledger, name)

    def method(self: Mortal, *args: Any, **options: Any) -> Any:
        self.fuse(f"before {name}")
        result = real(self, *args, **options)
        self.fuse(f"after {name}")
        return result

    return method


for _name in ("claim", "commit", "record_batch", "record_batch_id", "close_batch", "open_batches", "batch_keys", "replies"):
    setattr(Mortal, _name, mortal(_name))


def run_until_crash(path: Path, provider: Provider, fuse: Fuse, cases: Iterable[Case], **changes: Any) -> bool:
    """Run once, and return whether it came to its end."""

    def open_ledger() -> Ledger:
        ledger = Mortal(path, account="a")
        ledger.fuse = fuse
        return ledger

    def watched(point: str) -> None:
        if fuse.blown:
            raise Crash(point)
        fuse(point)

    provider.watched = watched
    try:
        ask(Postman(provider=provider, most_requests=4), path, cases, open_ledger=open_ledger, **changes)
    except Crash:
        bury(path)
        return False
    finally:
        provider.watched = lambda _: None
    return True


def stormy() -> Provider:
    """A provider with a lost acceptance, a lagging list, a line that expires and one that comes twice; bills are exact."""
    fates: dict[tuple[str, int], object] = {("k000001", 1): EXPIRED, ("k000002", 1): "twice", ("k000003", 1): DOWN}
    return Provider(
        fate=lambda request, nth: fates.get((request.key, nth), "answer"), failures={"submit": [None, SWALLOWED]}, lag=1
    )


CASES = [case(n, tricky=n == 0) for n in range(5)]


def test_a_crash_at_any_point_loses_and_rebuys_nothing(tmp_path: Path):
    """At every call of the provider and every write of the ledger, before it and after it."""
    count = Fuse()
    assert run_until_crash(tmp_path / "whole.sqlite", stormy(), count, CASES)
    assert count.points > 60
    for point in range(1, count.points + 1):
        path, provider = tmp_path / f"{point}.sqlite", stormy()
        assert not run_until_crash(path, provider, Fuse(point), CASES), point
        conversations = ask(Postman(provider=provider, most_requests=4), path, CASES)
        assert [texts(conversations[f"row{n}"])[-1][:4] for n in range(5)] == ["good"] * 5, point
        assert provider.bills.total() == 6, point
        assert set(provider.bills.values()) == set(provider.names.values()) == {1}, point
        assert booked_usd(path) == pytest.approx(provider.bill_usd), point
        assert set(batch_states(path)) == {"closed"}, point


def test_crash_upon_crash_comes_to_an_end(tmp_path: Path):
    """Each run dies a little later than the one before, and none of them buys what another has."""
    path, provider = tmp_path / "l.sqlite", stormy()
    crashes = next(n for n in range(1, 500) if run_until_crash(path, provider, Fuse(4 + 2 * n), CASES))
    assert crashes > 5
    assert set(provider.bills.values()) == set(provider.names.values()) == {1}
    assert booked_usd(path) == pytest.approx(provider.bill_usd)


FATES = (
    "answer",
    "answer",
    "answer",
    "twice",
    "missing",
    EXPIRED,
    DOWN,
    SWALLOWED,
    FAULTY,
    Refusal(reason="no", message="no", cost_usd=BILLED_USD),
)
TROUBLES = (None, None, None, DOWN, BUSY, SWALLOWED)


@settings(max_examples=12, deadline=None)
@given(
    fates=st.lists(st.sampled_from(FATES), min_size=40, max_size=40),
    submits=st.lists(st.sampled_from((*TROUBLES, NEVER_CAME)), max_size=6),
    others=st.fixed_dictionaries(
        {name: st.lists(st.sampled_from(TROUBLES), max_size=4) for name in ("find", "state", "results")}
    ),
    tricky=st.sets(st.integers(0, 9)),
    crash=st.integers(1, 150),
    gone=st.booleans(),
    budget_usd=st.sampled_from([1000.0, 0.5]),
)
def test_whatever_happens_everything_ends_and_the_books_are_right(
    tmp_path_factory: pytest.TempPathFactory, *, fates, submits, others, tricky, crash, gone, budget_usd
):
    """Every case ends with an answer, no name is used twice, and what is booked covers the bill."""
    path = tmp_path_factory.mktemp("books") / "l.sqlite"
    provider = Provider(
        fate=lambda request, nth: fates[(int(request.key[1:], 16) * 7 + nth) % len(fates)],
        failures={"submit": submits, **others},
        lag=1,
        gone={"batches/1"} if gone else set(),
    )
    cases = [case(n, tricky=n in tricky) for n in range(10)]
    run_until_crash(path, provider, Fuse(crash), cases, budget_usd=budget_usd)
    conversations = ask(Postman(provider=provider, most_requests=4), path, cases, budget_usd=budget_usd)
    assert len(conversations) == 10
    assert all(
        isinstance(answer, Reply | Refusal) for conversation in conversations.values() for _, answer in conversation.exchanges
    )
    assert set(provider.names.values()) == {1}
    assert set(states(path).values()) <= {"replied", "failed"}
    assert provider.bill_usd - 1e-9 <= booked_usd(path) <= budget_usd


CHILD = '''
import itertools, os, pickle, sys, time
from pathlib import Path
from annotate.models.calls.batch_calls import BatchCalls
from annotate.models.inquiry import Inquiry
from annotate.models.ledger.ledger import Ledger
from annotate.models.calls.batch_polling import PollSchedule
from annotate.models.calls.case_state import CallContext
from tests.annotate.batch_provider import PROBE, Postman, Provider, case, problem_of

folder = Path(sys.argv[1])
kept = folder / "provider.pickle"
state = pickle.loads(kept.read_bytes()) if kept.exists() else {}

class Kept(Provider):
    """Survives in a file."""
    def save(self):
        fresh = kept.with_suffix(".new")
        fresh.write_bytes(pickle.dumps({n: getattr(self, n) for n in ("jobs", "names", "asked", "bills")}))
        os.replace(fresh, kept)
    def create(self, name, requests):
        batch_id = super().create(name, requests)
        self.save()
        return batch_id
    def finish(self, job):
        if job.results is None:
            super().finish(job)
            self.save()

class Real:
    now = staticmethod(time.time)

provider = Kept(clock=Real(), lasts_s=0.02, watched=lambda point: print(point, flush=True), **state)
judge = Postman(provider=provider)
context = CallContext(inquiry=Inquiry.of(PROBE, judge), problem_of=problem_of, open_ledger=lambda: Ledger(folder / "l.sqlite", account="a"),
    clips=None, budget_usd=10.0)
batching = BatchCalls(context=context, poll_schedule=PollSchedule(poll_s=0.01, search_s=0.01))
rows = [one.case.row_id for some in batching.conversations(case(n, tricky=n % 5 == 0) for n in range(60)) for one in some]
print("rows", len(set(rows)), len(rows), flush=True)
'''


def test_killed_processes_lose_and_rebuy_nothing(tmp_path: Path):
    """`kill -9` three times, each time after some more words with the provider; the fourth run ends it."""
    for words in (1, 30, 60, None):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[4],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
        )
        assert child.stdout is not None
        said = [line.strip() for line in itertools.islice(child.stdout, words)]
        if words is not None:
            assert len(said) == words, said
            child.kill()
        child.communicate(timeout=60)
    assert (child.returncode, said[-1]) == (0, "rows 60 60")
    kept = pickle.loads((tmp_path / "provider.pickle").read_bytes())
    assert kept["bills"].total() == 60 + 12
    assert set(kept["bills"].values()) == set(kept["names"].values()) == {1}
    assert booked_usd(tmp_path / "l.sqlite") == pytest.approx(72 * BILLED_USD)
