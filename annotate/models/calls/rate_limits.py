"""How fast a judge is asked: what is allowed, what was learnt from its refusals, and how long to wait before asking again.

A ``Gate`` lets requests out one by one, in order. It keeps to the configured limits on requests and input tokens per minute
and on requests under way, and to what it learnt:

- A refusal now and then (status 429, or 503 with a wait) is no limit: some providers refuse a few in a hundred whatever the
  pace. Only the refused request waits, and nothing slows down.
- Several refusals close together are a limit. Everybody waits for as long as the provider says, a quarter comes off the
  requests under way, and the rate falls to what was answered since the last time, by a quarter at most (multiplicative
  decrease); where no rate is configured, that is the first one.
- Every 25 answers give a little back (additive increase), up to what is configured and never beyond. Nothing falls below a
  tenth.

Refusals are told from a limit by their sum in which each answer takes off a part of one (a CUSUM test: E. S. Page, "Continuous
inspection schemes", Biometrika 41, 1954): a share of 5 % reaches the threshold once in thousands of requests, a limit after 4.
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
"""Longest wait where the provider names none."""

_CUT: Final = 0.75
_ANSWERS_PER_STEP: Final = 25
_STEP: Final = 0.02  # of the configured limit
_LOWEST: Final = 0.1  # likewise
_REFUSALS: Final = 4.0  # close together, that make a limit
_TAKEN_OFF: Final = 0.2  # of a refusal, by each answer
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
    """A limit per minute, spread evenly: what was not used is kept for one second at most.

    It refills a little slower than the limit, so that no minute holds more than the limit allows, bursts included.

    Attributes:
        highest: the configured limit; None = none is known.
        per_minute: the present limit; None = none.
    """

    def __init__(self, highest: float | None) -> None:
        self.highest = highest
        self.per_minute = highest
        self._base = highest  # what steps and the lowest limit are shares of
        self._limiting = False  # whether anybody had to wait since the last step
        self._level = self._capacity
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
        self._level = min(self._level + max(0.0, now - filled_at) * self._per_s, self._capacity)
        self._filled_at = max(filled_at, now)
        # What is larger than the bucket leaves when that is full, and its debt is waited for by the next.
        lacking = min(amount, self._capacity) - self._level
        if lacking <= 1e-9:
            return 0.0
        self._limiting = True
        return lacking / self._per_s

    def take(self, amount: float) -> None:
        """Take what ``wait_s`` allowed."""
        self._level -= amount if self.per_minute is not None else 0.0

    def cut(self, measured: float | None = None) -> None:
        """Lower the limit, by a quarter at most.

        Args:
            measured: what was answered per minute of late, which is the first limit where there was none; None = too little
                was answered to say.
        """
        if self.per_minute is None or self._base is None:
            self.per_minute = self._base = measured
            return
        lowered = _CUT * self.per_minute
        if measured is not None:
            lowered = max(lowered, min(measured, self.per_minute))
        self.per_minute = max(lowered, _LOWEST * self._base)

    def hold(self, until: float) -> None:
        """Refill from then on only, so that a pause does not end in a burst."""
        self._level = min(self._level, 1.0)
        self._filled_at = until if self._filled_at is None else max(self._filled_at, until)

    def rise(self) -> None:
        """Give a step back; a limit that was learnt rises only while it holds anybody up."""
        if self.per_minute is None or self._base is None:
            return
        if self.highest is not None:
            self.per_minute = min(self.per_minute + _STEP * self._base, self.highest)
        elif self._limiting:
            self.per_minute += _STEP * self._base
        self._limiting = False


class Gate:
    """Through which every request of one judge leaves. For one event loop.

    Attributes:
        concurrency: requests that may be under way at present.
        requests: the limit on requests.
        tokens: the limit on input tokens.
        inside: requests under way.
    """

    def __init__(self, pace: Pace, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.pace = pace
        self.concurrency = float(pace.concurrency)
        self.requests = Bucket(pace.requests_per_minute)
        self.tokens = Bucket(pace.tokens_per_minute)
        self.inside = 0
        self._clock = clock
        self._queue: deque[tuple[int, asyncio.Future[float]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._paused_until = -math.inf
        self._cut_at = -math.inf
        self._bursts = 0  # of refusals, since the last answer
        self._refusals = 0.0  # close together; see ``_REFUSALS``
        self._answers = 0  # since the last step
        self._measured = 0  # answers since ``_measured_from``
        self._measured_from: float | None = None  # no limit was met before

    async def enter(self, tokens: int, *, again: bool = False) -> float:
        """Wait for a place, and return the time at which it was given.

        Args:
            tokens: input tokens of the request.
            again: the request was out before, and goes first.
        """
        place: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        (self._queue.appendleft if again else self._queue.append)((tokens, place))
        self._admit()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place back."""
        self.inside -= 1
        self._admit()

    def answered(self) -> None:
        """Learn that the judge answered."""
        self._bursts = 0
        self._answers += 1
        self._measured += 1
        self._refusals = max(0.0, self._refusals - _TAKEN_OFF)
        if self._answers >= _ANSWERS_PER_STEP:
            self._answers = 0
            self.concurrency = min(self.concurrency + 1.0, float(self.pace.concurrency))
            self.requests.rise()
            self.tokens.rise()
            self._admit()

    def throttled(self, key: str, entered: float, wait_s: float | None) -> None:
        """Learn that the judge refused a request for being too many; that one waits by itself.

        Args:
            key: the request, from which a jitter is drawn.
            entered: when it was let out: one that left before the last cut says nothing new.
            wait_s: how long it is asked to wait; None = it does not say.
        """
        self._refusals = min(self._refusals + 1.0, _REFUSALS)
        if self._refusals < _REFUSALS:
            return
        if entered > self._cut_at:
            self._cut()
            self._bursts += 1
            if wait_s is None or self._bursts > 1:  # being told to wait for nothing, again and again, is no reason to hurry
                self.pause(key, min(backoff_s(key, self._bursts, self.pace.backoff_s), LONGEST_OWN_WAIT_S))
        if wait_s is not None:
            self.pause(key, wait_s)

    def _cut(self) -> None:
        """Lower the pace at a limit, by what was answered between two times that it was met: whole windows, waits included."""
        now = self._clock()
        per_minute = None
        if self._measured_from is None or self._measured >= _FEWEST_MEASURED:
            if self._measured_from is not None:
                per_minute = _MINUTE_S * self._measured / (now - self._measured_from)
            self._measured, self._measured_from = 0, now
        self._cut_at, self._answers = now, 0
        self.concurrency = max(1.0, _CUT * self.concurrency, _LOWEST * self.pace.concurrency)
        self.requests.cut(per_minute)
        self.tokens.cut()

    def pause(self, key: str, wait_s: float) -> None:
        """Let nothing out for that long and up to a tenth longer, so that several machines do not all come back at once."""
        jittered_s = wait_s * (1.0 + 0.1 * hash_fraction(0, "pause", key))
        self._paused_until = max(self._paused_until, self._clock() + jittered_s)
        self.requests.hold(self._paused_until)
        self._admit()

    def _admit(self) -> None:
        """Let out whoever may go, and come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue and self.inside < int(self.concurrency):
            tokens, place = self._queue[0]
            if place.done():
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
            self.inside += 1
            place.set_result(now)
