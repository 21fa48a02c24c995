"""Asking, with judges in memory and the real ledger: everything answered once, nothing paid for twice, and stops in time."""

import asyncio
import contextlib
import inspect
import itertools
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.asking.live import Asking, Pulse, Talk, ask
from annotate.inquiry import Case, Inquiry
from annotate.judge import Estimate, JudgeRequest, Pace, Refusal, Reply, Trouble
from annotate.ledger.ledger import Entry, Ledger
from annotate.task import TaskSpec, Written
from contracts.errors import BudgetExceeded, DataError, SetupError, StorageError
from tests.annotate.batch_provider import BILLED_USD, Provider
from tests.annotate.batch_provider import Line as BatchLine

PROBE = TaskSpec(
    name="probe",
    subject="samples",
    templates={"en": "again.en.jinja"},
    fields=("prompt", "problem"),
    audios={},
    gives=("text",),
    parse=lambda text: Written(content={"text": text}, scores={}, completion=text),
)
FAST = Pace(concurrency=8, backoff_s=0.0, max_attempts=3)

BUSY = Trouble(reason="rate_limited", message="HTTP 429", kind="throttled", wait_s=0.0)
DOWN = Trouble(reason="server_error", message="HTTP 503", kind="passing")
LOST = Trouble(reason="timeout", message="no reply within 9 s", kind="passing", lost=True)
BARRED = Trouble(reason="key_refused", message="HTTP 401", kind="everyone", advice="check the key in PROBE_KEY")
FAULTY = Trouble(reason="bad_request", message="HTTP 400", kind="request")


@dataclass(kw_only=True)
class Wire:
    """A line in memory.

    Attributes:
        respond: what the n-th attempt (from 1) of a request brings.
        price_usd: the highest price of an attempt.
        sends: key -> attempts.
        answers: key -> replies and refusals.
        most: most attempts that were under way at once.
    """

    respond: Callable[[JudgeRequest, int], Any] = lambda request, _: Reply(text=f"to {request.key}")
    price_usd: Callable[[str], float] = lambda _: 0.0
    sends: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    most: int = 0

    async def estimate(self, request: JudgeRequest) -> Estimate:
        return Estimate(input_tokens=1, output_tokens=1, usd=self.price_usd(request.key))

    async def attempt(self, request: JudgeRequest) -> Reply | Refusal | Trouble:
        self.sends[request.key] += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            outcome = self.respond(request, self.sends[request.key])
            outcome = await outcome if inspect.isawaitable(outcome) else outcome
        finally:
            self.under_way -= 1
        if not isinstance(outcome, Trouble):
            self.answers[request.key] += 1
        return outcome


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A judge whose line is given."""

    name: ClassVar[str] = "probe"
    version: ClassVar[str] = "1"
    model: ClassVar[str] = "probe-1"
    tasks: ClassVar[None] = None
    has_batches: ClassVar[bool] = False

    line: Wire
    pace: Pace = FAST
    facts: tuple[str, ...] = ()
    repeatable: bool = False
    lacks: str | None = None

    def params(self) -> Mapping[str, str]:
        return {}

    def missing(self) -> str | None:
        return self.lacks

    def estimate(self, prompt: str, audio_s: float, *, batch: bool = False) -> Estimate:
        return Estimate(input_tokens=1, output_tokens=1, usd=0.0)

    @contextlib.asynccontextmanager
    async def open(self, clips: object) -> AsyncIterator[Wire]:
        yield self.line

    def open_batches(self, clips: object) -> Any:
        raise SetupError("judge 'probe' has no batches")


def case(number: int | str, key: str | None = None) -> Case:
    request = JudgeRequest(key=key or f"k{number}", prompt=f"prompt {number}")
    return Case(
        row_id=f"row{number}", subject_id=f"s{number}", order="ab", vote=0, language="en", request=request, lacking=None
    )


def cases(count: int) -> list[Case]:
    return [case(number) for number in range(count)]


def entry(key: str) -> Entry:
    return Entry(key=key, judge="probe", model="probe-1", task="probe", prompt_version="v", row_id="row", repeat=0)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A ledger file, and asking over it."""

    path: Path
    budget_usd: float | None = None

    def open(self) -> Ledger:
        return Ledger(self.path, account="tests")

    def asking(self, judge: Probe, problem_of: Callable[[str], str | None] = lambda _: None, **more: Any) -> Asking:
        return Asking(
            inquiry=Inquiry.of(PROBE, judge),
            problem_of=problem_of,
            open_ledger=self.open,
            clips=None,
            budget_usd=self.budget_usd,
            **more,
        )

    def ask(self, asked: Iterable[Case], judge: Probe, **more: Any) -> list[Talk]:
        return [talk for talks in self.asking(judge, **more).talks(asked) for talk in talks]

    def ask_until(self, error: type[Exception], match: str, asked: Iterable[Case], judge: Probe, **more: Any) -> list[Talk]:
        """Return the talks that came before the error."""
        got: list[Talk] = []

        def take_all() -> None:
            for arrived in self.asking(judge, **more).talks(asked):
                got.extend(arrived)

        with pytest.raises(error, match=match):
            take_all()
        return got

    def replied(self, keys: Iterable[str]) -> set[str]:
        with self.open() as ledger:
            return set(ledger.replies(list(keys)))

    def claimable(self, keys: Iterable[str]) -> set[str]:
        """Return which keys another process gets, and give them back."""
        with self.open() as ledger:
            claimed = ledger.claim([entry(key) for key in keys])
            ledger.give_back(claimed)
            return set(claimed)

    def owed_usd(self) -> float:
        with self.open() as ledger:
            return ledger.owed_usd()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(path=tmp_path / "ledger.sqlite")


def answers_of(talks: Iterable[Talk]) -> dict[str, Reply | Refusal]:
    return {talk.case.row_id: talk.trail[-1][1] for talk in talks}


async def after(delay_s: float, outcome: Reply | Refusal | Trouble) -> Reply | Refusal | Trouble:
    await asyncio.sleep(delay_s)
    return outcome


# What is asked.


def test_every_case_is_answered_and_read_from_the_ledger_the_next_time(desk):
    """A second run needs neither key nor line, and its talks are the same."""
    line = Wire()
    first = answers_of(desk.ask(cases(100), Probe(line=line)))
    assert {row: reply.text for row, reply in first.items()} == {f"row{n}": f"to k{n}" for n in range(100)}
    assert set(line.sends.values()) == {1}
    again = Wire()
    second = answers_of(desk.ask(cases(100), Probe(line=again, lacks="no key: set PROBE_KEY")))
    assert not again.sends
    assert {row: reply.text for row, reply in second.items()} == {row: reply.text for row, reply in first.items()}


def test_the_function_and_the_object_are_the_same(desk):
    """``ask`` is what the flows call."""
    talks = ask(
        cases(3),
        inquiry=Inquiry.of(PROBE, Probe(line=Wire())),
        problem_of=lambda _: None,
        open_ledger=desk.open,
        clips=None,
        budget_usd=None,
    )
    assert sorted(talk.case.row_id for arrived in talks for talk in arrived) == ["row0", "row1", "row2"]


def test_no_cases_no_questions(desk):
    assert desk.ask([], Probe(line=Wire(), lacks="anything")) == []


def test_what_the_judge_lacks_is_said_before_anything_is_claimed(desk):
    desk.ask_until(
        SetupError, "judge 'probe': no key: set PROBE_KEY", cases(3), Probe(line=Wire(), lacks="no key: set PROBE_KEY")
    )
    assert desk.claimable(["k0"]) == {"k0"}


def test_only_what_the_ledger_lacks_is_asked(desk):
    desk.ask(cases(50), Probe(line=Wire()))
    line = Wire()
    assert len(desk.ask(cases(80), Probe(line=line))) == 80
    assert set(line.sends) == {f"k{n}" for n in range(50, 80)}


def test_equal_questions_are_asked_once_and_all_get_the_reply(desk):
    """Forty rows with four questions between them, far apart and side by side, failed ones too."""
    line = Wire(respond=lambda request, _: after(0.02, FAULTY if request.key == "q3" else Reply(text=request.key)))
    asked = [case(number, key=f"q{number % 4}") for number in range(40)]
    answers = answers_of(desk.ask(asked, Probe(line=line)))
    assert line.sends == {"q0": 1, "q1": 1, "q2": 1, "q3": 1}
    assert len(answers) == 40
    for number in range(40):
        answer = answers[f"row{number}"]
        assert answer.reason == "bad_request" if number % 4 == 3 else answer.text == f"q{number % 4}"


def test_a_reply_that_cannot_be_used_is_followed_by_one_more_question(desk):
    """The follow-up names the problem; its reply ends the talk, good or bad; the next run reads both."""
    line = Wire(respond=lambda request, _: Reply(text="bad" if request.key != "k1" else "good"))
    problem_of = {"bad": "no scores", "good": None}.get
    talks = {talk.case.row_id: talk for talk in desk.ask(cases(2), Probe(line=line), problem_of=problem_of)}
    (first, reply), (second, last) = talks["row0"].trail
    assert (first.repeat, second.repeat, reply.text, last.text) == (0, 1, "bad", "bad")
    assert "no scores" in second.prompt
    assert first.prompt in second.prompt
    assert len(talks["row1"].trail) == 1
    quiet = Wire()
    assert {talk.case.row_id: talk for talk in desk.ask(cases(2), Probe(line=quiet), problem_of=problem_of)} == talks
    assert not quiet.sends


def test_a_follow_up_that_a_stop_cut_off_is_asked_in_the_next_run(desk):
    """The first reply is not paid for again."""
    stopped = Wire(respond=lambda request, _: BARRED if request.repeat else Reply(text="bad"))
    assert desk.ask_until(SetupError, "PROBE_KEY", cases(1), Probe(line=stopped), problem_of=str) == []
    line = Wire()
    (talk,) = desk.ask(cases(1), Probe(line=line), problem_of=str)
    assert [request.repeat for request, _ in talk.trail] == [0, 1]
    assert list(line.sends) == [talk.trail[1][0].key]


def test_a_judge_that_always_says_the_same_is_not_asked_once_more(desk):
    (talk,) = desk.ask(cases(1), Probe(line=Wire(), repeatable=True), problem_of=lambda _: "bad")
    assert len(talk.trail) == 1


# Troubles of single requests.


def test_all_end_whatever_happens_and_nothing_is_asked_after_its_answer(desk):
    """Every request meets a seeded mix of troubles; all end as replied or failed, and the books say what was sent."""
    plans: dict[str, list[Trouble | None]] = {}
    for number in range(100):
        mix = [(BUSY, DOWN, LOST, None)[(number * 7919 + step * 104729) // 13 % 4] for step in range(30)]
        plans[f"k{number}"] = [FAULTY] if number % 50 == 7 else mix

    def respond(request: JudgeRequest, attempt: int) -> Reply | Trouble:
        return plans[request.key][attempt - 1] or Reply(text="yes", cost_usd=0.01)

    line = Wire(respond=respond, price_usd=lambda _: 0.05)
    generous = Desk(path=desk.path, budget_usd=1e6)
    answers = answers_of(generous.ask(cases(100), Probe(line=line)))
    assert len(answers) == 100
    assert line.most <= FAST.concurrency
    owed_usd = 0.0
    for number in range(100):
        key, answer = f"k{number}", answers[f"row{number}"]
        failures, expected = 0, None
        for attempt, trouble in enumerate(plans[key], start=1):  # the oracle: read the plan like a person would
            failures += trouble in (DOWN, LOST)
            if trouble in (None, FAULTY) or failures == FAST.max_attempts:
                expected = attempt
                break
        lost = sum(trouble is LOST for trouble in plans[key][:expected])
        ok = plans[key][expected - 1] is None
        assert line.sends[key] == answer.attempts == expected
        assert isinstance(answer, Reply if ok else Refusal)
        assert line.answers[key] == ok
        assert answer.cost_usd == pytest.approx(0.05 * lost + 0.01 * ok)
        owed_usd += answer.cost_usd
    assert generous.owed_usd() == pytest.approx(owed_usd)


def test_a_request_that_fails_while_others_succeed_is_a_failure(desk):
    line = Wire(respond=lambda request, _: LOST if request.key == "k3" else Reply(text="yes"))
    answers = answers_of(desk.ask(cases(40), Probe(line=line)))
    failed = {row: answer for row, answer in answers.items() if isinstance(answer, Refusal)}
    assert list(failed) == ["row3"]
    assert (failed["row3"].reason, failed["row3"].attempts) == ("timeout", 3)


def test_being_throttled_is_no_attempt(desk):
    """Five complaints, with three attempts allowed, and still a reply."""
    line = Wire(respond=lambda request, attempt: BUSY if request.key == "k5" and attempt <= 5 else Reply(text="yes"))
    answers = answers_of(desk.ask(cases(60), Probe(line=line)))
    assert isinstance(answers["row5"], Reply)
    assert answers["row5"].attempts == 6


def test_a_request_that_alone_is_throttled_for_ever_is_given_up(desk):
    """One that is larger than a minute's tokens must not keep the run from ending."""
    line = Wire(respond=lambda request, _: BUSY if request.key == "k5" else after(0.001, Reply(text="yes")))
    answers = answers_of(desk.ask(cases(200), Probe(line=line)))
    assert answers["row5"].reason == "rate_limited"
    assert all(isinstance(answer, Reply) for row, answer in answers.items() if row != "row5")


# The circuit breaker.


def test_a_refused_key_stops_at_once_and_keeps_what_is_under_way(desk):
    """Those under way are committed and handed over; the others were never sent and may be claimed at once."""

    def respond(request: JudgeRequest, _: int) -> Any:
        return after(0.02, BARRED) if request.key == "k2" else after(0.2, Reply(text="yes", cost_usd=0.5))

    line = Wire(respond=respond, price_usd=lambda _: 1.0)
    rich = Desk(path=desk.path, budget_usd=1e6)
    match = "judge 'probe': HTTP 401: check the key in PROBE_KEY; every reply so far is kept; run the same command again"
    got = rich.ask_until(SetupError, match, cases(200), Probe(line=line))
    assert set(line.sends) == {f"k{n}" for n in range(8)}
    kept = {f"k{n}" for n in range(8)} - {"k2"}
    assert {talk.case.request.key for talk in got} == kept == rich.replied(f"k{n}" for n in range(200))
    assert rich.claimable(f"k{n}" for n in range(200)) == {f"k{n}" for n in range(200)} - kept
    assert rich.owed_usd() == pytest.approx(0.5 * 7)


def test_an_outage_stops_instead_of_failing_every_row(desk):
    """No row becomes a failure, and only lost money stays booked."""
    line = Wire(respond=lambda request, nth: LOST if nth == 2 and request.key[-1] in "05" else DOWN, price_usd=lambda _: 0.25)
    rich = Desk(path=desk.path, budget_usd=1e6)
    match = "judge 'probe': 16 requests in a row .* HTTP 503.*every reply so far is kept; run the same command again"
    assert rich.ask_until(SetupError, match, cases(150), Probe(line=line)) == []
    assert len(line.sends) <= 48  # what is claimed ahead at most
    assert rich.claimable(f"k{n}" for n in range(150)) == {f"k{n}" for n in range(150)}
    lost = sum(count >= 2 for key, count in line.sends.items() if key[-1] in "05")
    assert lost
    assert rich.owed_usd() == pytest.approx(0.25 * lost)
    assert len(rich.ask(cases(150), Probe(line=Wire()))) == 150


def test_a_judge_that_never_answers_is_not_paid_again_and_again(desk):
    """An attempt that ran out of time may be billed: a row of different requests that all did stops the run."""
    rich = Desk(path=desk.path, budget_usd=100.0)
    line = Wire(respond=lambda *_: after(0.002, LOST), price_usd=lambda _: 0.25)
    match = r"1\d requests in a row got no answer, the last: no reply within 9 s: see whether .* or raise timeout_s"
    assert rich.ask_until(SetupError, match, cases(200), Probe(line=line)) == []
    assert line.sends.total() < 2 * 16 + 8
    assert rich.owed_usd() == 0.25 * line.sends.total()
    line = Wire(respond=lambda request, _: LOST if len(request.key) == 2 else Reply(text="yes"))
    assert len(rich.ask(cases(200), Probe(line=line))) == 200  # while others are answered, it is the requests


def test_a_few_failures_at_the_end_are_failures(desk):
    """Nothing is left that could show whether the judge answers."""
    answers = answers_of(desk.ask(cases(5), Probe(line=Wire(respond=lambda *_: DOWN))))
    assert {answer.reason for answer in answers.values()} == {"server_error"}
    assert len(answers) == 5


def test_a_judge_that_was_never_reached_is_no_failure_of_the_rows(desk):
    nowhere = Trouble(reason="unreachable", message="no connection", kind="passing")
    match = "no connection: check the network"
    assert desk.ask_until(SetupError, match, cases(2), Probe(line=Wire(respond=lambda *_: nowhere))) == []
    assert desk.claimable(["k0", "k1"]) == {"k0", "k1"}


def test_a_judge_that_only_throttles_stops_the_run(desk):
    """After ``max_wait_s`` without one answer; nothing is failed, nothing is owed."""
    busy = Trouble(reason="rate_limited", message="HTTP 429", kind="throttled", wait_s=0.05)
    rich = Desk(path=desk.path, budget_usd=1e6)
    judge = Probe(line=Wire(respond=lambda *_: busy, price_usd=lambda _: 1.0))
    assert rich.ask_until(SetupError, "HTTP 429 .no request was answered", cases(30), judge, max_wait_s=0.3) == []
    assert rich.owed_usd() == 0.0
    assert rich.claimable(f"k{n}" for n in range(30)) == {f"k{n}" for n in range(30)}


def test_a_longer_wait_than_anybody_waits_stops_the_run(desk):
    gone = Trouble(reason="rate_limited", message="HTTP 429", kind="throttled", wait_s=43_000.0)
    desk.ask_until(SetupError, "asks to wait 43000 s", cases(30), Probe(line=Wire(respond=lambda *_: gone)))


# Money.


def test_without_a_budget_nothing_paid_is_sent(desk):
    line = Wire(price_usd=lambda _: 0.01)
    desk.ask_until(BudgetExceeded, "budget_usd", cases(3), Probe(line=line))
    assert not line.sends
    assert desk.claimable(["k0"]) == {"k0"}


def test_money_that_comes_back_is_used(desk):
    """Each call may cost 4 and does cost 1: ten dollars buy seven answers, one after another where need be, and then it stops."""
    line = Wire(respond=lambda *_: after(0.01, Reply(text="yes", cost_usd=1.0)), price_usd=lambda _: 4.0)
    ten = Desk(path=desk.path, budget_usd=10.0)
    match = (
        r"\$7\.0000 of the budget of \$10\.0000 are spent or owed.*\$4\.000000: raise budget_usd in the recipe to go on; every"
    )
    got = ten.ask_until(BudgetExceeded, match, cases(30), Probe(line=line))
    assert len(got) == sum(line.sends.values()) == 7
    assert len(Desk(path=desk.path, budget_usd=100.0).ask(cases(30), Probe(line=Wire(price_usd=lambda _: 1.0)))) == 30


def test_an_attempt_that_was_surely_not_answered_costs_nothing(desk):
    """A budget for one attempt is enough for any number of complaints and refusals before the reply."""
    busy = itertools.chain([BUSY, DOWN, BUSY, BUSY, DOWN], itertools.repeat(None))
    line = Wire(respond=lambda *_: next(busy) or Reply(text="yes", cost_usd=1.0), price_usd=lambda _: 1.0)
    one = Desk(path=desk.path, budget_usd=1.0)
    (talk,) = one.ask(cases(1), Probe(line=line))
    assert (talk.trail[0][1].attempts, talk.trail[0][1].cost_usd, one.owed_usd()) == (6, 1.0, 1.0)


def test_waiting_for_money_does_not_block_those_who_have_it(desk):
    """The only place at the gate is needed by the throttled request whose money all others wait for."""
    line = Wire(
        respond=lambda request, attempt: after(0.01, DOWN if attempt == 1 else Reply(text="yes", cost_usd=0.1)),
        price_usd=lambda _: 1.0,
    )
    pace = Pace(concurrency=1, backoff_s=0.05, max_attempts=3)
    tight = Desk(path=desk.path, budget_usd=1.5)
    assert len(tight.ask(cases(5), Probe(line=line, pace=pace))) == 5


def test_money_that_only_doubtful_requests_hold_is_freed(desk):
    """One that used up its attempts without being billed gives its money to the next."""
    line = Wire(
        respond=lambda request, _: DOWN if request.key == "k0" else Reply(text="yes", cost_usd=1.0), price_usd=lambda _: 1.0
    )
    one = Desk(path=desk.path, budget_usd=1.0)
    answers = answers_of(one.ask(cases(2), Probe(line=line, pace=Pace(concurrency=1, backoff_s=0.0, max_attempts=2))))
    assert [type(answers[f"row{n}"]) for n in range(2)] == [Refusal, Reply]


PLANS = st.lists(
    st.tuples(
        st.floats(0.01, 1.0),  # highest price
        st.lists(st.tuples(st.sampled_from("bdlf"), st.floats(0.0, 1.0)), max_size=4),  # troubles, and the share of it billed
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
    troubles = {"b": BUSY, "d": DOWN, "l": LOST, "f": FAULTY}

    def respond(request: JudgeRequest, attempt: int) -> Reply | Trouble:
        nonlocal bill
        price, steps, share = plans[int(request.key[1:])]
        if attempt <= len(steps):
            kind, billed = steps[attempt - 1]
            bill += price * billed if kind == "l" else 0.0
            return troubles[kind]
        bill += price * share
        return Reply(text="yes", cost_usd=price * share)

    with tempfile.TemporaryDirectory() as folder:
        limited = Desk(path=Path(folder) / "ledger.sqlite", budget_usd=budget_usd)
        line = Wire(respond=respond, price_usd=lambda key: plans[int(key[1:])][0])
        got: list[Talk] = []
        with contextlib.suppress(BudgetExceeded):
            for arrived in limited.asking(Probe(line=line, pace=Pace(concurrency=3, backoff_s=0.0, max_attempts=3))).talks(
                cases(len(plans))
            ):
                got += arrived
        assert bill <= limited.owed_usd() + 1e-9 <= budget_usd + 2e-9
        assert max(Counter(talk.case.row_id for talk in got).values(), default=1) == 1


# Stopping early.


def test_closing_early_commits_what_was_sent_and_gives_the_rest_back(desk):
    """Replies under way are paid for: they are in the ledger when closing returns."""
    line = Wire(respond=lambda request, _: after(0.0 if request.key == "k0" else 0.2, Reply(text="yes")))
    talks = desk.asking(Probe(line=line)).talks(cases(500))
    assert [talk.case.row_id for talk in next(talks)] == ["row0"]
    talks.close()
    assert desk.replied(f"k{n}" for n in range(500)) == set(line.sends)
    assert len(line.sends) <= 9
    assert desk.claimable(f"k{n}" for n in range(500)) == {f"k{n}" for n in range(500)} - set(line.sends)


def test_an_attempt_that_outlasts_the_grace_is_cut_off_and_stays_booked(desk):
    """Its answer may be billed; the request may be claimed by others at once."""
    line = Wire(
        respond=lambda request, _: after(0.0 if request.key == "k0" else 60.0, Reply(text="yes", cost_usd=0.25)),
        price_usd=lambda _: 1.0,
    )
    rich = Desk(path=desk.path, budget_usd=1e6)
    talks = rich.asking(Probe(line=line), grace_s=0.05).talks(cases(20))
    next(talks)
    started = time.monotonic()
    talks.close()
    assert time.monotonic() - started < 10.0
    cut_off = set(line.sends) - {"k0"}
    assert cut_off <= rich.claimable(f"k{n}" for n in range(20))
    assert rich.owed_usd() == pytest.approx(0.25 + len(cut_off))


def test_an_error_of_the_caller_closes_as_well(desk):
    line = Wire(respond=lambda *_: after(0.01, Reply(text="yes")))

    def use() -> None:
        for _ in desk.asking(Probe(line=line)).talks(cases(500)):
            raise KeyError("the caller's own")

    with pytest.raises(KeyError):
        use()
    assert desk.replied(f"k{n}" for n in range(500)) == set(line.sends)
    assert not [thread for thread in threading.enumerate() if thread.name == "asking"]


def test_an_error_of_the_cases_comes_after_what_was_asked_before(desk):
    """The reader's error is told as it is, when all that is under way has ended."""

    def broken() -> Iterator[Case]:
        yield from cases(520)
        raise DataError("row 520 has no text")

    line = Wire(respond=lambda *_: after(0.001, Reply(text="yes")))
    got = desk.ask_until(DataError, "row 520 has no text", broken(), Probe(line=line))
    assert {talk.case.request.key for talk in got} == set(line.sends) == desk.replied(f"k{n}" for n in range(520))
    assert got


def test_a_defect_of_a_line_is_told_and_stays_booked(desk):
    """An exception is no answer: the attempt may have been billed."""

    def respond(request: JudgeRequest, _: int) -> Reply:
        raise ZeroDivisionError("a defect")

    rich = Desk(path=desk.path, budget_usd=10.0)
    line = Wire(respond=respond, price_usd=lambda _: 0.5)
    assert rich.ask_until(ZeroDivisionError, "a defect", cases(1), Probe(line=line)) == []
    assert rich.owed_usd() == 0.5


def test_a_ledger_that_cannot_be_opened_is_told(tmp_path):
    nowhere = Desk(path=tmp_path / "no folder" / "ledger.sqlite")
    assert nowhere.ask_until(StorageError, "ledger", cases(1), Probe(line=Wire())) == []


def test_a_ledger_that_breaks_in_the_middle_ends_the_run(desk):
    """Nothing is sent that cannot be recorded, and nobody waits for ever."""

    def respond(request: JudgeRequest, _: int) -> Reply:
        if request.key == "k20":
            with contextlib.closing(sqlite3.connect(desk.path, timeout=10)) as connection:
                connection.execute("DROP TABLE ledger_requests")
        return Reply(text="yes")

    line = Wire(respond=respond)
    desk.ask_until(StorageError, "ledger_requests", cases(200), Probe(line=line))
    assert len(line.sends) < 21 + 2 * FAST.concurrency


# Sharing a ledger.

_NEIGHBOUR = """
import os, sys
from annotate.judge import Reply
from annotate.ledger.ledger import Entry, Ledger

keys = [f"k{n}" for n in range(20)]
ledger = Ledger(sys.argv[1], account="tests")
entries = [Entry(key=key, judge="probe", model="probe-1", task="probe", prompt_version="v", row_id="row") for key in keys]
assert ledger.claim(entries) == keys
ledger.mark_sent([(key, 0.0) for key in keys], None)
print("claimed", flush=True)
sys.stdin.readline()
ledger.commit([(key, Reply(text="from the neighbour")) for key in keys[:10]])
print("committed", flush=True)
sys.stdin.readline()
os._exit(9)
"""


def test_what_another_process_asks_is_waited_for_and_never_asked_twice(desk):
    """Its replies are taken; what it leaves behind when it dies is asked here; everything else goes on meanwhile."""
    root = Path(__file__).parents[3]
    neighbour = subprocess.Popen(
        [sys.executable, "-c", _NEIGHBOUR, str(desk.path)], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert neighbour.stdout.readline() == "claimed\n"
        line = Wire()
        texts: dict[str, str] = {}
        for talks in desk.asking(Probe(line=line)).talks(cases(100)):
            texts |= {talk.case.request.key: talk.trail[0][1].text for talk in talks}
            if len(texts) in (80, 90):  # all that could be had
                assert not set(line.sends) & {f"k{n}" for n in range(20)}
                neighbour.stdin.write("go on\n")
                neighbour.stdin.flush()
        assert neighbour.wait(10) == 9
    finally:
        neighbour.kill()
        neighbour.communicate()
    assert {key for key, text in texts.items() if text == "from the neighbour"} == {f"k{n}" for n in range(10)}
    assert line.sends == {f"k{n}": 1 for n in range(10, 100)}


@dataclass(frozen=True, kw_only=True)
class Both(Probe):
    """A judge that is asked one by one here, and through batches by others."""

    has_batches: ClassVar[bool] = True
    provider: Provider

    @contextlib.asynccontextmanager
    async def open_batches(self, clips: object) -> AsyncIterator[Any]:
        yield BatchLine(self.provider, 5, 10_000)


@pytest.mark.parametrize("account", ["tests", "another recipe"])
def test_a_batch_whose_owner_dies_is_taken_up(desk, account):
    """What it answers is taken, what it does not answer is asked here, and who handed it in pays for it."""
    provider = Provider(lasts_s=0.0, fate=lambda request, _: "answer" if request.key == "k1" else FAULTY)
    judge = Both(line=Wire(), provider=provider)
    got: dict[str, Any] = {}
    with Ledger(desk.path, account=account) as owner:
        owner.claim([entry("k0"), entry("k1")])
        owner.intend_batch("theirs", "probe", "probe-1", [("k0", 0.5), ("k1", 0.5)], 1.0)
        owner.submitted("theirs", provider.create("theirs", [case(0).request, case(1).request]))
        for talks in desk.asking(judge).talks(cases(20)):
            got |= {talk.case.row_id: talk.trail[0][1] for talk in talks}
            if len(got) == 18:  # all that could be had
                assert provider.calls["state"] == 0
                owner.close()
    assert got["row1"].text == "good: k1"
    assert got["row0"].text == "to k0"
    assert len(got) == 20
    with Ledger(desk.path, account=account) as payer:
        assert payer.owed_usd() == pytest.approx(BILLED_USD)


def test_two_runs_at_once_ask_nothing_twice(desk):
    """Both get every answer, and no question is asked by both."""
    lines = [Wire(respond=lambda *_: after(0.002, Reply(text="yes"))) for _ in range(2)]
    got: list[list[Talk]] = [[], []]

    def run(number: int) -> None:
        got[number] = desk.ask(cases(300), Probe(line=lines[number]))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(talks) for talks in got] == [300, 300]
    assert lines[0].sends + lines[1].sends == {f"k{n}": 1 for n in range(300)}


# Flow and memory.


def test_requests_flow_while_the_caller_is_busy_but_not_without_end(desk):
    """A caller that takes nothing more stops the reading of cases after a bounded number, and all come when it goes on."""
    read = 0

    def counted() -> Iterator[Case]:
        nonlocal read
        for number in range(2000):
            read += 1
            yield case(number)

    line = Wire()
    talks = desk.asking(Probe(line=line, pace=Pace(concurrency=100))).talks(counted())
    got = len(next(talks))
    seen = -1
    while seen != len(line.sends):  # until nothing moves any more
        seen = len(line.sends)
        time.sleep(0.5)
    assert 1000 < seen <= read < 1800
    assert got + sum(len(arrived) for arrived in talks) == 2000


def test_the_pulse_tells_how_it_goes(desk):
    """Counts add up, and it comes once per second at most, in the caller's thread."""
    desk.ask(cases(10), Probe(line=Wire()))
    pulses: list[tuple[float, Pulse, threading.Thread]] = []

    def respond(request: JudgeRequest, _: int) -> Any:
        return (
            FAULTY if request.key == "k11" else after(0.2 + 0.05 * (int(request.key[1:]) % 4), Reply(text="yes", cost_usd=0.5))
        )

    judge = Probe(line=Wire(respond=respond, price_usd=lambda _: 1.0), pace=Pace(concurrency=4, requests_per_minute=6000))
    asking = Desk(path=desk.path, budget_usd=100.0).asking(judge)
    for _ in asking.talks(cases(40), lambda pulse: pulses.append((time.monotonic(), pulse, threading.current_thread()))):
        pass
    times = [at for at, _, _ in pulses]
    assert len(pulses) >= 2
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(times))
    assert {thread for _, _, thread in pulses} == {threading.current_thread()}
    middle = pulses[1][1]
    assert (middle.known, middle.failed, middle.concurrency, middle.requests_per_minute) == (10, 1, 4, 6000)
    assert 0 < middle.in_flight <= 4
    assert middle.usd == pytest.approx(0.5 * middle.replied)
    assert middle.known + middle.replied + middle.failed + middle.in_flight + middle.waiting <= 40
    assert middle.sent_last_minute >= middle.replied + middle.failed


def test_a_rule_answers_a_crowd_quickly_and_memory_stays_flat(desk):
    """Free answers without a network are committed in groups; nothing is kept of what was taken."""
    count = 12_000
    process = psutil.Process()
    rule = Probe(line=Wire(sends=_Nothing(), answers=_Nothing()), facts=("wer",), repeatable=True)
    seen, base = 0, 0
    started = time.monotonic()
    for talks in desk.asking(rule).talks(case(number) for number in range(count)):
        seen += len(talks)
        if not base and seen >= count // 4:
            base = process.memory_info().rss
    assert seen == count
    assert process.memory_info().rss - base < 50e6
    assert time.monotonic() - started < count * 60 / 100_000


class _Nothing(Counter[str]):
    """Counts nothing, so that the test itself keeps no keys."""

    def __setitem__(self, key: str, value: int) -> None:
        assert value == 1
