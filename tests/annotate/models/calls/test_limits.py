"""Waits, rates and what is learnt from complaints, on a clock that jumps instead of ticking."""

import asyncio
import bisect
import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.calls.rate_limits import Bucket, RateLimiter, asked_to_wait_s, backoff_s
from annotate.models.judge import Pace
from tests.annotate.models.calls.jumping import play

NOON = datetime(2026, 10, 21, 12, 0, 0, tzinfo=UTC)


def limiter_of(pace: Pace) -> RateLimiter:
    return RateLimiter(pace, clock=asyncio.get_running_loop().time)


async def through(rate_limiter: RateLimiter, latency_s: float, tokens: int = 0) -> float:
    entered = await rate_limiter.acquire(tokens)
    await asyncio.sleep(latency_s)
    rate_limiter.record_answer()
    rate_limiter.release()
    return entered


def busiest_minute(times: list[float]) -> int:
    """Most events in any half-open window of a minute, by trying each event as its start."""
    times = sorted(times)
    return max(bisect.bisect_left(times, start + 60.0) - place for place, start in enumerate(times))


@pytest.mark.parametrize("per_minute", [60, 600, 6000])
def test_the_allowed_rate_is_reached_and_never_passed(per_minute):
    """With a second of latency, three minutes carry at least 95 % of what is allowed, and no minute more than that."""

    async def scene() -> list[float]:
        rate_limiter = limiter_of(Pace(concurrency=400, requests_per_minute=per_minute))
        return list(await asyncio.gather(*(through(rate_limiter, 1.0) for _ in range(3 * per_minute))))

    times = play(scene)
    assert busiest_minute(times) <= per_minute
    assert len(times) / (max(times) - min(times)) * 60.0 >= 0.95 * per_minute


def test_tokens_are_limited_as_well():
    """Requests of 500 tokens at 30,000 tokens per minute: one per second, although nothing limits their number."""

    async def scene() -> list[float]:
        rate_limiter = limiter_of(Pace(concurrency=50, tokens_per_minute=30_000))
        return list(await asyncio.gather(*(through(rate_limiter, 1.0, tokens=500) for _ in range(180))))

    times = play(scene)
    assert len(times) / (max(times) - min(times)) * 60.0 == pytest.approx(60.0, rel=0.05)
    assert busiest_minute(times) <= 60 + 1  # what is larger than a second's worth may leave on credit, once


def test_a_request_larger_than_a_second_of_tokens_leaves_and_is_waited_for():
    """One request of half a minute's tokens is not stuck; the next one pays for it."""

    async def scene() -> list[float]:
        rate_limiter = limiter_of(Pace(tokens_per_minute=60_000))
        return [await through(rate_limiter, 0.0, tokens=30_000), await through(rate_limiter, 0.0, tokens=1000)]

    first, second = play(scene)
    assert second - first == pytest.approx(30.0, rel=0.05)


def test_no_more_than_allowed_are_under_way():
    """The place is taken until it is left."""

    async def scene() -> int:
        rate_limiter, most = limiter_of(Pace(concurrency=7)), 0

        async def one(number: int) -> None:
            nonlocal most
            await rate_limiter.acquire(0)
            most = max(most, rate_limiter.in_flight)
            await asyncio.sleep(0.1 * (number % 5))
            rate_limiter.release()

        await asyncio.gather(*(one(number) for number in range(100)))
        assert rate_limiter.in_flight == 0
        return most

    assert play(scene) == 7


def test_whoever_was_out_before_goes_first():
    """A repetition overtakes requests that were never sent."""

    async def scene() -> list[str]:
        rate_limiter, order = limiter_of(Pace(concurrency=1)), []
        await rate_limiter.acquire(0)

        async def one(name: str, *, again: bool) -> None:
            await rate_limiter.acquire(0, again=again)
            order.append(name)
            rate_limiter.release()

        tasks = [asyncio.ensure_future(one(name, again=again)) for name, again in (("a", False), ("b", False), ("c", True))]
        await asyncio.sleep(0)
        rate_limiter.release()
        await asyncio.gather(*tasks)
        return order

    assert play(scene) == ["c", "a", "b"]


def test_a_place_given_to_someone_who_was_just_cancelled_is_not_lost():
    """Cancelling between the giving and the taking leaves the slot free for the next one."""

    async def scene() -> float:
        rate_limiter = limiter_of(Pace(concurrency=1))
        await rate_limiter.acquire(0)
        waiting = asyncio.ensure_future(rate_limiter.acquire(0))
        await asyncio.sleep(0)
        rate_limiter.release()  # gives the place to the waiting one, which has not run yet
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await asyncio.wait_for(rate_limiter.acquire(0), 1.0)

    assert play(scene) == 1000.0


def complain(rate_limiter: RateLimiter, times: list[float], wait_s: float | None = 0.0) -> None:
    for number, entered in enumerate(times):
        rate_limiter.record_throttle(str(number), entered, wait_s)


def test_a_burst_of_complaints_takes_a_quarter_off_once():
    """What left before the cut says nothing new; what left after it does."""

    async def scene() -> list[float | None]:
        rate_limiter = limiter_of(Pace(concurrency=100, requests_per_minute=6000, tokens_per_minute=60_000))
        complain(rate_limiter, [await rate_limiter.acquire(0) for _ in range(30)], 1.0)
        seen = [rate_limiter.concurrency, rate_limiter.requests.per_minute, rate_limiter.tokens.per_minute]
        complain(rate_limiter, [await rate_limiter.acquire(0) for _ in range(10)], 1.0)
        return [*seen, rate_limiter.concurrency]

    assert play(scene) == [75.0, 4500.0, 45_000.0, 56.25]


def test_a_rate_is_learnt_where_none_is_configured():
    """From what was answered between two cuts, the wait between them included: 60 answers in 31.5 s and a little less."""

    async def scene() -> tuple[float | None, float | None]:
        rate_limiter = limiter_of(Pace(concurrency=8))
        complain(rate_limiter, [await rate_limiter.acquire(0) for _ in range(4)], 30.0)
        before = rate_limiter.requests.per_minute
        rate_limiter.in_flight = 0
        for _ in range(60):
            await through(rate_limiter, 0.025)
        complain(rate_limiter, [await rate_limiter.acquire(0) for _ in range(4)], 1.0)
        return before, rate_limiter.requests.per_minute

    before, after = play(scene)
    assert before is None
    assert after == pytest.approx(60 / 32.0 * 60, rel=0.06)


def test_a_lone_complaint_among_many_answers_takes_nothing_off():
    """One in twenty is refused whatever the pace: slowing down would not help."""

    async def scene() -> float:
        rate_limiter = limiter_of(Pace(concurrency=100))
        for number in range(2000):
            entered = await rate_limiter.acquire(0)
            rate_limiter.release()
            if number % 20 == 19:
                rate_limiter.record_throttle(str(number), entered, 0.0)
            else:
                rate_limiter.record_answer()
        return rate_limiter.concurrency

    assert play(scene) == 100.0


def test_pace_comes_back_step_by_step_and_never_beyond_what_is_configured():
    """One more after 25 answers, not after 24, and the configured pace in the end."""

    async def scene() -> list[object]:
        rate_limiter = limiter_of(Pace(concurrency=8, requests_per_minute=600))
        complain(rate_limiter, [await rate_limiter.acquire(0) for _ in range(8)])
        for _ in range(24):
            rate_limiter.record_answer()
        before = rate_limiter.concurrency, rate_limiter.requests.per_minute
        rate_limiter.record_answer()
        after = rate_limiter.concurrency, rate_limiter.requests.per_minute
        for _ in range(25 * 20):
            rate_limiter.record_answer()
        return [before, after, (rate_limiter.concurrency, rate_limiter.requests.per_minute)]

    assert play(scene) == [(6.0, 450.0), (7.0, 462.0), (8.0, 600.0)]


def test_the_pace_settles_near_what_the_provider_allows():
    """A provider that takes 300 a minute of the 1200 configured: few complaints in the long run, and most of the 300 are used."""

    async def scene() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        rate_limiter, taken, complaints = limiter_of(Pace(concurrency=50, requests_per_minute=1200)), Bucket(300), 0

        async def one(number: int) -> None:
            nonlocal complaints
            while True:
                entered = await rate_limiter.acquire(0)
                await asyncio.sleep(0.2)
                wait_s = taken.wait_s(1.0, loop.time())
                if not wait_s:
                    break
                complaints += 1
                rate_limiter.record_throttle(str(number), entered, wait_s)
                rate_limiter.release()
            taken.take(1.0)
            rate_limiter.record_answer()
            rate_limiter.release()

        await asyncio.gather(*(one(number) for number in range(3000)))
        return int(loop.time() - 1000.0), complaints

    took_s, complaints = play(scene)
    assert took_s < 3000 / 300 * 60 * 1.2
    assert complaints < 3000


@pytest.mark.parametrize("refusals", [1, 3])
def test_a_few_refusals_hold_up_nobody_else(refusals):
    """Whoever is refused waits outside; the others leave at the usual pace."""

    async def scene() -> list[float]:
        rate_limiter = limiter_of(Pace(concurrency=100, requests_per_minute=6000))
        complain(rate_limiter, [await rate_limiter.acquire(0) for _ in range(refusals)], 30.0)
        return [entered - 1000.0 for entered in await asyncio.gather(*(through(rate_limiter, 0.0) for _ in range(150)))]

    times = play(scene)
    assert max(times) == pytest.approx((refusals + 150 - 100) / 100, abs=0.1)


def test_all_wait_at_a_limit_and_do_not_come_back_in_a_burst():
    """Nobody leaves before Retry-After is over, nor much later, and then they leave at the pace that is left."""

    async def scene() -> list[float]:
        rate_limiter = limiter_of(Pace(concurrency=100, requests_per_minute=6000))
        complain(rate_limiter, [await rate_limiter.acquire(0) for _ in range(4)], 30.0)
        return [entered - 1000.0 for entered in await asyncio.gather(*(through(rate_limiter, 0.1) for _ in range(150)))]

    times = play(scene)
    assert 30.0 <= min(times) <= 33.0
    assert max(times) - min(times) == pytest.approx(149 / 75, rel=0.1)


def test_being_throttled_again_and_again_slows_down_even_if_asked_for_no_wait():
    """Without a wait from the provider the pauses double."""

    async def scene() -> list[float]:
        rate_limiter, times = limiter_of(Pace(concurrency=4, backoff_s=1.0)), []
        for number in range(9):
            entered = await rate_limiter.acquire(0)
            times.append(entered)
            await asyncio.sleep(0.01)
            rate_limiter.record_throttle(str(number), entered, 0.0)
            rate_limiter.release()
        return times

    times = play(scene)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps[:5] == pytest.approx([0.01] * 5)  # too few for a limit, then the first time that it is met
    assert gaps[7] > 1.9 * gaps[5] > 0.9


def test_the_limiter_never_closes_for_good():
    """However often it is cut, a tenth of the pace is left."""

    async def scene() -> None:
        rate_limiter = limiter_of(Pace(concurrency=40, requests_per_minute=600, backoff_s=0.0))
        for number in range(1000):
            entered = await rate_limiter.acquire(0)
            await asyncio.sleep(0.001)
            rate_limiter.record_throttle(str(number), entered, None)
            rate_limiter.release()
        assert (rate_limiter.concurrency, rate_limiter.requests.per_minute) == (4.0, 60.0)

    play(scene)


@given(
    highest=st.floats(1.0, 1e5),
    steps=st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.1, 200.0)), min_size=1, max_size=60),
)
def test_a_bucket_gives_no_more_than_it_holds_and_refills(highest, steps):
    """Whatever the pattern, all that was taken but the last is at most what one second and the time since then allow."""
    bucket, now, taken = Bucket(highest), 0.0, 0.0
    for pause_s, amount in steps:
        now += pause_s
        now += bucket.wait_s(amount, now)
        assert bucket.wait_s(amount, now) <= 1e-6
        assert taken <= max(1.0, highest / 60) + now * highest / 60 + 1e-6
        bucket.take(amount)
        taken += amount


@pytest.mark.parametrize(
    ("headers", "details", "wait_s"),
    [
        ({"retry-after": "7"}, [], 7.0),
        ({"retry-after": "7", "retry-after-ms": "6500"}, [], 6.5),
        ({}, [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.5s"}], 36.5),
        ({"retry-after": "Wed, 21 Oct 2026 12:01:30 GMT"}, [], 90.0),
        ({"retry-after": "Wed, 21 Oct 2026 12:01:30 -0000"}, [], 90.0),
        ({"retry-after": "Wednesday, 21-Oct-26 12:00:05 GMT"}, [], 5.0),
        ({"retry-after": "Wed Oct 21 12:00:05 2026"}, [], 5.0),
        ({"retry-after": "Wed, 21 Oct 2026 11:59:00 GMT"}, [], 0.0),
        ({"retry-after": "soon"}, [], None),
        ({"retry-after": "nan"}, [], None),
        ({"retry-after": "inf"}, [], None),
        ({}, ["odd", {"reason": "x"}], None),
        ({"retry-after": "-3"}, [], 0.0),
    ],
)
def test_waits_are_read_from_header_or_body(headers, details, wait_s):
    """Seconds or one of the three dates of RFC 9110 (5.6.7), or google.rpc.RetryInfo; anything else says nothing."""
    assert asked_to_wait_s(headers, details, now=NOON) == wait_s


def test_a_date_goes_by_the_clock_of_whoever_names_it():
    """Ours may be hours off, and a wait of hours would end the run."""
    headers = {"date": "Wed, 21 Oct 2020 12:00:00 GMT", "retry-after": "Wed, 21 Oct 2020 12:00:07 GMT"}
    assert asked_to_wait_s(headers, []) == 7.0
    assert asked_to_wait_s(headers | {"date": "noon"}, []) == 0.0


def test_back_off_doubles_with_a_jitter_of_its_own():
    """Waits lie in the upper half of a doubling range and differ between requests, the same in every run."""
    for attempt in (1, 2, 3, 4):
        assert 2 ** (attempt - 1) / 2 <= backoff_s("k", attempt, 1.0) <= 2 ** (attempt - 1)
    assert backoff_s("k", 1, 1.0) == backoff_s("k", 1, 1.0) != backoff_s("l", 1, 1.0)
    assert backoff_s("k", 5000, 1.0) <= 300.0
