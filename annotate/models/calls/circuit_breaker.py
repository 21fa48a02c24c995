"""The circuit breaker: tells a request that fails by itself from a judge that answers nobody, and stops for the latter.

A provider that is down, a key that is refused or a quota that is gone would turn every row into a failure; what stops in time
can simply be started again.
"""

import asyncio
import time
from typing import Final

from annotate.models.calls.rate_limits import LONGEST_WAIT_S
from annotate.models.calls.task_group import Crew
from annotate.models.judge import Judge, Trouble
from contracts.errors import SetupError

_FEWEST_IN_A_ROW: Final = 8


def too_long(trouble: Trouble) -> bool:
    """Whether a provider asks for a longer wait than anybody waits."""
    return trouble.wait_s is not None and trouble.wait_s > LONGEST_WAIT_S


class Breaker:
    """What the troubles of all requests to one judge say together.

    Attributes:
        answers: requests that the judge answered.
        doubtful: requests that used up their attempts since the last answer, with the last trouble of each.
    """

    def __init__(self, judge: Judge, crew: Crew, *, max_wait_s: float) -> None:
        """Start closed.

        Args:
            judge: who is asked.
            crew: what is stopped.
            max_wait_s: how long a judge may refuse all requests for being too many.
        """
        self.answers = 0
        self.doubtful: dict[str, tuple[Trouble, asyncio.Future[None]]] = {}
        self._judge, self._crew, self._max_wait_s = judge, crew, max_wait_s
        self._throttled_since: float | None = None
        self._silent: set[str] = set()  # requests that waited in vain since the last answer
        self._most = max(_FEWEST_IN_A_ROW, 2 * judge.pace.concurrency)

    def answered(self) -> None:
        """Learn that the judge answers: what failed meanwhile failed by itself."""
        self.answers += 1
        self._throttled_since = None
        self._silent.clear()
        self.acquit()

    def refused(self, trouble: Trouble) -> None:
        """Learn of a trouble that every request would meet."""
        self._stop(trouble.message, trouble.advice)

    def throttled(self, trouble: Trouble) -> None:
        """Learn that the judge asks for fewer requests, and stop if that has been all for too long."""
        now = time.monotonic()
        self._throttled_since = now if self._throttled_since is None else self._throttled_since
        waited_s = now - self._throttled_since
        if too_long(trouble):
            told = f"{trouble.message} (it asks to wait {trouble.wait_s:.0f} s)"
            self._stop(told, trouble.advice or "wait that long, or raise the quota")
        elif waited_s > self._max_wait_s:
            told = f"{trouble.message} (no request was answered for {waited_s:.0f} s)"
            self._stop(told, trouble.advice or "the quota seems to be used up, wait until it is back")

    def silent(self, key: str, trouble: Trouble) -> None:
        """Learn that a request was sent and waited in vain: each try may be billed, so many are not tried again and again."""
        self._silent.add(key)
        if len(self._silent) >= self._most:
            told = f"{len(self._silent)} requests in a row got no answer, the last: {trouble.message}"
            self._stop(told, "see whether the provider is down, or raise timeout_s")

    def doubt(self, key: str, trouble: Trouble) -> asyncio.Future[None]:
        """Return what to wait for when a request has no attempt left: an answer to another one, or the decision at the end.

        Too many of them in a row stop all.
        """
        verdict: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.doubtful[key] = trouble, verdict
        if len(self.doubtful) >= self._most:
            told = f"{len(self.doubtful)} requests in a row found no answer in {self._judge.pace.max_attempts} attempts each"
            self._stop(f"{told}, the last: {trouble.message}", "see whether the provider is down, and wait until it is back")
        return verdict

    def acquit(self) -> None:
        """Let the doubtful ones count as failed by themselves."""
        for _, verdict in self.doubtful.values():
            if not verdict.done():
                verdict.set_result(None)
        self.doubtful.clear()

    def decide(self) -> None:
        """Decide on the doubtful ones when no other request can."""
        troubles = [trouble for trouble, _ in self.doubtful.values()]
        if not self.answers and all(trouble.reason == "unreachable" for trouble in troubles):
            self._stop(troubles[-1].message, "check the network and the judge's address")
        else:
            self.acquit()

    def _stop(self, what: str, advice: str) -> None:
        told = ": ".join(part for part in (f"judge {self._judge.name!r}", what, advice) if part)
        self._crew.stop(SetupError(f"{told}; every reply so far is kept; run the same command again"))
