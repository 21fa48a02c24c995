"""Asking: cases in, conversations with a judge out, request by request, as fast as the judge allows.

An event loop in a thread of its own keeps requests flowing while the caller works on what has arrived; it holds the
conversations (``calls.conversations``), which send what they must (``calls.retries``) at a learnt pace
(``annotate.models.calls.rate_limits``).

Memory does not grow with the number of cases: they are read in small portions, and a bounded number of them is read and not
taken yet.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from annotate.models.calls.case_state import Talk, Terms
from annotate.models.calls.conversations import Conversations
from annotate.models.inquiry import Case
from annotate.models.ledger.async_writer import Scribe

_GATHER_S: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Asking over one open line.

    Attributes:
        terms: what to ask whom.
        max_wait_s: how long a judge may refuse all requests for being too many.
        grace_s: how long attempts under way are waited for when the caller stops.
    """

    terms: Terms
    max_wait_s: float = 900.0
    grace_s: float = 3.0

    def talks(self, cases: Iterable[Case]) -> Iterator[list[Talk]]:
        """Ask until every case has its answer; what the ledger holds already is read, only the rest is asked.

        Args:
            cases: what to ask, none of it ``lacking``; read lazily, from another thread.

        Yields:
            Conversations in the order in which they ended, those that ended meanwhile together. Closing the iterator sends
            nothing more, waits a little for what is under way, and leaves the rest to the next run.

        Raises:
            SetupError: the judge lacks something, its provider refuses every request, or finds no answer to any for long.
            BudgetExceeded: the next attempt could pass the budget.
        """
        run = _Run(self, cases)
        thread = threading.Thread(target=run.main, name="asking", daemon=True)
        thread.start()
        try:
            while (talks := run.take()) is not None:
                yield talks
        finally:
            run.close()
            thread.join()
        if run.error is not None:
            raise run.error


class _Run:
    """One run: an event loop in its thread, and how the caller's thread deals with it.

    Attributes:
        error: why it ended early.
    """

    def __init__(self, asking: Asking, cases: Iterable[Case]) -> None:
        self.error: BaseException | None = None
        self._asking, self._cases = asking, cases
        self._arrived: queue.SimpleQueue[list[Talk] | None] = queue.SimpleQueue()
        self._ended: list[Talk] = []  # and not in the queue yet
        self._loop = asyncio.new_event_loop()
        self._conversations: Conversations | None = None
        self._closed = False

    def take(self) -> list[Talk] | None:
        """Wait, and return what has ended since the last time; None = all is taken."""
        talks: list[Talk] = []
        more = self._arrived.get()
        with contextlib.suppress(queue.Empty):
            while more is not None:
                talks += more
                more = self._arrived.get_nowait()
            if not talks:
                return None
            self._arrived.put(None)
        if self._conversations is not None:
            self._tell(self._conversations.taken, len(talks))
        return talks

    def close(self) -> None:
        """Send nothing more; attempts under way may still be answered for a little while."""
        self._tell(self._close)

    def main(self) -> None:
        """Run the event loop; in its own thread."""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._hold())
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            self.error = error
        finally:
            if self._ended:
                self._arrived.put(self._ended)
            self._arrived.put(None)

    async def _hold(self) -> None:
        terms = self._asking.terms
        async with Scribe(terms.open_ledger) as scribe:
            self._conversations = Conversations(terms, max_wait_s=self._asking.max_wait_s, scribe=scribe, deliver=self._deliver)
            if not self._closed:
                await self._conversations.hold(self._cases)

    def _deliver(self, talks: list[Talk]) -> None:
        """Hand over finished conversations, together with those that end soon: rows are made by the dozen, not one by one."""
        if not self._ended:
            self._loop.call_later(_GATHER_S, self._hand_over)
        self._ended += talks

    def _hand_over(self) -> None:
        self._arrived.put(self._ended)
        self._ended = []

    def _close(self) -> None:
        self._closed = True
        if self._conversations is not None:
            self._conversations.crew.stop()
            self._loop.call_later(self._asking.grace_s, self._conversations.crew.cut_off)

    def _tell(self, what: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(what, *args)
