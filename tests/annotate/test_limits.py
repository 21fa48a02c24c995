"""Requests under way are bounded, and a stop loses no answer."""

import asyncio

import pytest

from annotate.judge import Answer, JudgeRequest, Refusal, Reply
from annotate.limits import Halt, Postponed, asked_to_wait_s, backoff_s, drive, in_flight
from contracts.errors import BudgetExceeded, SetupError

REQUESTS = [JudgeRequest(key=str(number), prompt="", audios=()) for number in range(20)]


def test_never_more_than_allowed_are_sent_and_not_taken():
    """A request starts only when the caller has come back for more, so received but unsaved answers count as well."""
    started: list[str] = []
    taken = 0

    async def converse(request: JudgeRequest) -> Answer:
        started.append(request.key)
        await asyncio.sleep(0.001 * (int(request.key) % 3))
        return request.key, Reply(text="")

    seen = []
    for arrived in drive(in_flight(REQUESTS, converse, 4)):
        assert len(started) - taken <= 4
        taken += len(arrived)
        seen += [key for key, _ in arrived]
    assert sorted(seen) == sorted(request.key for request in REQUESTS)


def test_a_halt_waits_for_what_is_under_way():
    """The first halt stops new requests; answers in flight still come, and then the error."""
    started: list[str] = []

    async def converse(request: JudgeRequest) -> Answer:
        started.append(request.key)
        if request.key == "1":
            raise Halt((request.key, Refusal(reason="key_refused", message="")), SetupError("no key"))
        await asyncio.sleep(0.02)
        return request.key, Reply(text="")

    seen: dict[str, object] = {}

    def take_all() -> None:
        for arrived in drive(in_flight(REQUESTS, converse, 3)):
            seen.update(arrived)

    with pytest.raises(SetupError, match="no key"):
        take_all()
    assert started == ["0", "1", "2"]
    assert sorted(seen) == started


def test_a_postponed_request_waits_for_cheaper_answers():
    """Each call may cost 4 and does cost 1: ten coins buy seven answers, one after another where need be, and then it stops."""
    coins, open_calls, seen = 10, 0, []

    async def converse(request: JudgeRequest) -> Answer:
        nonlocal open_calls
        if 4 * (open_calls + 1) > coins:
            raise Postponed(request, BudgetExceeded("spent"))
        open_calls += 1
        await asyncio.sleep(0.001)
        return request.key, Reply(text="")

    def take_all() -> None:
        nonlocal coins, open_calls
        for arrived in drive(in_flight(REQUESTS, converse, 5)):
            coins -= len(arrived)
            open_calls -= len(arrived)
            seen.extend(key for key, _ in arrived)

    with pytest.raises(BudgetExceeded):
        take_all()
    assert len(seen) == len(set(seen)) == 7


def test_a_caller_that_stops_early_leaves_nothing_running():
    """Closing the iterator cancels what is under way."""
    cancelled = []

    async def converse(request: JudgeRequest) -> Answer:
        try:
            await asyncio.sleep(0 if request.key == "0" else 60)
        except asyncio.CancelledError:
            cancelled.append(request.key)
            raise
        return request.key, Reply(text="")

    arrivals = drive(in_flight(REQUESTS, converse, 3))
    assert [key for key, _ in next(arrivals)] == ["0"]
    arrivals.close()
    assert sorted(cancelled) == ["1", "2"]


@pytest.mark.parametrize(
    ("headers", "details", "wait_s"),
    [
        ({"retry-after": "7"}, [], 7.0),
        ({}, [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.5s"}], 36.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, [], None),
        ({}, ["odd", {"reason": "x"}], None),
        ({"retry-after": "-3"}, [], 0.0),
    ],
)
def test_waits_are_read_from_header_or_body(headers, details, wait_s):
    """Seconds of Retry-After (RFC 9110) or of google.rpc.RetryInfo; anything else says nothing."""
    assert asked_to_wait_s(headers, details) == wait_s


def test_back_off_doubles_with_a_jitter_of_its_own():
    """Waits lie in the upper half of a doubling range and differ between requests, the same in every run."""
    for attempt in (1, 2, 3, 4):
        assert 2 ** (attempt - 1) / 2 <= backoff_s("k", attempt, 1.0) <= 2 ** (attempt - 1)
    assert backoff_s("k", 1, 1.0) == backoff_s("k", 1, 1.0) != backoff_s("l", 1, 1.0)
