"""How many requests are under way at once, and how long to wait before one is sent again."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

from annotate.judge import Answer, JudgeRequest
from contracts.errors import UnisrmError
from contracts.rng import hash_fraction


class Halt(Exception):
    """One request's end that is the end of all: no other request should be sent.

    Attributes:
        answer: what to record for the request itself.
        error: what to tell the user.
    """

    def __init__(self, answer: Answer, error: UnisrmError) -> None:
        super().__init__(str(error))
        self.answer = answer
        self.error = error


class Postponed(Exception):
    """A request that there is no money for while those under way may still cost their highest price.

    Attributes:
        request: what to send later, if they turn out cheaper.
        error: what to tell the user if they do not.
    """

    def __init__(self, request: JudgeRequest, error: UnisrmError) -> None:
        super().__init__(str(error))
        self.request = request
        self.error = error


Converse = Callable[[JudgeRequest], Awaitable[Answer]]
"""Sends one request, again where that helps, until there is an answer; raises ``Halt`` or ``Postponed``."""


def backoff_s(key: str, attempt: int, first_s: float) -> float:
    """Return the wait after failed attempt ``attempt`` (1, 2, ...): doubling, with a jitter of its own for every request.

    Args:
        key: the request, from which the jitter is drawn.
        attempt: the attempt that failed.
        first_s: the longest first wait.
    """
    return first_s * 2.0 ** (attempt - 1) * (0.5 + 0.5 * hash_fraction(0, "backoff", f"{key}/{attempt}"))


def asked_to_wait_s(headers: Mapping[str, str], details: Sequence[object]) -> float | None:
    """Return how long a server asks to wait; None = it does not say.

    Args:
        headers: of the response; ``Retry-After`` in seconds (RFC 9110, 10.2.3).
        details: of a Google API error; ``RetryInfo.retryDelay`` such as ``"36s"`` (google.rpc.error_details).
    """
    delays = [str(detail.get("retryDelay", "")).removesuffix("s") for detail in details if isinstance(detail, dict)]
    for asked in (headers.get("retry-after", ""), *delays):
        with contextlib.suppress(ValueError):
            return max(0.0, float(asked))
    return None


async def in_flight(
    requests: Sequence[JudgeRequest],
    converse: Converse,
    concurrency: int,
) -> AsyncGenerator[list[Answer], None]:
    """Yield answers as they arrive, with at most ``concurrency`` requests sent and not yet yielded and taken.

    The first ``Halt`` stops new requests; those under way are still waited for and yielded, because they have been paid for,
    and then its error is raised. A ``Postponed`` request is sent again after each answer, until there is none to wait for.

    Raises:
        UnisrmError: that of the first ``Halt``, or of a request postponed for good.
    """
    waiting = deque(requests)
    running: set[asyncio.Task[Answer]] = set()
    stop: UnisrmError | None = None
    no_money: UnisrmError | None = None
    try:
        while running or (waiting and stop is None):
            while waiting and stop is None and no_money is None and len(running) < concurrency:
                running.add(asyncio.ensure_future(converse(waiting.popleft())))
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            arrived: list[Answer] = []
            for task in done:
                try:
                    arrived.append(task.result())
                except Halt as halt:
                    arrived.append(halt.answer)
                    stop = stop or halt.error
                except Postponed as postponed:
                    waiting.appendleft(postponed.request)
                    no_money = postponed.error
            if arrived:
                yield arrived
                no_money = None  # its price is known now, and may leave enough
            elif no_money is not None and not running:
                stop = no_money
        if stop is not None:
            raise stop
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def drive(arrivals: AsyncIterator[list[Answer]]) -> Iterator[list[Answer]]:
    """Run an asynchronous iterator from synchronous code; its loop stands still while the caller works on what it got."""
    with asyncio.Runner() as runner:
        while (arrived := runner.run(_next(arrivals))) is not None:
            yield arrived


async def _next(arrivals: AsyncIterator[list[Answer]]) -> list[Answer] | None:
    return await anext(arrivals, None)
