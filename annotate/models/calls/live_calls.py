"""Live calls: cases in, finished conversations with a judge out, request by request, as fast as the rate limits allow.

An event loop in a thread of its own keeps requests in flight while the caller works on what has arrived. It holds the
conversations (``calls.live_conversations``), which send requests (``calls.retries``) within adaptive limits
(``calls.rate_limits``).

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

from annotate.models.calls.case_state import Conversation, LiveContext
from annotate.models.calls.live_conversations import LiveConversations
from annotate.models.inquiry import Case
from annotate.models.ledger.async_writer import LedgerWriter

_GATHER_S: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class LiveCalls:
    """Calls over one open session.

    Attributes:
        context: what to ask whom.
        max_wait_s: how long a judge may throttle all requests.
        grace_s: how long attempts under way are waited for when the caller stops.
    """

    context: LiveContext
    max_wait_s: float = 900.0
    grace_s: float = 3.0

    def conversations(self, cases: Iterable[Case]) -> Iterator[list[Conversation]]:
        """Ask until every case has its answer. Replies in the ledger are read, only the rest is sent.

        Args:
            cases: what to ask, none with a ``missing_column``; read lazily, from another thread.

        Yields:
            Conversations in the order in which they ended, those that ended meanwhile together. Closing the iterator sends
            nothing more, waits ``grace_s`` for attempts under way, and leaves the rest to the next run.

        Raises:
            SetupError: the key or a package is missing, or the provider refuses, or does not answer, any request.
            BudgetExceeded: the next attempt could pass the budget.
        """
        run = _Run(self, cases)
        thread = threading.Thread(target=run.main, name="live-calls", daemon=True)
        thread.start()
        try:
            while (conversations := run.take()) is not None:
                yield conversations
        finally:
            run.close()
            thread.join()
        if run.error is not None:
            raise run.error


class _Run:
    """One run: an event loop in its thread, and the caller's side of it.

    Attributes:
        error: why it ended early.
    """

    def __init__(self, calls: LiveCalls, cases: Iterable[Case]) -> None:
        self.error: BaseException | None = None
        self._calls, self._cases = calls, cases
        self._arrived: queue.SimpleQueue[list[Conversation] | None] = queue.SimpleQueue()
        self._ended: list[Conversation] = []  # and not in the queue yet
        self._loop = asyncio.new_event_loop()
        self._conversations: LiveConversations | None = None
        self._closed = False

    def take(self) -> list[Conversation] | None:
        """Wait, and return what has ended since the last call; None = everything was taken."""
        conversations: list[Conversation] = []
        more = self._arrived.get()
        with contextlib.suppress(queue.Empty):
            while more is not None:
                conversations += more
                more = self._arrived.get_nowait()
            if not conversations:
                return None
            self._arrived.put(None)
        if self._conversations is not None:
            self._call_in_loop(self._conversations.taken, len(conversations))
        return conversations

    def close(self) -> None:
        """Send nothing more; attempts under way may still be answered for ``grace_s``."""
        self._call_in_loop(self._close)

    def main(self) -> None:
        """Run the event loop; in its own thread."""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._run())
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            self.error = error
        finally:
            if self._ended:
                self._arrived.put(self._ended)
            self._arrived.put(None)

    async def _run(self) -> None:
        context, max_wait_s = self._calls.context, self._calls.max_wait_s
        async with LedgerWriter(context.open_ledger) as writer:
            self._conversations = LiveConversations(context, max_wait_s=max_wait_s, writer=writer, deliver=self._deliver)
            if not self._closed:
                await self._conversations.run(self._cases)

    def _deliver(self, conversations: list[Conversation]) -> None:
        """Hand over conversations with those that end within ``_GATHER_S``: rows are made by the dozen, not one by one."""
        if not self._ended:
            self._loop.call_later(_GATHER_S, self._hand_over)
        self._ended += conversations

    def _hand_over(self) -> None:
        self._arrived.put(self._ended)
        self._ended = []

    def _close(self) -> None:
        self._closed = True
        if self._conversations is not None:
            self._conversations.task_group.stop()
            self._loop.call_later(self._calls.grace_s, self._conversations.task_group.abort)

    def _call_in_loop(self, function: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(function, *args)
