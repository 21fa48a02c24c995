"""Asking: cases in, conversations with a judge out, request by request, as fast as the judge allows.

An event loop in a thread of its own keeps requests flowing while the caller works on what has arrived; it holds the
conversations (``annotate.asking.conversations``), which send what they must (``annotate.asking.sending``) at a learnt pace
(``annotate.asking.limits``).

Memory does not grow with the number of cases: they are read in small portions, and a bounded number of them is read and not
taken yet.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from annotate.asking.conversations import Conversations
from annotate.asking.talk import Talk, Terms
from annotate.inquiry import Case, Inquiry
from annotate.ledger.ledger import Ledger
from annotate.ledger.scribe import Scribe
from storage.blobs import BlobStore

__all__ = ["Asking", "Pulse", "Talk", "ask"]

_SHOWN_EVERY_S: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulse:
    """How asking goes at one moment; counts are of requests since the start.

    Attributes:
        known: answered from the ledger.
        replied: answered by the judge.
        failed: given up.
        in_flight: attempts under way.
        waiting: claimed or held by another process, and not under way.
        sent_last_minute: attempts in the last minute.
        concurrency: how many may be under way at present.
        requests_per_minute: how many may be sent at present; None = no limit is known.
        usd: what the answers of this run have cost, lost attempts included.
    """

    known: int = 0
    replied: int = 0
    failed: int = 0
    in_flight: int = 0
    waiting: int = 0
    sent_last_minute: int = 0
    concurrency: int = 0
    requests_per_minute: float | None = None
    usd: float = 0.0


def ask(
    cases: Iterable[Case],
    *,
    inquiry: Inquiry,
    problem_of: Callable[[str], str | None],
    open_ledger: Callable[[], Ledger],
    clips: BlobStore | None,
    budget_usd: float | None,
    watch: Callable[[Pulse], None] | None = None,
) -> Iterator[list[Talk]]:
    """Ask until every case has its answer; what the ledger holds already is read, only the rest is asked.

    Args:
        cases: what to ask, none of it ``lacking``; read lazily, from another thread.
        inquiry: task and judge.
        problem_of: why a reply cannot be used, for the follow-up; None = it can. Called from another thread.
        open_ledger: opens the ledger, in the thread that uses it.
        clips: where the audio is; None only for a judge that does not listen.
        budget_usd: what the ledger's account may come to; None = no paid attempt is allowed.
        watch: called in this thread with the state of things, once per second at most.

    Yields:
        Conversations in the order in which they ended, those that ended meanwhile together. Closing the iterator sends
        nothing more, waits a little for what is under way, and leaves the rest to the next run.

    Raises:
        SetupError: the judge lacks something, its provider refuses every request, or finds no answer to any for long.
        BudgetExceeded: the next attempt could pass the budget.
    """
    asking = Asking(inquiry=inquiry, problem_of=problem_of, open_ledger=open_ledger, clips=clips, budget_usd=budget_usd)
    yield from asking.talks(cases, watch)


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How ``ask`` asks; see there.

    Attributes:
        max_wait_s: how long a judge may refuse all requests for being too many.
        grace_s: how long attempts under way are waited for when the caller stops.
    """

    inquiry: Inquiry
    problem_of: Callable[[str], str | None]
    open_ledger: Callable[[], Ledger]
    clips: BlobStore | None
    budget_usd: float | None
    max_wait_s: float = 900.0
    grace_s: float = 3.0

    def talks(self, cases: Iterable[Case], watch: Callable[[Pulse], None] | None = None) -> Iterator[list[Talk]]:
        """Ask; see ``ask``."""
        run = _Run(self, cases)
        thread = threading.Thread(target=run.main, name="asking", daemon=True)
        thread.start()
        shown_at = 0.0
        try:
            while (talks := run.take()) is not None:
                if watch is not None and time.monotonic() - shown_at >= _SHOWN_EVERY_S:
                    shown_at = time.monotonic()
                    watch(run.pulse())
                if talks:
                    yield talks
        finally:
            run.close()
            thread.join()
        if run.error is not None:
            raise run.error


class _Run:
    """One call of ``ask``: an event loop in its thread, and how the caller's thread deals with it.

    Attributes:
        error: why it ended early.
    """

    def __init__(self, asking: Asking, cases: Iterable[Case]) -> None:
        self.error: BaseException | None = None
        self._asking, self._cases = asking, cases
        self._arrived: queue.SimpleQueue[list[Talk] | None] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._conversations: Conversations | None = None
        self._closed = False

    def take(self) -> list[Talk] | None:
        """Return what has ended since the last time, after a wait of a second at most; None = all is taken."""
        talks: list[Talk] = []
        with contextlib.suppress(queue.Empty):
            more = self._arrived.get(timeout=_SHOWN_EVERY_S)
            while more is not None:
                talks += more
                more = self._arrived.get_nowait()
            if not talks:
                return None
            self._arrived.put(None)
        if talks and self._conversations is not None:
            self._tell(self._conversations.taken, len(talks))
        return talks

    def pulse(self) -> Pulse:
        """Return the state of things."""
        held = self._conversations
        if held is None:
            return Pulse()
        if (sender := held.sender) is None:
            return Pulse(known=held.known)
        return Pulse(
            known=held.known,
            replied=sender.replied,
            failed=sender.failed,
            in_flight=sender.in_flight,
            waiting=sender.asking - sender.in_flight + len(held.elsewhere),
            sent_last_minute=sender.gate.meter.last(60, time.monotonic()),
            concurrency=int(sender.gate.concurrency),
            requests_per_minute=sender.gate.requests.per_minute,
            usd=sender.usd,
        )

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
            self._arrived.put(None)

    async def _hold(self) -> None:
        terms = Terms(
            inquiry=self._asking.inquiry,
            problem_of=self._asking.problem_of,
            clips=self._asking.clips,
            budget_usd=self._asking.budget_usd,
            max_wait_s=self._asking.max_wait_s,
        )
        async with Scribe(self._asking.open_ledger) as scribe:
            self._conversations = Conversations(terms, scribe=scribe, deliver=self._arrived.put)
            if not self._closed:
                await self._conversations.hold(self._cases)

    def _close(self) -> None:
        self._closed = True
        if self._conversations is not None:
            self._conversations.crew.stop()
            self._loop.call_later(self._asking.grace_s, self._conversations.crew.cut_off)

    def _tell(self, what: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(what, *args)
