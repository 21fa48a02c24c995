"""Refusals by lot and refusals at a limit: what a rate limiter makes of them, beside a plain loop, on a clock that jumps."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest

from annotate.models.calls.rate_limits import RateLimiter
from annotate.models.judge import Pace
from tests.annotate.models.calls.jumping import play

REQUESTS, LATENCY_S = 1200, 0.05


class Provider(Protocol):
    def refusal(self, now: float) -> float | None:
        """Return how long to wait, or None for an answer."""


class ByLot:
    """Refuses a share of all requests, whatever the pace."""

    def __init__(self, share: float, wait_s: float = 1.0) -> None:
        self.share, self.wait_s, self.rng = share, wait_s, random.Random(1)

    def refusal(self, now: float) -> float | None:
        return self.wait_s if self.rng.random() < self.share else None


class TokenBucket:
    """Answers so many a second, and as many at once; says whole seconds, as Retry-After does."""

    def __init__(self, per_s: float) -> None:
        self.per_s, self.level, self.at = per_s, per_s, 1000.0

    def refusal(self, now: float) -> float | None:
        self.level, self.at = min(self.per_s, self.level + (now - self.at) * self.per_s), now
        if self.level >= 1.0:
            self.level -= 1.0
            return None
        return float(math.ceil((1.0 - self.level) / self.per_s))


class FixedWindow:
    """Answers so many in each ten seconds of the clock."""

    def __init__(self, per_s: float) -> None:
        self.most, self.window, self.count = 10 * per_s, 0, 0

    def refusal(self, now: float) -> float | None:
        if now // 10 != self.window:
            self.window, self.count = int(now // 10), 0
        self.count += 1
        return None if self.count <= self.most else (self.window + 1) * 10 - now


class Both:
    def __init__(self, *providers: Provider) -> None:
        self.providers = providers

    def refusal(self, now: float) -> float | None:
        return next((wait_s for each in self.providers if (wait_s := each.refusal(now)) is not None), None)


def asked(provider: Provider, concurrency: int, *, plain: bool = False) -> tuple[float, int]:
    """Return how long it took to ask all, and how many refusals that met.

    Args:
        provider: who is asked.
        concurrency: most requests under way.
        plain: use a semaphore that a request holds until it is answered, which is what most people write.
    """
    rng = random.Random(3)

    async def scene() -> tuple[float, int]:
        loop, refusals = asyncio.get_running_loop(), 0

        async def attempt() -> float | None:
            nonlocal refusals
            await asyncio.sleep(LATENCY_S * (0.5 + rng.random()))
            wait_s = provider.refusal(loop.time())
            refusals += wait_s is not None
            return wait_s

        async def in_a_plain_loop(_number: int) -> None:
            async with places:
                while (wait_s := await attempt()) is not None:  # noqa: ASYNC110  # no event says when
                    await asyncio.sleep(wait_s)

        async def through_the_limiter(number: int) -> None:
            entered = await rate_limiter.acquire(0)
            while (wait_s := await attempt()) is not None:
                rate_limiter.record_throttle(str(number), entered, wait_s)
                rate_limiter.release()
                await asyncio.sleep(wait_s * (1.0 + 0.1 * rng.random()))
                entered = await rate_limiter.acquire(0, again=True)
            rate_limiter.record_answer()
            rate_limiter.release()

        places, rate_limiter = asyncio.Semaphore(concurrency), RateLimiter(Pace(concurrency=concurrency), clock=loop.time)
        one: Callable[[int], Awaitable[None]] = in_a_plain_loop if plain else through_the_limiter
        await asyncio.gather(*(one(number) for number in range(REQUESTS)))
        return loop.time() - 1000.0, refusals

    took: tuple[float, int] = play(scene)
    return took


@pytest.mark.parametrize("concurrency", [8, 32])
@pytest.mark.parametrize("wait_s", [0.2, 1.0, 20.0])
def test_refusals_by_lot_take_no_longer_than_in_a_plain_loop(concurrency, wait_s):
    """One in twenty is refused with nothing behind it: nobody waits but the refused."""
    took_s, _ = asked(ByLot(0.05, wait_s), concurrency)
    assert took_s <= asked(ByLot(0.05, wait_s), concurrency, plain=True)[0]


@pytest.mark.parametrize("concurrency", [16, 64])
@pytest.mark.parametrize("limit", [TokenBucket, FixedWindow])
@pytest.mark.parametrize("unsteady", [False, True])
def test_a_limit_is_met_rarely_and_used_well(limit, concurrency, unsteady):
    """20 a second, said nowhere, of the 320 to 1280 that could be asked: learnt after few refusals and nearly all of it used.

    The first cut comes after at most one refusal for each request under way and four more. With one in twenty refused by lot
    besides, a limit is still seen and the pace never runs down.
    """
    lot = [ByLot(0.05)] if unsteady else []
    took_s, refusals = asked(Both(*lot, limit(20)), concurrency)
    _, plainly = asked(Both(*lot, limit(20)), concurrency, plain=True)
    by_lot = 0.05 * REQUESTS if unsteady else 0.0
    assert took_s <= (1.5 if unsteady else 1.25) * REQUESTS / 20
    assert refusals <= min(3 * concurrency + 100, plainly) + by_lot
