"""Batches at a provider: recorded before they are submitted, found again after a crash, polled, and closed.

The state of a batch in the ledger says what happens to it:

- ``intended``: whether the provider has the batch is not known. It is searched for by its name, more than once because a
  provider's list may lag. If it is found, it is adopted; otherwise its requests may be sent again.
- ``submitted``: the batch is polled until it has ended, and never submitted again.
- ``closed``: every answer of the batch is in the ledger.

No batch is ever cancelled: a submitted batch is paid for, and the next run adopts it.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from annotate.models.calls.batch_polling import PollSchedule, retry_wait_s
from annotate.models.calls.batch_results import BatchResults, BatchUpdate
from annotate.models.judge import BatchSession, Service, named
from annotate.models.ledger.async_writer import LedgerWriter
from annotate.models.ledger.entries import Batch
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import AttemptError, AttemptFailure, JudgeRequest
from contracts.errors import DamagedPart, SetupError
from contracts.ids import digest
from storage.blobs import DAMAGED_AUDIO

RUN_AGAIN: Final = "every reply so far is kept and every batch recorded; run the same command again"

BATCH_FAILED: Final = "batch_failed"
"""Reason of a failure of ``BatchSession.state``: the batch has ended, and nothing of it was answered or billed."""

_NAME: Final = "unisrm-{}-{}"
_NAME_DIGITS: Final = 24
_MOST_FAILURES: Final = 100  # in a row, with one batch: some eight hours


@dataclass(kw_only=True, slots=True)
class _OpenBatch:
    """An open batch.

    Attributes:
        name: by which it can be found.
        batch_id: the provider's id; None = whether the provider has it is not known.
        due: when to poll it next.
        polls: how often it was still running.
        searches: how often it was searched for in vain.
        failures: failed polls in a row.
    """

    name: str
    batch_id: str | None
    due: float
    polls: int = 0
    searches: int = 0
    failures: int = 0


class BatchDispatcher:
    """The open batches of one judge and account.

    Attributes:
        results: commits what ended batches brought.
    """

    def __init__(
        self,
        *,
        judge: Service,
        session: BatchSession,
        writer: LedgerWriter,
        poll_schedule: PollSchedule,
        now: Callable[[], float],
    ) -> None:
        """Start with none.

        Args:
            judge: the judge.
            session: over which.
            writer: the ledger.
            poll_schedule: how often to poll.
            now: a clock, seconds.
        """
        self.results = BatchResults(session=session, writer=writer)
        self._judge, self._session, self._writer, self._poll_schedule, self._now = judge, session, writer, poll_schedule, now
        self._open: dict[str, _OpenBatch] = {}
        self._reached = False  # whether the provider ever responded
        self._unreached = 0  # failed tries to reach it before that

    @property
    def names(self) -> frozenset[str]:
        """Names of the open batches."""
        return frozenset(self._open)

    @property
    def due(self) -> float | None:
        """When to poll the next batch; None = no batch is open."""
        return min((batch.due for batch in self._open.values()), default=None)

    def adopt(self, batches: Iterable[Batch]) -> None:
        """Add batches of the ledger that an earlier run, or a process that died meanwhile, left open."""
        for batch in batches:
            self._add(batch.name, batch.batch_id)

    async def record(self, prices: Mapping[str, float], budget_usd: float | None) -> tuple[str | None, set[str]]:
        """Record a batch that is about to be submitted, and book its highest price.

        Args:
            prices: the most that each request can cost, by key, US dollars.
            budget_usd: what the account may come to; None = no paid request is allowed.

        Returns:
            The batch's name, and the keys left out because the budget does not allow them. The name is None if the budget
            allows none.

        Raises:
            BudgetExceeded: there is a price, but no budget.
        """
        judge, sends, left_out = self._judge, dict(prices), set[str]()
        while sends:
            # In part random: the same requests may have to go out again, and no two batches have one name.
            name = _NAME.format(digest([judge.name, judge.model, *sorted(sends)])[:_NAME_DIGITS], secrets.token_hex(4))
            record = partial(Ledger.record_batch, name=name, judge=judge.name, model=judge.model, budget_usd=budget_usd)
            unpaid = await self._writer.call(partial(record, sends=list(sends.items())))
            if not unpaid:
                self._add(name, None)
                return name, left_out
            left_out |= set(unpaid)
            sends = {key: usd for key, usd in sends.items() if key not in left_out}
        return None, left_out

    async def submit(self, name: str, requests: Sequence[JudgeRequest]) -> AttemptFailure | None:
        """Submit a recorded batch, once.

        Returns:
            Why the provider has not accepted the batch, whose requests may be sent again. None if the provider has accepted
            it, or may have; then it is open.

        Raises:
            SetupError: no batch will be accepted until a person acts.
        """
        batch = self._open[name]
        try:
            outcome = await self._session.submit(name, requests)
        except DamagedPart as error:  # the clip was intact when its request was queued: nothing was submitted
            await self._close(batch, lost=False)
            return AttemptFailure(reason=DAMAGED_AUDIO, message=str(error), kind="request")
        if isinstance(outcome, str):
            await self._accepted(batch, outcome)
            return None
        if outcome.lost:
            batch.due = self._now()
        else:
            await self._close(batch, lost=False)
        self._raise_if_hopeless(outcome)
        return None if outcome.lost else outcome

    async def poll(self) -> AsyncIterator[BatchUpdate]:
        """Poll every batch that is due, and yield what came of it.

        Raises:
            SetupError: no batch will be answered until a person acts.
        """
        now = self._now()
        for batch in [batch for batch in self._open.values() if batch.due <= now]:
            if batch.batch_id is None:
                updates = self._search(batch)
            else:
                updates = self._poll(batch, batch.batch_id)
            async for update in updates:
                yield update

    async def _search(self, batch: _OpenBatch) -> AsyncIterator[BatchUpdate]:
        """Search the provider for a batch that it may never have got."""
        found = await self._session.find(batch.name)
        if isinstance(found, AttemptFailure):
            self._postpone(batch, found)
            return
        if found is not None:
            await self._accepted(batch, found)
            return
        self._reached = True
        batch.searches += 1
        batch.due = self._now() + self._poll_schedule.search_s
        if batch.searches >= self._poll_schedule.searches:
            keys = await self._writer.read(lambda ledger: ledger.batch_keys(batch.name))
            await self._close(batch, lost=False)
            failure = AttemptFailure(reason="unreachable", message="the provider never got the batch", kind="transient")
            yield BatchUpdate(unanswered=dict.fromkeys(keys, failure), finished=True, accepted=False)

    async def _poll(self, batch: _OpenBatch, batch_id: str) -> AsyncIterator[BatchUpdate]:
        """Ask for the state of a batch, and commit its results if it has ended."""
        state = await self._session.state(batch_id)
        if isinstance(state, AttemptFailure) and state.kind != "request" and state.reason != BATCH_FAILED:
            self._postpone(batch, state)
            return
        self._reached = True
        if state == "running":
            batch.failures = 0
            batch.polls += 1
            batch.due = self._now() + self._poll_schedule.interval_s(batch.polls)
            return
        unanswered = await self._writer.read(lambda ledger: ledger.batch_prices(batch.name))
        failures: dict[str, AttemptFailure] = {}
        if state == "ended":
            message = "an ended batch has no result for it"
            of_batch = AttemptFailure(reason="no_result", message=message, kind="transient", lost=True)
            try:
                async for answers in self.results.committed(batch_id, unanswered, failures):
                    yield BatchUpdate(answers=answers)
            except AttemptError as error:
                of_batch = error.failure
                if of_batch.kind != "request":
                    self._postpone(batch, of_batch)
                    return
        elif isinstance(state, AttemptFailure) and state.reason == BATCH_FAILED:
            of_batch = state
        else:
            message = state.message if isinstance(state, AttemptFailure) else "the provider does not know the batch any more"
            of_batch = AttemptFailure(reason="batch_gone", message=message, kind="transient", lost=True)
        of_request = replace(of_batch, kind="transient")  # the batch's failure says nothing against its requests
        update = await self.results.close(batch.name, {key: failures.get(key, of_request) for key in sorted(unanswered)})
        del self._open[batch.name]
        yield update
        for failure in (of_batch, *failures.values()):
            self._raise_if_hopeless(failure)

    async def _accepted(self, batch: _OpenBatch, batch_id: str) -> None:
        await self._writer.call(lambda ledger: ledger.record_batch_id(batch.name, batch_id))
        self._reached = True
        batch.batch_id = batch_id
        batch.failures = 0
        batch.due = self._now() + self._poll_schedule.poll_s

    async def _close(self, batch: _OpenBatch, *, lost: bool) -> None:
        await self._writer.call(lambda ledger: ledger.close_batch(batch.name, lost=lost))
        del self._open[batch.name]

    def _add(self, name: str, batch_id: str | None) -> None:
        self._open[name] = _OpenBatch(name=name, batch_id=batch_id, due=self._now())

    def _postpone(self, batch: _OpenBatch, failure: AttemptFailure) -> None:
        """Poll a batch later because it could not be polled now; after ``_MOST_FAILURES`` in a row, stop."""
        batch.failures += 1
        hopeless = failure.kind == "request" or batch.failures >= _MOST_FAILURES
        self._raise_if_hopeless(replace(failure, kind="all_requests") if hopeless else failure)
        batch.due = self._now() + retry_wait_s(self._judge, batch.name, batch.failures, failure)

    def _raise_if_hopeless(self, failure: AttemptFailure) -> None:
        """Raise if only a person can help. That a provider was never reached is known after few tries, not after hours."""
        if failure.reason != "unreachable":
            self._reached = True
        if not self._reached:
            self._unreached += 1
            if self._unreached >= self._judge.pace.max_attempts:
                failure = replace(failure, kind="all_requests", advice="check the network and the judge's address")
        if failure.kind == "all_requests":
            parts = (named(self._judge), failure.message, failure.advice)
            raise SetupError(f"{': '.join(part for part in parts if part)}; {RUN_AGAIN}")
