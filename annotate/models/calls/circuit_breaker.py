"""The circuit breaker: tells requests that fail by themselves from a judge that answers no request, and stops for the latter.

A provider that is down, a refused key or a used-up quota would turn every row into a failure. A run that stops in time can
simply be started again.
"""

import asyncio
import time
from typing import Final

from annotate.models.calls.rate_limits import LONGEST_WAIT_S
from annotate.models.calls.task_group import TaskGroup
from annotate.models.judge import Service, named
from annotate.models.request import AttemptFailure
from contracts.errors import SetupError

_FEWEST_IN_A_ROW: Final = 8


def waits_too_long(failure: AttemptFailure) -> bool:
    """Whether a provider asks for a longer wait than ``LONGEST_WAIT_S``."""
    return failure.wait_s is not None and failure.wait_s > LONGEST_WAIT_S


class CircuitBreaker:
    """Watches the failures of all requests to one judge.

    Attributes:
        answers: requests that the judge answered.
        exhausted: requests that used up their attempts since the last answer, each with its last failure and the future that is
            set when it counts as failed.
    """

    def __init__(self, judge: Service, task_group: TaskGroup, *, max_wait_s: float) -> None:
        """Start closed.

        Args:
            judge: the judge.
            task_group: what is stopped.
            max_wait_s: how long a judge may throttle all requests.
        """
        self.answers = 0
        self.exhausted: dict[str, tuple[AttemptFailure, asyncio.Future[None]]] = {}
        self._judge, self._task_group, self._max_wait_s = judge, task_group, max_wait_s
        self._throttled_since: float | None = None
        self._timed_out: set[str] = set()  # requests that timed out since the last answer
        self._most = max(_FEWEST_IN_A_ROW, 2 * judge.pace.concurrency)

    def record_answer(self) -> None:
        """Count an answer: since the judge answers, the exhausted requests failed by themselves."""
        self.answers += 1
        self._throttled_since = None
        self._timed_out.clear()
        self.fail_exhausted()

    def record_fatal(self, failure: AttemptFailure) -> None:
        """Stop for a failure that every request would meet."""
        self._stop(failure.message, failure.advice)

    def record_throttle(self, failure: AttemptFailure) -> None:
        """Stop if the judge throttled every request for too long, or asks to wait for too long."""
        now = time.monotonic()
        self._throttled_since = now if self._throttled_since is None else self._throttled_since
        waited_s = now - self._throttled_since
        if waits_too_long(failure):
            cause = f"{failure.message} (it asks to wait {failure.wait_s:.0f} s)"
            self._stop(cause, failure.advice or "wait that long, or raise the quota")
        elif waited_s > self._max_wait_s:
            cause = f"{failure.message} (no request was answered for {waited_s:.0f} s)"
            self._stop(cause, failure.advice or "the quota seems to be used up, wait until it is back")

    def record_timeout(self, key: str, failure: AttemptFailure) -> None:
        """Stop after time-outs of many requests in a row: each attempt that timed out may be billed."""
        self._timed_out.add(key)
        if len(self._timed_out) >= self._most:
            cause = f"{len(self._timed_out)} requests in a row got no answer, the last: {failure.message}"
            self._stop(cause, "see whether the provider is down, or raise timeout_s")

    def add_exhausted(self, key: str, failure: AttemptFailure) -> asyncio.Future[None]:
        """Return a future that is set when a request without attempts left counts as failed; too many in a row stop the run."""
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.exhausted[key] = failure, failed
        if len(self.exhausted) >= self._most:
            cause = f"{len(self.exhausted)} requests in a row found no answer in {self._judge.pace.max_attempts} attempts each"
            self._stop(f"{cause}, the last: {failure.message}", "see whether the provider is down, and wait until it is back")
        return failed

    def fail_exhausted(self) -> None:
        """Count the exhausted requests as failed by themselves."""
        for _, failed in self.exhausted.values():
            if not failed.done():
                failed.set_result(None)
        self.exhausted.clear()

    def decide_exhausted(self) -> None:
        """Decide on the exhausted requests when no other request is left that could be answered."""
        failures = [failure for failure, _ in self.exhausted.values()]
        if not self.answers and all(failure.reason == "unreachable" for failure in failures):
            self._stop(failures[-1].message, "check the network and the judge's address")
        else:
            self.fail_exhausted()

    def _stop(self, cause: str, advice: str) -> None:
        message = ": ".join(part for part in (named(self._judge), cause, advice) if part)
        self._task_group.stop(SetupError(f"{message}; every reply so far is kept; run the same command again"))
