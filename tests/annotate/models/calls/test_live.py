"""Asking, with judges in memory and the real ledger: everything answered once, failures sorted, and stops in time."""

import time
from typing import Any

import pytest

from annotate.models.judge import Pace
from annotate.models.request import AttemptFailure, JudgeRequest, Refusal, Reply
from contracts.errors import DamagedPart, SetupError
from tests.annotate.live_runs import (
    BARRED,
    BUSY,
    DOWN,
    FAST,
    FAULTY,
    LOST,
    FakeSession,
    LiveRuns,
    Probe,
    after,
    answers_of,
    case,
    cases,
)

# What is asked.


def test_every_case_is_answered_and_read_from_the_ledger_the_next_time(runs):
    """A second run needs neither key nor line, and its conversations are the same."""
    session = FakeSession()
    first = answers_of(runs.ask(cases(100), Probe(session=session)))
    assert {row: reply.text for row, reply in first.items()} == {f"row{n}": f"to k{n}" for n in range(100)}
    assert set(session.sends.values()) == {1}
    again = FakeSession()
    second = answers_of(runs.ask(cases(100), Probe(session=again, lacks="no key: set PROBE_KEY")))
    assert not again.sends
    assert {row: reply.text for row, reply in second.items()} == {row: reply.text for row, reply in first.items()}


def test_no_cases_no_questions(runs):
    assert runs.ask([], Probe(session=FakeSession(), lacks="anything")) == []


def test_what_the_judge_lacks_is_said_before_anything_is_claimed(runs):
    runs.ask_until(
        SetupError,
        "judge 'probe': no key: set PROBE_KEY",
        cases(3),
        Probe(session=FakeSession(), lacks="no key: set PROBE_KEY"),
    )
    assert runs.claimable(["k0"]) == {"k0"}


def test_only_what_the_ledger_lacks_is_asked(runs):
    runs.ask(cases(50), Probe(session=FakeSession()))
    session = FakeSession()
    assert len(runs.ask(cases(80), Probe(session=session))) == 80
    assert set(session.sends) == {f"k{n}" for n in range(50, 80)}


def test_equal_questions_are_asked_once_and_all_get_the_reply(runs):
    """Forty rows with four questions between them, far apart and side by side, failed ones too."""
    session = FakeSession(respond=lambda request, _: after(0.02, FAULTY if request.key == "q3" else Reply(text=request.key)))
    asked = [case(number, key=f"q{number % 4}") for number in range(40)]
    answers = answers_of(runs.ask(asked, Probe(session=session)))
    assert session.sends == {"q0": 1, "q1": 1, "q2": 1, "q3": 1}
    assert len(answers) == 40
    for number in range(40):
        answer = answers[f"row{number}"]
        assert answer.reason == "bad_request" if number % 4 == 3 else answer.text == f"q{number % 4}"


def test_a_reply_that_cannot_be_used_is_followed_by_one_more_question(runs):
    """The follow-up names the problem; its reply ends the conversation, good or bad; the next run reads both."""
    session = FakeSession(respond=lambda request, _: Reply(text="bad" if request.key != "k1" else "good"))
    problem_of = {"bad": "no scores", "good": None}.get
    conversations = {
        conversation.case.row_id: conversation
        for conversation in runs.ask(cases(2), Probe(session=session), problem_of=problem_of)
    }
    (first, reply), (second, last) = conversations["row0"].exchanges
    assert (first.repeat, second.repeat, reply.text, last.text) == (0, 1, "bad", "bad")
    assert "no scores" in second.prompt
    assert first.prompt in second.prompt
    assert len(conversations["row1"].exchanges) == 1
    quiet = FakeSession()
    assert {
        conversation.case.row_id: conversation
        for conversation in runs.ask(cases(2), Probe(session=quiet), problem_of=problem_of)
    } == conversations
    assert not quiet.sends


def test_a_kept_reply_is_read_anew_by_the_rules_of_today(runs):
    """A better reader gets more out of it, a stricter one refuses it and asks once more; neither pays for it again."""
    raw = {"k0": "whole", "k1": "cut", "k2": "better"}
    session = FakeSession(respond=lambda request, _: Reply(text="good", raw=raw.get(request.key, "whole")))
    runs.ask(cases(3), Probe(session=session))
    today = {"cut": Refusal(reason="unfinished_reply", message="it was cut off"), "better": "best", "whole": "good"}
    again = FakeSession(respond=lambda request, _: Reply(text="good", raw="whole"))
    conversations = {
        conversation.case.row_id: conversation for conversation in runs.ask(cases(3), Probe(session=again, reads=today))
    }
    assert [answer.text for _, answer in conversations["row0"].exchanges] == ["good"]
    assert [answer.text for _, answer in conversations["row2"].exchanges] == ["best"]
    (_, refusal), (second, reply) = conversations["row1"].exchanges
    assert (refusal.reason, reply.text) == ("unfinished_reply", "good")
    assert "it was cut off" in second.prompt
    assert list(again.sends) == [second.key]


def test_a_follow_up_that_a_stop_cut_off_is_asked_in_the_next_run(runs):
    """The first reply is not paid for again."""
    stopped = FakeSession(respond=lambda request, _: BARRED if request.repeat else Reply(text="bad"))
    assert runs.ask_until(SetupError, "PROBE_KEY", cases(1), Probe(session=stopped), problem_of=str) == []
    session = FakeSession()
    (conversation,) = runs.ask(cases(1), Probe(session=session), problem_of=str)
    assert [request.repeat for request, _ in conversation.exchanges] == [0, 1]
    assert list(session.sends) == [conversation.exchanges[1][0].key]


def test_a_judge_that_always_says_the_same_is_not_asked_once_more(runs):
    (conversation,) = runs.ask(cases(1), Probe(session=FakeSession(), repeatable=True), problem_of=lambda _: "bad")
    assert len(conversation.exchanges) == 1


# Troubles of single requests.


def test_all_end_whatever_happens_and_nothing_is_asked_after_its_answer(runs):
    """Every request meets a seeded mix of failures; all end as replied or failed, and the books say what was sent."""
    plans: dict[str, list[AttemptFailure | None]] = {}
    for number in range(100):
        mix = [(BUSY, DOWN, LOST, None)[(number * 7919 + step * 104729) // 13 % 4] for step in range(30)]
        plans[f"k{number}"] = [FAULTY] if number % 50 == 7 else mix

    def respond(request: JudgeRequest, attempt: int) -> Reply | AttemptFailure:
        return plans[request.key][attempt - 1] or Reply(text="yes", cost_usd=0.01)

    session = FakeSession(respond=respond, price_usd=lambda _: 0.05)
    generous = LiveRuns(path=runs.path, budget_usd=1e6)
    answers = answers_of(generous.ask(cases(100), Probe(session=session)))
    assert len(answers) == 100
    assert session.most <= FAST.concurrency
    owed_usd = 0.0
    for number in range(100):
        key, answer = f"k{number}", answers[f"row{number}"]
        failures, expected = 0, None
        for attempt, failure in enumerate(plans[key], start=1):  # the oracle: read the plan like a person would
            failures += failure in (DOWN, LOST)
            if failure in (None, FAULTY) or failures == FAST.max_attempts:
                expected = attempt
                break
        lost = sum(failure is LOST for failure in plans[key][:expected])
        ok = plans[key][expected - 1] is None
        assert session.sends[key] == answer.attempts == expected
        assert isinstance(answer, Reply if ok else Refusal)
        assert session.answers[key] == ok
        assert answer.cost_usd == pytest.approx(0.05 * lost + 0.01 * ok)
        owed_usd += answer.cost_usd
    assert generous.owed_usd() == pytest.approx(owed_usd)


def test_a_request_that_fails_while_others_succeed_is_a_failure(runs):
    session = FakeSession(respond=lambda request, _: LOST if request.key == "k3" else Reply(text="yes"))
    answers = answers_of(runs.ask(cases(40), Probe(session=session)))
    failed = {row: answer for row, answer in answers.items() if isinstance(answer, Refusal)}
    assert list(failed) == ["row3"]
    assert (failed["row3"].reason, failed["row3"].attempts) == ("timeout", 3)


def test_being_throttled_is_no_attempt(runs):
    """Five complaints, with three attempts allowed, and still a reply."""
    session = FakeSession(respond=lambda request, attempt: BUSY if request.key == "k5" and attempt <= 5 else Reply(text="yes"))
    answers = answers_of(runs.ask(cases(60), Probe(session=session)))
    assert isinstance(answers["row5"], Reply)
    assert answers["row5"].attempts == 6


@pytest.mark.parametrize("kind", ["throttled", "transient"])
def test_requests_that_are_told_to_wait_hold_up_nobody_else(runs, kind):
    """Ten of 200 are refused once, by status 429 or 503, more than may be under way: their waits of 1.5 s lie side by side."""
    refused = AttemptFailure(reason="refused", message="Retry-After: 1.5", kind=kind, wait_s=1.5)
    unlucky = {f"k{number}" for number in range(3, 200, 20)}
    session = FakeSession(respond=lambda request, nth: refused if nth == 1 and request.key in unlucky else Reply(text="yes"))
    judge = Probe(session=session, pace=Pace(concurrency=3, backoff_s=0.0, max_attempts=3))
    began = time.monotonic()
    answers = answers_of(runs.ask(cases(200), judge))
    assert all(isinstance(answer, Reply) for answer in answers.values())
    assert len(answers) == 200
    assert session.sends.total() == 210
    assert time.monotonic() - began < 0.7 * 10 * 1.5


def test_a_request_that_alone_is_throttled_for_ever_is_given_up(runs):
    """One that is larger than a minute's tokens must not keep the run from ending."""
    session = FakeSession(respond=lambda request, _: BUSY if request.key == "k5" else after(0.001, Reply(text="yes")))
    answers = answers_of(runs.ask(cases(200), Probe(session=session)))
    assert answers["row5"].reason == "rate_limited"
    assert all(isinstance(answer, Reply) for row, answer in answers.items() if row != "row5")


# The circuit breaker.


def test_a_refused_key_stops_at_once_and_keeps_what_is_under_way(runs):
    """Those under way are committed and handed over; the others were never sent and may be claimed at once."""

    def respond(request: JudgeRequest, _: int) -> Any:
        return after(0.02, BARRED) if request.key == "k2" else after(0.2, Reply(text="yes", cost_usd=0.5))

    session = FakeSession(respond=respond, price_usd=lambda _: 1.0)
    rich = LiveRuns(path=runs.path, budget_usd=1e6)
    match = "judge 'probe': HTTP 401: check the key in PROBE_KEY; every reply so far is kept; run the same command again"
    got = rich.ask_until(SetupError, match, cases(200), Probe(session=session))
    assert set(session.sends) == {f"k{n}" for n in range(8)}
    kept = {f"k{n}" for n in range(8)} - {"k2"}
    assert {conversation.case.request.key for conversation in got} == kept == rich.replied(f"k{n}" for n in range(200))
    assert rich.claimable(f"k{n}" for n in range(200)) == {f"k{n}" for n in range(200)} - kept
    assert rich.owed_usd() == pytest.approx(0.5 * 7)


def test_an_outage_stops_instead_of_failing_every_row(runs):
    """No row becomes a failure, and only lost money stays booked."""
    session = FakeSession(
        respond=lambda request, nth: LOST if nth == 2 and request.key[-1] in "05" else DOWN, price_usd=lambda _: 0.25
    )
    rich = LiveRuns(path=runs.path, budget_usd=1e6)
    match = "judge 'probe': 16 requests in a row .* HTTP 503.*every reply so far is kept; run the same command again"
    assert rich.ask_until(SetupError, match, cases(150), Probe(session=session)) == []
    assert len(session.sends) <= 48  # what is claimed ahead at most
    assert rich.claimable(f"k{n}" for n in range(150)) == {f"k{n}" for n in range(150)}
    lost = sum(count >= 2 for key, count in session.sends.items() if key[-1] in "05")
    assert lost
    assert rich.owed_usd() == pytest.approx(0.25 * lost)
    assert len(rich.ask(cases(150), Probe(session=FakeSession()))) == 150


def test_a_judge_that_never_answers_is_not_paid_again_and_again(runs):
    """An attempt that ran out of time may be billed: a row of different requests that all did stops the run."""
    rich = LiveRuns(path=runs.path, budget_usd=100.0)
    session = FakeSession(respond=lambda *_: after(0.002, LOST), price_usd=lambda _: 0.25)
    match = r"1\d requests in a row got no answer, the last: no reply within 9 s: see whether .* or raise timeout_s"
    assert rich.ask_until(SetupError, match, cases(200), Probe(session=session)) == []
    assert session.sends.total() <= 3 * 16 + 8  # attempts each until the last of the row, and what is under way; of 600
    assert rich.owed_usd() == 0.25 * session.sends.total()
    session = FakeSession(respond=lambda request, _: LOST if len(request.key) == 2 else Reply(text="yes"))
    assert len(rich.ask(cases(200), Probe(session=session))) == 200  # while others are answered, it is the requests


def test_a_few_failures_at_the_end_are_failures(runs):
    """Nothing is left that could show whether the judge answers."""
    answers = answers_of(runs.ask(cases(5), Probe(session=FakeSession(respond=lambda *_: DOWN))))
    assert {answer.reason for answer in answers.values()} == {"server_error"}
    assert len(answers) == 5


def test_a_judge_that_was_never_reached_is_no_failure_of_the_rows(runs):
    nowhere = AttemptFailure(reason="unreachable", message="no connection", kind="transient")
    match = "no connection: check the network"
    assert runs.ask_until(SetupError, match, cases(2), Probe(session=FakeSession(respond=lambda *_: nowhere))) == []
    assert runs.claimable(["k0", "k1"]) == {"k0", "k1"}


def test_a_judge_that_only_throttles_stops_the_run(runs):
    """After ``max_wait_s`` without one answer; nothing is failed, nothing is owed."""
    busy = AttemptFailure(reason="rate_limited", message="HTTP 429", kind="throttled", wait_s=0.05)
    rich = LiveRuns(path=runs.path, budget_usd=1e6)
    judge = Probe(session=FakeSession(respond=lambda *_: busy, price_usd=lambda _: 1.0))
    assert rich.ask_until(SetupError, "HTTP 429 .no request was answered", cases(30), judge, max_wait_s=0.3) == []
    assert rich.owed_usd() == 0.0
    assert rich.claimable(f"k{n}" for n in range(30)) == {f"k{n}" for n in range(30)}


def test_a_longer_wait_than_anybody_waits_stops_the_run(runs):
    gone = AttemptFailure(reason="rate_limited", message="HTTP 429", kind="throttled", wait_s=43_000.0)
    runs.ask_until(SetupError, "asks to wait 43000 s", cases(30), Probe(session=FakeSession(respond=lambda *_: gone)))


@pytest.mark.parametrize("moment", ["estimate", "attempt"])
def test_a_request_whose_clip_is_damaged_is_refused_unpaid_and_asked_again_by_the_next_run(runs, monkeypatch, moment):
    """All others are answered; nothing stays booked for what was never sent."""
    rich = LiveRuns(path=runs.path, budget_usd=100.0)
    session = FakeSession(price_usd=lambda _: 0.5)
    plain = getattr(session, moment)

    async def torn(request: JudgeRequest):
        if request.key == "k3":
            raise DamagedPart("audio blobs/ab/ab.flac was changed: restore the file")
        return await plain(request)

    monkeypatch.setattr(session, moment, torn)
    answers = answers_of(rich.ask(cases(8), Probe(session=session)))
    lost = answers.pop("row3")
    assert (lost.reason, lost.message) == ("damaged_audio", "audio blobs/ab/ab.flac was changed: restore the file")
    assert all(isinstance(answer, Reply) for answer in answers.values())
    assert len(answers) == 7
    assert rich.owed_usd() == 0.0
    restored = FakeSession()
    assert isinstance(answers_of(rich.ask(cases(8), Probe(session=restored)))["row3"], Reply)
    assert restored.sends == {"k3": 1}
