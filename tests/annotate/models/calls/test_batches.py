"""Calls through batches, with a provider in memory and the real ledger: the usual course, and every failure on the way."""

import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from annotate.models.calls import batch_queue
from annotate.models.calls.batch_dispatch import BatchDispatcher
from annotate.models.inquiry import Case
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import AttemptFailure, Refusal, Reply
from contracts.errors import DamagedPart, SetupError
from tests.annotate.batch_provider import BILLED_USD, HIGHEST_USD, FakeBatchSession, Postman, Provider, case
from tests.annotate.batch_runs import (
    BARRED,
    BUSY,
    DOWN,
    EXPIRED,
    FAULTY,
    NEVER_CAME,
    SWALLOWED,
    ask,
    batch_states,
    batching,
    booked_usd,
    states,
    texts,
)

# The usual course.


def test_every_case_gets_the_reply_to_its_own_key(provider: Provider, path: Path):
    """Results come shuffled and are matched by key; a bad reply is followed up in a later batch."""
    conversations = ask(Postman(provider=provider), path, [case(n, tricky=n % 4 == 0) for n in range(23)])
    assert len(conversations) == 23
    for n in range(23):
        said = texts(conversations[f"row{n}"])
        assert said[0] == f"{'bad' if n % 4 == 0 else 'good'}: k{n:06d}"
        assert len(said) == (2 if n % 4 == 0 else 1)
        assert said[-1].startswith("good: ")
    assert provider.bills.total() == 23 + 6
    assert set(provider.bills.values()) == set(provider.names.values()) == {1}
    assert all(len(job.requests) <= 5 for job in provider.jobs.values())
    assert set(batch_states(path)) == {"closed"}
    assert booked_usd(path) == pytest.approx(provider.bill_usd)


def test_a_second_run_needs_no_provider(provider: Provider, path: Path):
    """Everything is in the ledger, so that not even a key is needed."""
    cases = [case(n, tricky=n == 3) for n in range(7)]
    first = ask(Postman(provider=provider), path, cases)
    again = ask(Postman(provider=provider, lacks="no key"), path, cases)
    assert {row: texts(conversation) for row, conversation in again.items()} == {
        row: texts(conversation) for row, conversation in first.items()
    }
    assert (provider.opened, provider.calls["submit"]) == (1, 3)


def test_nothing_to_ask_opens_nothing(provider: Provider, path: Path):
    """Without cases no session is opened."""
    assert ask(Postman(provider=provider, lacks="no key"), path, []) == {}


def test_a_judge_that_lacks_something_says_so(provider: Provider, path: Path):
    """The key is missed as soon as there is something to hand in."""
    with pytest.raises(SetupError, match="set POSTMAN_KEY"):
        ask(Postman(provider=provider, lacks="set POSTMAN_KEY"), path, [case(1)])


def test_a_judge_that_repeats_itself_is_not_followed_up(provider: Provider, path: Path):
    """Asking a rule once more is pointless."""
    conversations = ask(Postman(provider=provider, repeatable=True), path, [case(1, tricky=True)])
    assert texts(conversations["row1"]) == ["bad: k000001"]


def test_the_same_question_is_bought_once(provider: Provider, path: Path):
    """Two rows with one key are one line of a batch, whether they are read together or a batch apart."""
    cases = [case(0, key="same"), case(1, key="same"), *(case(n) for n in range(2, 9)), case(9, key="same")]
    conversations = ask(Postman(provider=provider), path, cases)
    assert len(conversations) == 10
    assert provider.bills["same"] == 1


def test_batches_keep_to_the_bytes_of_the_line(provider: Provider, path: Path):
    """Every prompt has 6 bytes, a batch takes 20: three lines each."""
    ask(Postman(provider=provider, most_bytes=20), path, [case(n) for n in range(9)])
    assert [len(job.requests) for job in provider.jobs.values()] == [3, 3, 3]


def test_what_fits_in_no_batch_is_refused_unsent(provider: Provider, path: Path):
    """One row too large fails alone, with a reason, and costs nothing."""
    conversations = ask(Postman(provider=provider, most_bytes=6), path, [case(1), case(10), case(2)])
    assert texts(conversations["row10"]) == ["! too_large"]
    assert provider.bills == {"k000001": 1, "k000002": 1}
    assert states(path)["k000010"] == "failed"


def test_no_more_batches_are_open_than_allowed(provider: Provider, path: Path):
    """Three at once here, and every one of them is used."""
    most: list[int] = []
    provider.watched = lambda _: most.append(sum(provider.clock.now() < job.ends_at for job in provider.jobs.values()))
    ask(Postman(provider=provider), path, [case(n) for n in range(40)], open_batches=3)
    assert max(most) == 3


def test_cases_are_read_as_room_comes_free(provider: Provider, path: Path):
    """Of 6,000 cases no more than `most_held` are ever read and not answered."""
    read, done, most = itertools.count(), 0, 0

    def source() -> Iterable[Case]:
        nonlocal most
        for n in range(6_000):
            most = max(most, next(read) + 1 - done)
            yield case(n)

    judge = Postman(provider=provider, most_requests=1000)
    provider.lasts_s = 0.0
    for conversations in batching(judge, path, most_held=3000, open_batches=2).conversations(source()):
        done += len(conversations)
    assert done == 6_000
    assert 1000 < most <= 3000
    assert provider.calls["submit"] == 6


def test_polling_slows_down(provider: Provider, path: Path):
    """A day of waiting is a look a minute at first and one in ten minutes later: some 150, not 1440."""
    provider.lasts_s = 86_400.0
    ask(Postman(provider=provider), path, [case(1)])
    assert 120 < provider.calls["state"] < 170


# Lines that bring no answer.


@pytest.mark.parametrize("fate", [EXPIRED, DOWN, SWALLOWED, "missing"])
def test_only_lines_without_an_answer_go_out_again(provider: Provider, path: Path, fate: object):
    """An expired batch keeps its finished lines; what may have been billed stays booked."""
    provider.fate = lambda request, nth: fate if request.key in ("k000001", "k000003") and nth == 1 else "answer"
    conversations = ask(Postman(provider=provider), path, [case(n) for n in range(5)])
    assert all(texts(conversation)[0].startswith("good") for conversation in conversations.values())
    assert [sorted(r.key[-1] for r in job.requests) for job in provider.jobs.values()] == [list("01234"), list("13")]
    maybe_billed = fate in ("missing", SWALLOWED)
    assert booked_usd(path) == pytest.approx(5 * BILLED_USD + (2 * HIGHEST_USD if maybe_billed else 0))
    assert booked_usd(path) >= provider.bill_usd - 1e-9


@pytest.mark.parametrize(("fate", "reason"), [(EXPIRED, "expired"), ("missing", "no_result"), (FAULTY, "bad_request")])
def test_a_line_is_given_up_after_the_last_attempt(provider: Provider, path: Path, fate: object, reason: str):
    """Three attempts here, or one where the provider says that it will never do; the reason is recorded."""
    provider.fate = lambda request, nth: fate if request.key == "k000001" else "answer"
    conversations = ask(Postman(provider=provider), path, [case(n) for n in range(3)])
    assert texts(conversations["row1"]) == [f"! {reason}"]
    assert provider.asked == {"k000000": 1, "k000001": 1 if fate is FAULTY else 3, "k000002": 1}
    with Ledger(path) as ledger:
        (line,) = ledger.history("row1")
    assert (line["state"], line["reason"], line["attempts"]) == ("failed", reason, provider.asked["k000001"])
    assert booked_usd(path) >= provider.bill_usd - 1e-9


def test_a_refusal_ends_its_case_alone(provider: Provider, path: Path):
    """What the model would not answer is no reason to ask again."""
    provider.fate = lambda request, nth: Refusal(reason="blocked", message="SAFETY") if request.key == "k000001" else "answer"
    conversations = ask(Postman(provider=provider), path, [case(n) for n in range(3)])
    assert texts(conversations["row1"]) == ["! blocked"]
    assert provider.asked.total() == 3


def test_repeated_and_invented_lines_are_counted_and_ignored(provider: Provider, path: Path, monkeypatch: pytest.MonkeyPatch):
    """The first answer stands; a line for a key of nobody harms nobody."""
    made: list[BatchDispatcher] = []

    def build(**options: Any) -> BatchDispatcher:
        made.append(BatchDispatcher(**options))
        return made[-1]

    monkeypatch.setattr(batch_queue, "BatchDispatcher", build)
    judge = Postman(provider=provider)
    run = batching(judge, path).conversations([case(n) for n in range(3)])
    finish = provider.finish

    def invent(job: Any) -> None:
        finish(job)
        first = job.results[0][0]
        job.results += [(first, Reply(text="bad: once more")), ("nobody's", Reply(text="good: nobody's"))]

    provider.finish = invent  # type: ignore[method-assign]
    conversations = [conversation for some in run for conversation in some]
    assert sorted(texts(conversation)[0] for conversation in conversations) == [
        "good: k000000",
        "good: k000001",
        "good: k000002",
    ]
    assert [dispatcher.results.unmatched for dispatcher in made] == [2]
    assert "nobody's" not in states(path)


def test_an_answer_replaces_a_failure_of_the_same_request(provider: Provider, path: Path):
    """A paid reply is not thrown away because another line says that there is none."""
    finish = provider.finish

    def also(job: Any) -> None:
        finish(job)
        job.results.insert(0, (job.requests[0].key, EXPIRED))

    provider.finish = also  # type: ignore[method-assign]
    ask(Postman(provider=provider), path, [case(n) for n in range(3)])
    assert provider.asked.total() == 3


def test_results_that_break_off_are_fetched_again(provider: Provider, path: Path):
    """What had come is kept, and the rest comes later; nothing is asked again."""
    provider.failures["results"] = [DOWN, BUSY]
    seen: list[int] = []
    judge = Postman(provider=provider, most_requests=600)
    for conversations in batching(judge, path).conversations([case(n) for n in range(600)]):
        seen.append(len(conversations))
        assert sum(state == "replied" for state in states(path).values()) >= sum(seen)
    assert sum(seen) == 600
    assert seen[0] == 256
    assert (provider.calls["results"], provider.asked.total()) == (3, 600)


def test_results_that_will_never_come_are_asked_for_again(provider: Provider, path: Path):
    """The file of results is gone: its answers were paid for, which stays booked, and are bought again."""
    provider.failures["results"] = [replace(FAULTY, lost=True)]
    conversations = ask(Postman(provider=provider), path, [case(n) for n in range(4)])
    assert all(texts(conversation)[0].startswith("good") for conversation in conversations.values())
    assert booked_usd(path) >= provider.bill_usd - 1e-9


def test_a_batch_that_is_unknown_is_asked_again(provider: Provider, path: Path):
    """Gone is not refunded: its price stays booked."""
    provider.gone = {"batches/0"}
    conversations = ask(Postman(provider=provider), path, [case(n) for n in range(4)])
    assert all(texts(conversation)[0].startswith("good") for conversation in conversations.values())
    assert booked_usd(path) == pytest.approx(4 * HIGHEST_USD + 4 * BILLED_USD)


# Troubles with whole batches.


@pytest.mark.parametrize("operation", ["submit", "state", "results"])
@pytest.mark.parametrize("failure", [DOWN, BUSY])
def test_transient_failures_are_retried(provider: Provider, path: Path, operation: str, failure: AttemptFailure):
    """A while later it goes on, with one batch and one bill."""
    provider.failures[operation] = [failure] * 5
    began = provider.clock.now()
    ask(Postman(provider=provider), path, [case(n) for n in range(4)])
    assert (len(provider.jobs), provider.bills.total()) == (1, 4)
    assert provider.clock.now() - began >= (5 * 30.0 if failure is BUSY else 5.0)


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_a_batch_whose_acceptance_was_lost_is_found(provider: Provider, path: Path, lag: int):
    """It is looked for, more than once because the list may lag, and never handed in twice."""
    provider.failures["submit"], provider.lag = [SWALLOWED], lag
    provider.failures["find"] = [DOWN]
    ask(Postman(provider=provider), path, [case(n) for n in range(4)])
    assert (provider.calls["submit"], provider.calls["find"], provider.bills.total()) == (1, lag + 2, 4)
    assert booked_usd(path) == pytest.approx(provider.bill_usd)


def test_a_batch_that_never_came_is_handed_in_again(provider: Provider, path: Path):
    """Not found in three looks, each a while apart: its money is released, and it goes out under another name."""
    provider.failures["submit"] = [NEVER_CAME]
    began = provider.clock.now()
    ask(Postman(provider=provider), path, [case(n) for n in range(4)])
    assert (provider.calls["submit"], provider.calls["find"], provider.bills.total()) == (2, 3, 4)
    assert provider.clock.now() - began > 2 * 20.0 + provider.lasts_s
    assert booked_usd(path) == pytest.approx(provider.bill_usd)


def test_a_provider_that_accepts_no_batch_is_given_up(provider: Provider, path: Path):
    """Not after one outage, but before a day has gone by; the questions are free for the next run."""
    provider.failures["submit"] = [DOWN] * 1000
    with pytest.raises(SetupError, match=r"HTTP 503 \(the provider accepted none of 32 batches\); every reply so far is kept"):
        ask(Postman(provider=provider), path, [case(n) for n in range(4)])
    provider.failures.clear()
    assert len(ask(Postman(provider=provider), path, [case(n) for n in range(4)])) == 4


def test_a_full_provider_is_waited_for_while_batches_are_open(provider: Provider, path: Path):
    """A limit on what may be queued refuses batches until others end; it is not tried every half minute until then."""
    provider.lasts_s = 7200.0

    def accepts(requests: object) -> AttemptFailure | None:
        return BUSY if sum(provider.clock.now() < job.ends_at for job in provider.jobs.values()) >= 1 else None

    provider.accepts = accepts
    assert len(ask(Postman(provider=provider), path, [case(n) for n in range(15)])) == 15
    assert len(provider.jobs) == 3
    assert provider.calls["submit"] < 3 + 2 * 20


def test_one_bad_line_does_not_sink_its_batch(provider: Provider, path: Path):
    """A batch that is refused as it is goes out in halves, until the culprit stands alone."""
    provider.accepts = lambda requests: FAULTY if any(r.key == "k000011" for r in requests) else None
    conversations = ask(Postman(provider=provider, most_requests=16), path, [case(n) for n in range(16)])
    assert [row for row, conversation in conversations.items() if texts(conversation) == ["! bad_request"]] == ["row11"]
    assert len(conversations) == 16
    assert set(provider.bills.values()) == {1}
    assert provider.calls["submit"] <= 9


def test_a_batch_that_failed_as_a_whole_is_over(provider: Provider, path: Path):
    """It was not billed, and a person must act; then its requests go out again and the old batch is not asked for any more."""
    provider.failures["state"] = [replace(BARRED, reason="batch_failed", message="no credit", advice="add credit")]
    with pytest.raises(SetupError, match="no credit: add credit; every reply so far is kept"):
        ask(Postman(provider=provider), path, [case(n) for n in range(3)])
    assert batch_states(path) == ["closed"]
    assert booked_usd(path) == 0.0
    provider.jobs.clear()
    assert len(ask(Postman(provider=provider), path, [case(n) for n in range(3)])) == 3


def test_a_batch_turned_away_after_its_acceptance_is_tried_for_long(provider: Provider, path: Path):
    """A limit on waiting tokens shows when the provider looks at the lines: that is no attempt, and time helps."""
    began = provider.clock.now()
    provider.fate = lambda request, nth: BUSY if nth <= 20 else "answer"
    assert all(texts(t)[0].startswith("good") for t in ask(Postman(provider=provider), path, [case(1), case(2)]).values())
    provider.fate = lambda request, nth: BUSY
    with pytest.raises(SetupError, match=r"HTTP 429 \(the provider accepted none of 32 batches\)"):
        ask(Postman(provider=provider), path, [case(3)])
    assert provider.clock.now() - began > 52 * 30.0


@pytest.mark.parametrize("operation", ["find", "state", "results"])
def test_a_provider_that_is_down_for_hours_is_left_to_a_person(provider: Provider, path: Path, operation: str):
    """Waiting has an end; what was handed in is fetched by the next run."""
    provider.failures = {operation: [DOWN] * 200, "submit": [SWALLOWED] if operation == "find" else []}
    began = provider.clock.now()
    with pytest.raises(SetupError, match="HTTP 503"):
        ask(Postman(provider=provider), path, [case(1)])
    assert provider.clock.now() - began > 4 * 3600
    provider.failures.clear()
    assert len(ask(Postman(provider=provider), path, [case(1)])) == 1
    assert provider.bills.total() == len(provider.jobs) == 1


@pytest.mark.parametrize("operation", ["submit", "find", "state"])
def test_a_provider_that_was_never_reached_is_reported_soon(provider: Provider, path: Path, operation: str):
    """A wrong address or no network is a matter of a minute, not of hours."""
    unreachable = AttemptFailure(reason="unreachable", message="no connection to postman.example", kind="transient")
    if operation != "submit":
        provider.failures = {"submit": [SWALLOWED], "find": [DOWN]} if operation == "find" else {}
        conversations = batching(Postman(provider=provider), path, sleep=_hang_up).conversations([case(1)])
        with pytest.raises(InterruptedError):
            next(conversations)
    provider.failures = {operation: [unreachable] * 200}
    began = provider.clock.now()
    with pytest.raises(SetupError, match=r"no connection to postman\.example: check the network and the judge's address"):
        ask(Postman(provider=provider), path, [case(1)])
    assert provider.clock.now() - began < 60
    provider.failures.clear()
    assert len(ask(Postman(provider=provider), path, [case(1)])) == 1
    assert provider.bills.total() == len(provider.jobs) == 1


async def _hang_up(seconds: float) -> None:
    raise InterruptedError


@pytest.mark.parametrize("operation", ["submit", "find", "state", "results", "line"])
def test_a_failure_of_all_requests_stops_the_run_and_the_next_goes_on(provider: Provider, path: Path, operation: str):
    """One line that says what to do; the same command goes on where it stopped, and buys nothing twice."""
    provider.failures[operation] = [BARRED]
    if operation == "find":
        provider.failures["submit"] = [SWALLOWED]
    if operation == "line":
        provider.fate = lambda request, nth: BARRED if request.key == "k000007" and nth == 1 else "answer"
    cases = [case(n, tricky=n == 0) for n in range(12)]
    with pytest.raises(SetupError) as raised:
        ask(Postman(provider=provider), path, cases)
    assert str(raised.value) == (
        "judge 'postman': HTTP 401: check POSTMAN_KEY; every reply so far is kept and every batch recorded; run the same command again"
    )
    assert len(ask(Postman(provider=provider), path, cases)) == 12
    assert set(provider.bills.values()) == set(provider.names.values()) == {1}
    assert booked_usd(path) == pytest.approx(provider.bill_usd)


@pytest.mark.parametrize("moment", ["size", "submit"])
def test_a_question_whose_clip_is_damaged_leaves_the_others_in_their_batches(
    provider: Provider, path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
):
    """Seen when it is measured, it goes into no batch; seen when the batch is written, it is parted from the others."""

    async def torn(line: FakeBatchSession, *given: Any):
        requests = given[-1] if moment == "submit" else given
        if any(request.key == "k000003" for request in requests):
            raise DamagedPart("audio blobs/ab/ab.flac was changed: restore the file")
        return await plain(line, *given)

    plain = getattr(FakeBatchSession, moment)
    monkeypatch.setattr(FakeBatchSession, moment, torn)
    conversations = ask(Postman(provider=provider), path, [case(n) for n in range(10)])
    assert [row for row, conversation in conversations.items() if texts(conversation) == ["! damaged_audio"]] == ["row3"]
    assert sum(texts(conversation)[0].startswith("good") for conversation in conversations.values()) == 9
    assert provider.bills.total() == 9
    assert booked_usd(path) == pytest.approx(provider.bill_usd)
    monkeypatch.undo()
    assert texts(ask(Postman(provider=provider), path, [case(3)])["row3"]) == ["good: k000003"]
