"""Calls through a provider's batches: half the price, an answer within a day.

Cases are read as batches fill up, a few batches are open at once, and a request whose reply cannot be used is followed by one
more in a later batch. Replies in the ledger are read, requests of other processes are waited for, and batches that an earlier
run left with the provider are adopted (``calls.batch_dispatch``).

Memory does not grow with the number of cases: at most ``most_held`` of them, about 4 KB each, are read and not answered yet,
and answers pass through in small groups. Nothing runs while the caller works on what it got; the provider goes on meanwhile.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from annotate.models.calls.batch_polling import PollSchedule
from annotate.models.calls.batch_rounds import BatchRounds
from annotate.models.calls.case_state import CallContext, Conversation
from annotate.models.inquiry import Case
from annotate.models.judge import BatchSession
from annotate.models.ledger.async_writer import LedgerWriter
from contracts.errors import SetupError

Work = Callable[[BatchRounds], Coroutine[Any, Any, None]]


@dataclass(frozen=True, kw_only=True)
class BatchCalls:
    """Calls through batches.

    Attributes:
        context: what to ask whom.
        poll_schedule: how often to poll.
        open_batches: most batches with the provider at once.
        most_held: most cases read and not answered yet. A batch takes an equal share of them, so that all open ones and the
            one that is filling up have room.
        now: a clock, seconds.
        sleep: waits for seconds of that clock.
    """

    context: CallContext
    poll_schedule: PollSchedule = field(default_factory=PollSchedule)
    open_batches: int = 4
    most_held: int = 40_000
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    def conversations(self, cases: Iterable[Case]) -> Iterator[list[Conversation]]:
        """Ask until every case has its answer. Replies in the ledger are read, only the rest is sent.

        Args:
            cases: what to ask, none with a ``missing_column``; read lazily.

        Yields:
            Conversations in the order in which they ended. Closing the iterator, or an interrupt, cancels nothing at the
            provider: the next run adopts the batches.

        Raises:
            SetupError: the key or a package is missing, or the provider has no batches or refuses every batch.
            BudgetExceeded: the next request could pass the budget, and no open batch can release any of it.
        """
        yield from self._driven(lambda rounds: rounds.run(cases))

    def collect(self) -> None:
        """Wait for every open batch of the judge and model, until all their answers are in the ledger; submit none.

        Raises:
            SetupError: a batch is open and the judge's key is missing or refused.
        """
        for conversations in self._driven(lambda rounds: rounds.collect()):
            raise AssertionError(f"{len(conversations)} conversations without a case")

    def _driven(self, work: Work) -> Iterator[list[Conversation]]:
        """Run the work in an event loop that stands still while the caller works on what it got."""
        with asyncio.Runner() as runner:
            arrived: asyncio.Queue[list[Conversation] | None] = asyncio.Queue()
            # One task from beginning to end: what a provider's client opens in a task, it must close in the same one.
            task = runner.get_loop().create_task(self._run(work, arrived.put_nowait))
            task.add_done_callback(lambda _: arrived.put_nowait(None))
            try:
                while (conversations := runner.run(arrived.get())) is not None:
                    yield conversations
                task.result()
            finally:
                task.cancel()
                runner.run(asyncio.wait([task]))

    async def _run(self, work: Work, deliver: Callable[[list[Conversation]], None]) -> None:
        judge = self.context.inquiry.judge
        async with LedgerWriter(self.context.open_ledger) as writer, AsyncExitStack() as sessions:

            async def connect() -> BatchSession:
                if (problem := judge.missing()) is not None:
                    raise SetupError(f"judge {judge.name!r}: {problem}")
                return await sessions.enter_async_context(judge.open_batches(self.context.clips))

            await work(BatchRounds(self, writer=writer, connect=connect, deliver=deliver))
