"""Asking through a provider's batches: half the price, an answer within a day.

Cases are read as batches fill up, a few batches are open at once, and a question whose reply cannot be used is followed by one
more in a later batch (SPEC U1). What the ledger knows is read, what another process is asking is waited for, and what an
earlier run left with the provider is taken up (``annotate.asking.dispatch``).

Memory does not grow with the number of cases: at most ``most_held`` of them, about 4 KB each, are read and not answered yet,
and answers pass through in small groups. Nothing runs while the caller works on what it got; the provider goes on meanwhile.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from annotate.asking.live import Pulse, Talk
from annotate.asking.patience import Patience
from annotate.asking.rounds import Rounds
from annotate.inquiry import Case, Inquiry
from annotate.judge import BatchLine
from annotate.ledger.ledger import Ledger
from annotate.ledger.scribe import Scribe
from contracts.errors import SetupError
from storage.blobs import BlobStore

_SHOWN_EVERY_S: Final = 1.0


def ask_in_batches(
    cases: Iterable[Case],
    *,
    inquiry: Inquiry,
    problem_of: Callable[[str], str | None],
    open_ledger: Callable[[], Ledger],
    clips: BlobStore | None,
    budget_usd: float | None,
    watch: Callable[[Pulse], None] | None = None,
    poll_s: float = 60.0,
    open_batches: int = 4,
) -> Iterator[list[Talk]]:
    """Ask until every case has its answer; what the ledger holds already is read, only the rest is asked.

    Args:
        cases: what to ask, none of it ``lacking``; read lazily.
        inquiry: task and judge.
        problem_of: why a reply cannot be used, for the follow-up; None = it can.
        open_ledger: opens the ledger, in the thread that uses it.
        clips: where the audio is; None only for a judge that does not listen.
        budget_usd: what the ledger's account may come to; None = no paid request is allowed.
        watch: called in this thread with the state of things, about once per second. ``in_flight`` counts the requests in open
            batches, ``concurrency`` the open batches.
        poll_s: first wait between two looks at a batch; it grows tenfold at most.
        open_batches: most batches with the provider at once.

    Yields:
        Conversations in the order in which they ended. Closing the iterator, or an interrupt, cancels nothing at the provider:
        the next run takes the batches up.

    Raises:
        SetupError: the judge lacks something, has no batches, or its provider refuses every batch.
        BudgetExceeded: the next request could pass the budget, and no open batch can leave money over.
    """
    batching = Batching(
        inquiry=inquiry,
        problem_of=problem_of,
        open_ledger=open_ledger,
        clips=clips,
        budget_usd=budget_usd,
        patience=Patience(poll_s=poll_s),
        open_batches=open_batches,
    )
    yield from batching.talks(cases, watch)


def collect(
    *,
    inquiry: Inquiry,
    open_ledger: Callable[[], Ledger],
    clips: BlobStore | None,
    watch: Callable[[Pulse], None] | None = None,
    poll_s: float = 60.0,
) -> None:
    """Wait for every open batch of the inquiry's judge and model, until all their answers are in the ledger; hand in none.

    Args:
        inquiry: its judge is what matters.
        open_ledger: opens the ledger, in the thread that uses it.
        clips: where the audio is, which the line may want to know.
        watch: called in this thread with the state of things, about once per second.
        poll_s: first wait between two looks at a batch; it grows tenfold at most.

    Raises:
        SetupError: a batch is open and the judge's key is missing or refused.
    """
    batching = Batching(
        inquiry=inquiry,
        problem_of=lambda _: None,
        open_ledger=open_ledger,
        clips=clips,
        budget_usd=None,
        patience=Patience(poll_s=poll_s),
    )
    batching.collect(watch)


@dataclass(frozen=True, kw_only=True)
class Batching:
    """How ``ask_in_batches`` asks; see there.

    Attributes:
        patience: how long to wait for what.
        open_batches: most batches with the provider at once.
        most_held: most cases read and not answered yet. A batch takes an equal share of them, so that all open ones and the
            one that is filling up have room.
        now: a clock, seconds.
        sleep: waits for seconds of that clock.
    """

    inquiry: Inquiry
    problem_of: Callable[[str], str | None]
    open_ledger: Callable[[], Ledger]
    clips: BlobStore | None
    budget_usd: float | None
    patience: Patience = field(default_factory=Patience)
    open_batches: int = 4
    most_held: int = 40_000
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    def talks(self, cases: Iterable[Case], watch: Callable[[Pulse], None] | None = None) -> Iterator[list[Talk]]:
        """Ask; see ``ask_in_batches``."""
        yield from self._driven(lambda rounds: rounds.hold(cases), watch)

    def collect(self, watch: Callable[[Pulse], None] | None = None) -> None:
        """Wait for open batches; see ``annotate.asking.batches.collect``."""
        for talks in self._driven(lambda rounds: rounds.collect(), watch):
            raise AssertionError(f"{len(talks)} talks without a case")

    def _driven(
        self, work: Callable[[Rounds], Coroutine[Any, Any, None]], watch: Callable[[Pulse], None] | None
    ) -> Iterator[list[Talk]]:
        """Run the work in an event loop that stands still while the caller works on what it got."""
        with asyncio.Runner() as runner:
            arrived: asyncio.Queue[list[Talk] | None] = asyncio.Queue()
            # One task from beginning to end: what a provider's client opens in a task, it must close in the same one.
            task = runner.get_loop().create_task(self._work(work, arrived.put_nowait, watch))
            task.add_done_callback(lambda _: arrived.put_nowait(None))
            try:
                while (talks := runner.run(arrived.get())) is not None:
                    yield talks
                task.result()
            finally:
                task.cancel()
                runner.run(asyncio.wait([task]))

    async def _work(
        self,
        work: Callable[[Rounds], Coroutine[Any, Any, None]],
        deliver: Callable[[list[Talk]], None],
        watch: Callable[[Pulse], None] | None,
    ) -> None:
        async with Scribe(self.open_ledger) as scribe, AsyncExitStack() as lines:
            shown_at = -math.inf

            async def wait(until: float) -> None:
                """Wait, in steps in which the caller is told how it goes."""
                nonlocal shown_at
                while True:
                    now = self.now()
                    if watch is not None and now - shown_at >= _SHOWN_EVERY_S:
                        shown_at = now
                        watch(rounds.pulse())
                    if now >= until:
                        return
                    await self.sleep(min(until - now, _SHOWN_EVERY_S if watch is not None else math.inf))

            async def connect() -> BatchLine:
                if (problem := self.inquiry.judge.missing()) is not None:
                    raise SetupError(f"judge {self.inquiry.judge.name!r}: {problem}")
                return await lines.enter_async_context(self.inquiry.judge.open_batches(self.clips))

            rounds = Rounds(self, scribe=scribe, connect=connect, deliver=deliver, wait=wait)
            await work(rounds)
