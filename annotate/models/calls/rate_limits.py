"""Rate limits: the configured ones, those learnt from throttling, and the waits before retries.

A ``RateLimiter`` admits requests one by one, in order. It keeps to the configured limits on requests and input tokens per
minute and on requests in flight, and adapts:

- A throttled request (status 429, or 503 with a wait) alone is no limit: some providers throttle a few in a hundred at any
  rate. Only that request waits, and the rate stays.
- Several throttled requests close together are a limit. All requests wait for as long as the provider asks, the requests in
  flight are cut by a quarter, and the rate falls to what was answered since the last limit, by a quarter at most
  (multiplicative decrease). Where no rate is configured, the measured rate becomes the first one.
- Every 25 answers raise both by a step (additive increase), up to what is configured. Nothing falls below a tenth of that.

A limit is detected by a CUSUM test (E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954): each throttled request
adds one, each answer takes off a part of one. A share of 5 % reaches the threshold once in thousands of requests, a limit
after 4.
"""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from annotate.models.judge import Pace
from contracts.rng import hash_fraction

LONGEST_WAIT_S: Final = 300.0
"""Longest wait that a provider may ask for."""

LONGEST_OWN_WAIT_S: Final = 60.0
"""Longest wait where the provider asks for none."""

_DECREASE: Final = 0.75
_ANSWERS_PER_STEP: Final = 25
_STEP: Final = 0.02  # of the configured limit
_LOWEST: Final = 0.1  # likewise
_THROTTLES: Final = 4.0  # throttled requests close together that make a limit
_DECAY: Final = 0.2  # of a throttled request, by each answer
_FEWEST_MEASURED: Final = 50  # answers that a rate is measured by
_MINUTE_S: Final = 60


def backoff_s(key: str, attempt: int, first_s: float) -> float:
    """Return the wait after failed attempt ``attempt`` (1, 2, ...): doubling, with a jitter of its own for every request.

    Args:
        key: the request, from which the jitter is drawn.
        attempt: the attempt that failed.
        first_s: the longest first wait.
    """
    doubled = first_s * 2.0 ** min(attempt - 1, 60)
    return min(doubled, LONGEST_WAIT_S) * (0.5 + 0.5 * hash_fraction(0, "backoff", f"{key}/{attempt}"))


def asked_to_wait_s(headers: Mapping[str, str], details: Sequence[object], *, now: datetime | None = None) -> float | None:
    """Return how long a server asks to wait; None = it does not say.

    Args:
        headers: of the response; ``Retry-After`` in seconds or as a date (RFC 9110, 10.2.3), before it ``Retry-After-Ms``.
        details: of a Google API error; ``RetryInfo.retryDelay`` such as ``"36s"`` (google.rpc.error_details).
        now: what a date is compared with; by default the response's own ``Date``, else this machine's clock.
    """
    delays = [str(detail.get("retryDelay", "")).removesuffix("s") for detail in details if isinstance(detail, dict)]
    for asked, unit_s in ((headers.get("retry-after-ms", ""), 0.001), *((text, 1.0) for text in (_after(headers), *delays))):
        with contextlib.suppress(ValueError):
            if math.isfinite(wait_s := float(asked) * unit_s):
                return max(0.0, wait_s)
    until, sent = _date(_after(headers)), _date(headers.get("date", ""))
    return None if until is None else max(0.0, (until - (now or sent or datetime.now(UTC))).total_seconds())


def _date(text: str) -> datetime | None:
    """Return a date of HTTP; one without a zone is UTC (RFC 9110, 5.6.7)."""
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        date = parsedate_to_datetime(text)
        return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return None


def _after(headers: Mapping[str, str]) -> str:
    return headers.get("retry-after", "")


class Bucket:
    """A token bucket for a limit per minute: what was not used is kept for one second at most.

    It refills a little slower than the limit, so that no minute exceeds the limit, bursts included.

    Attributes:
        highest: the configured limit; None = none is known.
        per_minute: the present limit; None = none.
    """

    def __init__(self, highest: float | None) -> None:
        self.highest = highest
        self.per_minute = highest
        self._base_limit = highest  # what steps and the lowest limit are shares of
        self._limiting = False  # whether a request had to wait since the last step
        self._filled = self._capacity
        self._filled_at: float | None = None

    @property
    def _capacity(self) -> float:
        return max(1.0, (self.per_minute or 0.0) / _MINUTE_S)

    @property
    def _per_s(self) -> float:
        return ((self.per_minute or 0.0) - (self._capacity - 1.0)) / _MINUTE_S

    def wait_s(self, amount: float, now: float) -> float:
        """Return the seconds until ``amount`` may be taken; 0 = at once."""
        if self.per_minute is None:
            return 0.0
        filled_at = now if self._filled_at is None else self._filled_at
        self._filled = min(self._filled + max(0.0, now - filled_at) * self._per_s, self._capacity)
        self._filled_at = max(filled_at, now)
        # An amount larger than the bucket is admitted when the bucket is full, and the next request waits for its debt.
        deficit = min(amount, self._capacity) - self._filled
        if deficit <= 1e-9:
            return 0.0
        self._limiting = True
        return deficit / self._per_s

    def take(self, amount: float) -> None:
        """Take an amount that ``wait_s`` allowed."""
        self._filled -= amount if self.per_minute is not None else 0.0

    def lower(self, measured: float | None = None) -> None:
        """Lower the limit, by a quarter at most.

        Args:
            measured: answers per minute of late, which become the first limit where there was none; None = too few to say.
        """
        if self.per_minute is None or self._base_limit is None:
            self.per_minute = self._base_limit = measured
            return
        lowered = _DECREASE * self.per_minute
        if measured is not None:
            lowered = max(lowered, min(measured, self.per_minute))
        self.per_minute = max(lowered, _LOWEST * self._base_limit)

    def refill_from(self, until: float) -> None:
        """Refill from that time on only, so that a pause does not end in a burst."""
        self._filled = min(self._filled, 1.0)
        self._filled_at = until if self._filled_at is None else max(self._filled_at, until)

    def raise_limit(self) -> None:
        """Raise the limit by a step; a learnt limit rises only while requests wait for it."""
        if self.per_minute is None or self._base_limit is None:
            return
        if self.highest is not None:
            self.per_minute = min(self.per_minute + _STEP * self._base_limit, self.highest)
        elif self._limiting:
            self.per_minute += _STEP * self._base_limit
        self._limiting = False


class RateLimiter:
    """Admits the requests of one judge, in one event loop.

    Attributes:
        concurrency: requests that may be in flight at present.
        requests: the limit on requests.
        tokens: the limit on input tokens.
        in_flight: requests that hold a slot.
    """

    def __init__(self, pace: Pace, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.pace = pace
        self.concurrency = float(pace.concurrency)
        self.requests = Bucket(pace.requests_per_minute)
        self.tokens = Bucket(pace.tokens_per_minute)
        self.in_flight = 0
        self._clock = clock
        self._queue: deque[tuple[int, asyncio.Future[float]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._paused_until = -math.inf
        self._lowered_at = -math.inf
        self._limits_met = 0  # since the last answer
        self._throttles = 0.0  # throttled requests close together; see ``_THROTTLES``
        self._answers = 0  # since the last step
        self._measured = 0  # answers since ``_measured_since``
        self._measured_since: float | None = None  # None = no limit was met before

    async def acquire(self, tokens: int, *, again: bool = False) -> float:
        """Wait for a slot, and return the time at which it was taken.

        Args:
            tokens: input tokens of the request.
            again: whether the request was sent before; then it goes first.
        """
        slot: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        (self._queue.appendleft if again else self._queue.append)((tokens, slot))
        self._admit()
        try:
            return await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Free a slot."""
        self.in_flight -= 1
        self._admit()

    def record_answer(self) -> None:
        """Count an answer."""
        self._limits_met = 0
        self._answers += 1
        self._measured += 1
        self._throttles = max(0.0, self._throttles - _DECAY)
        if self._answers >= _ANSWERS_PER_STEP:
            self._answers = 0
            self.concurrency = min(self.concurrency + 1.0, float(self.pace.concurrency))
            self.requests.raise_limit()
            self.tokens.raise_limit()
            self._admit()

    def record_throttle(self, key: str, entered: float, wait_s: float | None) -> None:
        """Count a throttled request, which waits by itself.

        Args:
            key: the request, from which a jitter is drawn.
            entered: when it took its slot: one from before the last decrease says nothing new.
            wait_s: how long the provider asks to wait; None = it does not say.
        """
        self._throttles = min(self._throttles + 1.0, _THROTTLES)
        if self._throttles < _THROTTLES:
            return
        if entered > self._lowered_at:
            self._lower()
            self._limits_met += 1
            # A provider that asks for no wait again and again is backed off from all the same.
            if wait_s is None or self._limits_met > 1:
                self.pause(key, min(backoff_s(key, self._limits_met, self.pace.backoff_s), LONGEST_OWN_WAIT_S))
        if wait_s is not None:
            self.pause(key, wait_s)

    def _lower(self) -> None:
        """Lower all limits. The rate is measured between two limits, as whole windows with their waits."""
        now = self._clock()
        per_minute = None
        if self._measured_since is None or self._measured >= _FEWEST_MEASURED:
            if self._measured_since is not None:
                per_minute = _MINUTE_S * self._measured / (now - self._measured_since)
            self._measured, self._measured_since = 0, now
        self._lowered_at, self._answers = now, 0
        self.concurrency = max(1.0, _DECREASE * self.concurrency, _LOWEST * self.pace.concurrency)
        self.requests.lower(per_minute)
        self.tokens.lower()

    def pause(self, key: str, wait_s: float) -> None:
        """Admit nothing for that long and up to a tenth longer, so that several machines do not all return at once."""
        jittered_s = wait_s * (1.0 + 0.1 * hash_fraction(0, "pause", key))
        self._paused_until = max(self._paused_until, self._clock() + jittered_s)
        self.requests.refill_from(self._paused_until)
        self._admit()

    def _admit(self) -> None:
        """Admit every request that may go now, and call again when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue and self.in_flight < int(self.concurrency):
            tokens, slot = self._queue[0]
            if slot.done():
                self._queue.popleft()
                continue
            now = self._clock()
            wait_s = max(self._paused_until - now, self.requests.wait_s(1.0, now), self.tokens.wait_s(tokens, now))
            if wait_s > 0:
                self._timer = asyncio.get_running_loop().call_later(wait_s, self._admit)
                return
            self._queue.popleft()
            self.requests.take(1.0)
            self.tokens.take(tokens)
            self.in_flight += 1
            slot.set_result(now)
