"""Requests of a later stage that join a fan-out while it is at work, from any thread."""

import queue
import threading
from collections.abc import Iterable
from typing import Final

import pyarrow as pa

from contracts.jobs import Job

_MOST_ROWS: Final = 10_000
"""Limit on what waits, so that memory does not grow where workers are slower than what they wait for."""


class WorkAhead:
    """A queue of requests that is open as long as more may come.

    Attributes:
        added: how many requests were added so far.
    """

    def __init__(self, *, is_closed: bool = False) -> None:
        self._queue: queue.SimpleQueue[tuple[Job, pa.Table]] = queue.SimpleQueue()
        self._closed = threading.Event()
        self.added = self._waiting = 0
        self._counting = threading.Lock()
        if is_closed:
            self._closed.set()

    def add(self, work: Iterable[tuple[Job, pa.Table]]) -> None:
        """Add requests of some jobs; those that are too many are left to the later stage."""
        for job, requests in work:
            with self._counting:
                taken = requests.slice(0, max(_MOST_ROWS - self._waiting, 0))
                self._waiting += taken.num_rows
                self.added += taken.num_rows
            if taken.num_rows:
                self._queue.put((job, taken))

    def note_done(self, rows: int) -> None:
        """Make room for as many more."""
        with self._counting:
            self._waiting -= rows

    def close(self) -> None:
        """Say that from now on only what the fan-out itself makes adds more."""
        self._closed.set()

    def take(self) -> list[tuple[Job, pa.Table]]:
        """Return what was added since the last call."""
        return [self._queue.get() for _ in range(self._queue.qsize())]

    @property
    def is_over(self) -> bool:
        """Whether nothing is there, and no other thread adds any more."""
        return self._closed.is_set() and self._queue.empty()
