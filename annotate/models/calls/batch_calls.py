"""Asking through a provider's batches: half the price, an answer within a day.

Cases are read as batches fill up, a few batches are open at once, and a question whose reply cannot be used is followed by one
more in a later batch. What the ledger knows is read, what another process is asking is waited for, and what an
earlier run left with the provider is taken up (``annotate.models.calls.batch_dispatch``).

Memory does not grow with the number of cases: at most ``most_held`` of them, about 4 KB each, are read and not answered yet,
and answers pass through in small groups. Nothing runs while the caller works on what it got; the provider goes on meanwhile.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from annotate.models.calls.batch_polling import Patience
from annotate.models.calls.batch_rounds import Rounds
from annotate.models.calls.case_state import Talk, Terms
from annotate.models.inquiry import Case
from annotate.models.judge import BatchLine
from annotate.models.ledger.async_writer import Scribe
from contracts.errors import SetupError


@dataclass(frozen=True, kw_only=True)
class Batching:
    """Asking through batches.

    Attributes:
        terms: what to ask whom.
        patience: how long to wait for what.
        open_batches: most batches with the provider at once.
        most_held: most cases read and not answered yet. A batch takes an equal share of them, so that all open ones and the
            one that is filling up have room.
        now: a clock, seconds.
        sleep: waits for seconds of that clock.
    """

    terms: Terms
    patience: Patience = field(default_factory=Patience)
    open_batches: int = 4
    most_held: int = 40_000
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    def talks(self, cases: Iterable[Case]) -> Iterator[list[Talk]]:
        """Ask until every case has its answer; what the ledger holds already is read, only the rest is asked.

        Args:
            cases: what to ask, none of it ``lacking``; read lazily.

        Yields:
            Conversations in the order in which they ended. Closing the iterator, or an interrupt, cancels nothing at the
            provider: the next run takes the batches up.

        Raises:
            SetupError: the judge lacks something, has no batches, or its provider refuses every batch.
            BudgetExceeded: the next request could pass the budget, and no open batch can leave money over.
        """
        yield from self._driven(lambda rounds: rounds.hold(cases))

    def collect(self) -> None:
        """Wait for every open batch of the judge and model, until all their answers are in the ledger; hand in none.

        Raises:
            SetupError: a batch is open and the judge's key is missing or refused.
        """
        for talks in self._driven(lambda rounds: rounds.collect()):
            raise AssertionError(f"{len(talks)} talks without a case")

    def _driven(self, work: Callable[[Rounds], Coroutine[Any, Any, None]]) -> Iterator[list[Talk]]:
        """Run the work in an event loop that stands still while the caller works on what it got."""
        with asyncio.Runner() as runner:
            arrived: asyncio.Queue[list[Talk] | None] = asyncio.Queue()
            # One task from beginning to end: what a provider's client opens in a task, it must close in the same one.
            task = runner.get_loop().create_task(self._work(work, arrived.put_nowait))
            task.add_done_callback(lambda _: arrived.put_nowait(None))
            try:
                while (talks := runner.run(arrived.get())) is not None:
                    yield talks
                task.result()
            finally:
                task.cancel()
                runner.run(asyncio.wait([task]))

    async def _work(self, work: Callable[[Rounds], Coroutine[Any, Any, None]], deliver: Callable[[list[Talk]], None]) -> None:
        judge = self.terms.inquiry.judge
        async with Scribe(self.terms.open_ledger) as scribe, AsyncExitStack() as lines:

            async def connect() -> BatchLine:
                if (problem := judge.missing()) is not None:
                    raise SetupError(f"judge {judge.name!r}: {problem}")
                return await lines.enter_async_context(judge.open_batches(self.terms.clips))

            await work(Rounds(self, scribe=scribe, connect=connect, deliver=deliver))
