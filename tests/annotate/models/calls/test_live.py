"""Asking, with judges in memory and the real ledger: everything answered once, troubles sorted, and stops in time."""

import time
from typing import Any

import pytest

from annotate.models.judge import JudgeRequest, Pace, Refusal, Reply, Trouble
from contracts.errors import DamagedPart, SetupError
from tests.annotate.live_desk import (
    BARRED,
    BUSY,
    DOWN,
    FAST,
    FAULTY,
    LOST,
    Desk,
    Probe,
    Wire,
    after,
    answers_of,
    case,
    cases,
)

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


def test_a_kept_reply_is_read_anew_by_the_rules_of_today(desk):
    """A better reader gets more out of it, a stricter one refuses it and asks once more; neither pays for it again."""
    raw = {"k0": "whole", "k1": "cut", "k2": "better"}
    line = Wire(respond=lambda request, _: Reply(text="good", raw=raw.get(request.key, "whole")))
    desk.ask(cases(3), Probe(line=line))
    today = {"cut": Refusal(reason="unfinished_reply", message="it was cut off"), "better": "best", "whole": "good"}
    again = Wire(respond=lambda request, _: Reply(text="good", raw="whole"))
    talks = {talk.case.row_id: talk for talk in desk.ask(cases(3), Probe(line=again, reads=today))}
    assert [answer.text for _, answer in talks["row0"].trail] == ["good"]
    assert [answer.text for _, answer in talks["row2"].trail] == ["best"]
    (_, refusal), (second, reply) = talks["row1"].trail
    assert (refusal.reason, reply.text) == ("unfinished_reply", "good")
    assert "it was cut off" in second.prompt
    assert list(again.sends) == [second.key]


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


@pytest.mark.parametrize("kind", ["throttled", "passing"])
def test_requests_that_are_told_to_wait_hold_up_nobody_else(desk, kind):
    """Ten of 200 are refused once, by status 429 or 503, more than may be under way: their waits of 1.5 s lie side by side."""
    refused = Trouble(reason="refused", message="Retry-After: 1.5", kind=kind, wait_s=1.5)
    unlucky = {f"k{number}" for number in range(3, 200, 20)}
    line = Wire(respond=lambda request, nth: refused if nth == 1 and request.key in unlucky else Reply(text="yes"))
    judge = Probe(line=line, pace=Pace(concurrency=3, backoff_s=0.0, max_attempts=3))
    began = time.monotonic()
    answers = answers_of(desk.ask(cases(200), judge))
    assert all(isinstance(answer, Reply) for answer in answers.values())
    assert len(answers) == 200
    assert line.sends.total() == 210
    assert time.monotonic() - began < 0.7 * 10 * 1.5


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
    assert line.sends.total() <= 3 * 16 + 8  # attempts each until the last of the row, and what is under way; of 600
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


@pytest.mark.parametrize("moment", ["estimate", "attempt"])
def test_a_request_whose_clip_is_damaged_is_refused_unpaid_and_asked_again_by_the_next_run(desk, monkeypatch, moment):
    """All others are answered; nothing stays booked for what was never sent."""
    rich = Desk(path=desk.path, budget_usd=100.0)
    line = Wire(price_usd=lambda _: 0.5)
    plain = getattr(line, moment)

    async def torn(request: JudgeRequest):
        if request.key == "k3":
            raise DamagedPart("audio blobs/ab/ab.flac was changed: restore the file")
        return await plain(request)

    monkeypatch.setattr(line, moment, torn)
    answers = answers_of(rich.ask(cases(8), Probe(line=line)))
    lost = answers.pop("row3")
    assert (lost.reason, lost.message) == ("damaged_audio", "audio blobs/ab/ab.flac was changed: restore the file")
    assert all(isinstance(answer, Reply) for answer in answers.values())
    assert len(answers) == 7
    assert rich.owed_usd() == 0.0
    restored = Wire()
    assert isinstance(answers_of(rich.ask(cases(8), Probe(line=restored)))["row3"], Reply)
    assert restored.sends == {"k3": 1}
