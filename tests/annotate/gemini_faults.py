"""Seeded failures of the local Gemini server: the same request meets the same ones at its n-th sending, in whatever order."""

import hashlib
import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.annotate.gemini_replies import Answer, error, retry_info

BEFORE = ("throttled", "server_error", "dropped")
"""The work was not done and is not billed."""
AFTER = ("dropped_late", "truncated", "malformed", "empty", "html")
"""The work was done and is billed, but the reply is lost."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How often what goes wrong, each as a share of all sendings.

    Attributes:
        seed: draws them.
        latency_s: mean time of a reply; single ones take half to one and a half of it.
        throttled: 429, in turn with ``Retry-After`` and ``RetryInfo``, which ask for ``retry_after_s``.
        server_error: 500 or 503.
        dropped: the connection ends before the work.
        dropped_late: the connection ends after it.
        truncated: half of the reply.
        malformed: JSON that ends too early.
        empty: ``{}``.
        html: an HTML page with status 200.
    """

    seed: int = 0
    latency_s: float = 0.0
    retry_after_s: float = 1.0
    throttled: float = 0.0
    server_error: float = 0.0
    dropped: float = 0.0
    dropped_late: float = 0.0
    truncated: float = 0.0
    malformed: float = 0.0
    empty: float = 0.0
    html: float = 0.0

    def draw(self, name: str, identity: str, nth: int) -> float:
        """Return a number in [0, 1) for one sending of a request."""
        text = f"{self.seed}/{name}/{identity}/{nth}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]) / 2**56

    def kind(self, identity: str, nth: int) -> str | None:
        """Return what goes wrong with the n-th sending of a request."""
        left = self.draw("fault", identity, nth)
        for kind in (*BEFORE, *AFTER):
            left -= getattr(self, kind)
            if left < 0:
                return kind
        return None

    def delay_s(self, identity: str, nth: int) -> float:
        """Return how long the reply takes."""
        return self.latency_s * (0.5 + self.draw("latency", identity, nth))

    def struck(self, kind: str, answer: Answer | None, identity: str, nth: int) -> Answer:
        """Return what the client gets instead of ``answer``, which is None for those of ``BEFORE``."""
        if kind == "throttled":
            return throttled(self.retry_after_s, in_header=nth % 2 == 0)
        if kind == "server_error":
            down = self.draw("which", identity, nth) < 0.5
            return Answer(status=503, body="<html>overloaded</html>") if down else Answer(500, error(500, "INTERNAL", "oops"))
        if answer is None or kind == "dropped_late":
            return Answer()
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        if kind == "truncated":
            return Answer(body=answer.body, cut=len(text) // 2)
        return Answer(body={"malformed": text[: len(text) // 2], "empty": {}, "html": "<html>hello</html>"}[kind])


def throttled(wait_s: float, *, in_header: bool) -> Answer:
    """Return a 429 that asks for a wait, as a header or in the body."""
    details = [] if in_header else [retry_info(wait_s)]
    headers = {"Retry-After": f"{wait_s:g}"} if in_header else {}
    return Answer(status=429, body=error(429, "RESOURCE_EXHAUSTED", "slow down", details), headers=headers)


@dataclass
class Gate:
    """Lets ``most`` requests pass in any ``window_s``; None = all.

    Attributes:
        passed: times at which the last ones passed.
        turned_away: how many did not.
    """

    most: float | None = None
    window_s: float = 60.0
    passed: deque[float] = field(default_factory=deque)
    turned_away: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def wait_s(self) -> float | None:
        """Let one request pass, or return how long it should wait."""
        if self.most is None:
            return None
        now = time.monotonic()
        with self.lock:
            while self.passed and self.passed[0] <= now - self.window_s:
                self.passed.popleft()
            if len(self.passed) < self.most:
                self.passed.append(now)
                return None
            self.turned_away += 1
            return self.passed[0] + self.window_s - now
