"""Asking one by one: the budget, and stopping early without losing what was paid."""

import contextlib
import itertools
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.models.calls.case_state import Conversation
from annotate.models.inquiry import Case
from annotate.models.judge import Pace
from annotate.models.request import AttemptFailure, JudgeRequest, Refusal, Reply
from contracts.errors import BudgetExceeded, DataError, StorageError
from tests.annotate.live_runs import BUSY, DOWN, FAST, FAULTY, LOST, FakeSession, LiveRuns, Probe, after, answers_of, cases

# Money.


def test_without_a_budget_nothing_paid_is_sent(runs):
    session = FakeSession(price_usd=lambda _: 0.01)
    runs.ask_until(BudgetExceeded, "budget_usd", cases(3), Probe(session=session))
    assert not session.sends
    assert runs.claimable(["k0"]) == {"k0"}


def test_money_that_comes_back_is_used(runs):
    """Each call may cost 4 and does cost 1: ten dollars buy seven answers, one after another where need be, and then it stops."""
    session = FakeSession(respond=lambda *_: after(0.01, Reply(text="yes", cost_usd=1.0)), price_usd=lambda _: 4.0)
    ten = LiveRuns(path=runs.path, budget_usd=10.0)
    match = (
        r"\$7\.0000 of the budget of \$10\.0000 are spent or owed.*\$4\.000000: raise budget_usd in the recipe to go on; every"
    )
    got = ten.ask_until(BudgetExceeded, match, cases(30), Probe(session=session))
    assert len(got) == sum(session.sends.values()) == 7
    assert (
        len(LiveRuns(path=runs.path, budget_usd=100.0).ask(cases(30), Probe(session=FakeSession(price_usd=lambda _: 1.0))))
        == 30
    )


def test_an_attempt_that_was_surely_not_answered_costs_nothing(runs):
    """A budget for one attempt is enough for any number of complaints and refusals before the reply."""
    busy = itertools.chain([BUSY, DOWN, BUSY, BUSY, DOWN], itertools.repeat(None))
    session = FakeSession(respond=lambda *_: next(busy) or Reply(text="yes", cost_usd=1.0), price_usd=lambda _: 1.0)
    one = LiveRuns(path=runs.path, budget_usd=1.0)
    (conversation,) = one.ask(cases(1), Probe(session=session))
    assert (conversation.exchanges[0][1].attempts, conversation.exchanges[0][1].cost_usd, one.owed_usd()) == (6, 1.0, 1.0)


def test_waiting_for_money_does_not_block_those_who_have_it(runs):
    """The only slot of the rate limiter is needed by the throttled request whose money all others wait for."""
    session = FakeSession(
        respond=lambda request, attempt: after(0.01, DOWN if attempt == 1 else Reply(text="yes", cost_usd=0.1)),
        price_usd=lambda _: 1.0,
    )
    pace = Pace(concurrency=1, backoff_s=0.05, max_attempts=3)
    tight = LiveRuns(path=runs.path, budget_usd=1.5)
    assert len(tight.ask(cases(5), Probe(session=session, pace=pace))) == 5


def test_money_that_only_doubtful_requests_hold_is_freed(runs):
    """One that used up its attempts without being billed gives its money to the next."""
    session = FakeSession(
        respond=lambda request, _: DOWN if request.key == "k0" else Reply(text="yes", cost_usd=1.0), price_usd=lambda _: 1.0
    )
    one = LiveRuns(path=runs.path, budget_usd=1.0)
    answers = answers_of(one.ask(cases(2), Probe(session=session, pace=Pace(concurrency=1, backoff_s=0.0, max_attempts=2))))
    assert [type(answers[f"row{n}"]) for n in range(2)] == [Refusal, Reply]


PLANS = st.lists(
    st.tuples(
        st.floats(0.01, 1.0),  # highest price
        st.lists(st.tuples(st.sampled_from("bdlf"), st.floats(0.0, 1.0)), max_size=4),  # failures, and the share of it billed
        st.floats(0.0, 1.0),  # share of it that the reply costs
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=15)
@given(plans=PLANS, budget_usd=st.floats(0.0, 4.0))
def test_the_true_bill_never_passes_the_budget(plans, budget_usd):
    """Whatever calls cost and however they end, also when lost answers are billed, and the books never say less than the bill."""
    bill = 0.0
    failures = {"b": BUSY, "d": DOWN, "l": LOST, "f": FAULTY}

    def respond(request: JudgeRequest, attempt: int) -> Reply | AttemptFailure:
        nonlocal bill
        price, steps, share = plans[int(request.key[1:])]
        if attempt <= len(steps):
            kind, billed = steps[attempt - 1]
            bill += price * billed if kind == "l" else 0.0
            return failures[kind]
        bill += price * share
        return Reply(text="yes", cost_usd=price * share)

    with tempfile.TemporaryDirectory() as folder:
        limited = LiveRuns(path=Path(folder) / "ledger.sqlite", budget_usd=budget_usd)
        session = FakeSession(respond=respond, price_usd=lambda key: plans[int(key[1:])][0])
        got: list[Conversation] = []
        with contextlib.suppress(BudgetExceeded):
            for arrived in limited.calls(
                Probe(session=session, pace=Pace(concurrency=3, backoff_s=0.0, max_attempts=3))
            ).conversations(cases(len(plans))):
                got += arrived
        assert bill <= limited.owed_usd() + 1e-9 <= budget_usd + 2e-9
        assert max(Counter(conversation.case.row_id for conversation in got).values(), default=1) == 1


# Stopping early.


def test_closing_early_commits_what_was_sent_and_gives_the_rest_back(runs):
    """Replies under way are paid for: they are in the ledger when closing returns."""
    session = FakeSession(respond=lambda request, _: after(0.0 if request.key == "k0" else 0.2, Reply(text="yes")))
    conversations = runs.calls(Probe(session=session)).conversations(cases(500))
    assert [conversation.case.row_id for conversation in next(conversations)] == ["row0"]
    conversations.close()
    assert runs.replied(f"k{n}" for n in range(500)) == set(session.sends)
    assert len(session.sends) <= 9
    assert runs.claimable(f"k{n}" for n in range(500)) == {f"k{n}" for n in range(500)} - set(session.sends)


def test_an_attempt_that_outlasts_the_grace_is_cut_off_and_stays_booked(runs):
    """Its answer may be billed; the request may be claimed by others at once."""
    session = FakeSession(
        respond=lambda request, _: after(0.0 if request.key == "k0" else 60.0, Reply(text="yes", cost_usd=0.25)),
        price_usd=lambda _: 1.0,
    )
    rich = LiveRuns(path=runs.path, budget_usd=1e6)
    conversations = rich.calls(Probe(session=session), grace_s=0.05).conversations(cases(20))
    next(conversations)
    started = time.monotonic()
    conversations.close()
    assert time.monotonic() - started < 10.0
    interrupted = set(session.sends) - {"k0"}
    assert interrupted <= rich.claimable(f"k{n}" for n in range(20))
    assert rich.owed_usd() == pytest.approx(0.25 + len(interrupted))


def test_an_error_of_the_caller_closes_as_well(runs):
    session = FakeSession(respond=lambda *_: after(0.01, Reply(text="yes")))

    def use() -> None:
        for _ in runs.calls(Probe(session=session)).conversations(cases(500)):
            raise KeyError("the caller's own")

    with pytest.raises(KeyError):
        use()
    assert runs.replied(f"k{n}" for n in range(500)) == set(session.sends)
    assert not [thread for thread in threading.enumerate() if thread.name == "asking"]


def test_an_error_of_the_cases_comes_after_what_was_asked_before(runs):
    """The reader's error is told as it is, when all that is under way has ended."""

    def broken() -> Iterator[Case]:
        yield from cases(520)
        raise DataError("row 520 has no text")

    session = FakeSession(respond=lambda *_: after(0.001, Reply(text="yes")))
    got = runs.ask_until(DataError, "row 520 has no text", broken(), Probe(session=session))
    assert (
        {conversation.case.request.key for conversation in got}
        == set(session.sends)
        == runs.replied(f"k{n}" for n in range(520))
    )
    assert got


def test_a_defect_of_a_line_is_told_and_stays_booked(runs):
    """An exception is no answer: the attempt may have been billed."""

    def respond(request: JudgeRequest, _: int) -> Reply:
        raise ZeroDivisionError("a defect")

    rich = LiveRuns(path=runs.path, budget_usd=10.0)
    session = FakeSession(respond=respond, price_usd=lambda _: 0.5)
    assert rich.ask_until(ZeroDivisionError, "a defect", cases(1), Probe(session=session)) == []
    assert rich.owed_usd() == 0.5


def test_a_ledger_that_cannot_be_opened_is_told(tmp_path):
    nowhere = LiveRuns(path=tmp_path / "no folder" / "ledger.sqlite")
    assert nowhere.ask_until(StorageError, "ledger", cases(1), Probe(session=FakeSession())) == []


def test_a_ledger_that_breaks_in_the_middle_ends_the_run(runs):
    """Nothing is sent that cannot be recorded, and nobody waits for ever."""

    def respond(request: JudgeRequest, _: int) -> Reply:
        if request.key == "k20":
            with contextlib.closing(sqlite3.connect(runs.path, timeout=10)) as connection:
                connection.execute("DROP TABLE ledger_requests")
        return Reply(text="yes")

    session = FakeSession(respond=respond)
    runs.ask_until(StorageError, "ledger_requests", cases(200), Probe(session=session))
    assert len(session.sends) < 21 + 2 * FAST.concurrency
