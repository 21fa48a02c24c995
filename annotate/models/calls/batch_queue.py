"""The batch queue: claimed requests that wait for a batch, which of them go into one, and when it is submitted."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from annotate.models.calls.batch_dispatch import RUN_AGAIN, BatchDispatcher
from annotate.models.calls.batch_polling import retry_wait_s
from annotate.models.calls.case_state import Step
from annotate.models.judge import BatchSession
from annotate.models.ledger.async_writer import LedgerWriter
from annotate.models.request import AttemptFailure, JudgeRequest, Refusal
from contracts.errors import BudgetExceeded, DamagedPart, SetupError
from storage.blobs import DAMAGED_AUDIO

if TYPE_CHECKING:
    from annotate.models.calls.batch_calls import BatchCalls

_MOST_REJECTED: Final = 32  # batches in a row, with none open that could make room


@dataclass(kw_only=True, slots=True)
class QueuedRequest:
    """A request without an answer.

    Attributes:
        request: what is asked.
        steps: the conversations that wait for the answer: the same audio is asked about once.
        usd: the most that the request can cost in a batch.
        size: bytes that it takes of a batch; below 0 = not measured.
        attempts: batches that brought no answer to it; a throttled one counts as a small part of one.
        most_together: most requests of a batch that it may go into: requests of a rejected batch are tried in smaller ones.
    """

    request: JudgeRequest
    steps: list[Step] = field(default_factory=list)
    usd: float = 0.0
    size: int = -1
    attempts: float = 0.0
    most_together: int | None = None

    @property
    def key(self) -> str:
        """The request's key in the ledger."""
        return self.request.key


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmitResult:
    """The requests of a batch that the provider has not accepted; they are not claimed any more.

    Attributes:
        retry: those to try again.
        refused: those that no batch will be accepted with.
    """

    retry: Sequence[QueuedRequest] = ()
    refused: Sequence[tuple[QueuedRequest, Refusal]] = ()


class BatchQueue:
    """The claimed requests of one run that are in no batch.

    Attributes:
        dispatcher: the open batches.
    """

    def __init__(self, calls: "BatchCalls", *, session: BatchSession, writer: LedgerWriter) -> None:
        """Start with none.

        Args:
            calls: the settings.
            session: where batches are submitted.
            writer: the ledger.
        """
        judge = calls.context.inquiry.judge
        self.dispatcher = BatchDispatcher(
            judge=judge, session=session, writer=writer, poll_schedule=calls.poll_schedule, now=calls.now
        )
        self._calls, self._judge, self._session, self._writer = calls, judge, session, writer
        self._budget_usd = calls.context.budget_usd
        self._most_requests = max(1, min(calls.most_held // (calls.open_batches + 1), session.most_requests))
        self._queue: deque[QueuedRequest] = deque()
        self._bytes = 0
        self._paused_until = calls.now()
        self._pauses = 0  # since a batch brought answers
        self._rejected = 0  # batches that were not accepted since one brought answers
        self._over_budget = False  # whether an open batch must release budget first

    @property
    def full(self) -> bool:
        """Whether the queue fills a batch."""
        return len(self._queue) >= self._most_requests or self._bytes >= self._session.most_bytes

    @property
    def due(self) -> float | None:
        """When a batch may be submitted; None = nothing is queued, or an open batch must end before."""
        if not self._queue or self._over_budget or len(self.dispatcher.names) >= self._calls.open_batches:
            return None
        return self._paused_until

    async def add(self, requests: Sequence[QueuedRequest], *, first: bool) -> list[tuple[QueuedRequest, Refusal]]:
        """Queue claimed requests, and return those that are too large for any batch or have a damaged clip.

        Args:
            requests: what to queue.
            first: whether they go before all others.
        """
        unfit: list[tuple[QueuedRequest, Refusal]] = []
        for queued in reversed(requests) if first else requests:
            if queued.size < 0:
                try:
                    queued.size = await self._session.size(queued.request)
                    queued.usd = (await self._session.estimate(queued.request)).usd
                except DamagedPart as error:
                    unfit.append((queued, Refusal(reason=DAMAGED_AUDIO, message=str(error), attempts=0)))
                    continue
            if queued.size <= self._session.most_bytes:
                self._enqueue(queued, first=first)
            else:
                message = f"it takes {queued.size} bytes of a batch, which takes {self._session.most_bytes}: set mode: live"
                unfit.append((queued, Refusal(reason="too_large", message=message, attempts=0)))
        return unfit

    async def submit(self) -> SubmitResult:
        """Submit a batch that is due, or a smaller one if the budget does not allow all of it.

        Returns:
            What the provider has not accepted.

        Raises:
            BudgetExceeded: the budget allows nothing, and no open batch can release any of it.
            SetupError: no batch will be accepted until a person acts.
        """
        requests = {queued.key: queued for queued in self._next_batch()}
        prices = {key: queued.usd for key, queued in requests.items()}
        name, left_out = await self.dispatcher.record(prices, self._budget_usd)
        for key in reversed(list(requests)):
            if key in left_out:
                self._enqueue(requests.pop(key), first=True)
        self._over_budget = bool(left_out)
        if name is None:
            if not self.dispatcher.names:
                await self._raise_over_budget()
            return SubmitResult()
        batch = list(requests.values())
        failure = await self.dispatcher.submit(name, [queued.request for queued in batch])
        if failure is None:
            return SubmitResult()
        self._count_rejected(failure)
        self._over_budget = False  # what the batch booked is released
        if failure.kind != "request":
            self._pause(failure)
        elif len(batch) == 1:
            refusal = Refusal(reason=failure.reason, message=failure.message, attempts=math.ceil(batch[0].attempts) + 1)
            return SubmitResult(refused=[(batch[0], refusal)])
        else:
            for queued in batch:  # the failure may concern only one of them
                queued.most_together = len(batch) // 2
        return SubmitResult(retry=batch)

    def batch_ended(self, failure: AttemptFailure | None, *, accepted: bool) -> None:
        """Take note that a batch has ended.

        Args:
            failure: why it brought no answer at all; None = it brought some.
            accepted: whether the provider had it.
        """
        self.budget_released()
        if failure is None:
            self._rejected = self._pauses = 0
            self._paused_until = self._calls.now()
            return
        self._pause(failure)
        if not accepted or failure.kind == "throttled":  # accepted, and turned away later
            self._count_rejected(failure)

    def budget_released(self) -> None:
        """Take note that answers may have released budget."""
        self._over_budget = False

    def _enqueue(self, queued: QueuedRequest, *, first: bool) -> None:
        (self._queue.appendleft if first else self._queue.append)(queued)
        self._bytes += queued.size

    def _next_batch(self) -> list[QueuedRequest]:
        """Take out what goes into one batch."""
        batch: list[QueuedRequest] = []
        bytes_left, most = self._session.most_bytes, self._most_requests
        while self._queue:
            queued = self._queue[0]
            most = min(most, queued.most_together or most)
            if len(batch) >= most or queued.size > bytes_left:
                break
            bytes_left -= queued.size
            self._bytes -= queued.size
            batch.append(self._queue.popleft())
        return batch

    def _count_rejected(self, failure: AttemptFailure) -> None:
        """Raise if the provider accepts no batch at all; while others are open, there may only be too many of them."""
        self._rejected += not self.dispatcher.names
        if self._rejected >= _MOST_REJECTED:
            cause = f"{failure.message} (the provider accepted none of {self._rejected} batches)"
            raise SetupError(f"judge {self._judge.name!r}: {cause}; {RUN_AGAIN}")

    def _pause(self, failure: AttemptFailure) -> None:
        """Submit nothing for a while."""
        self._pauses += 1
        wait_s = retry_wait_s(self._judge, self._judge.name, self._pauses, failure)
        if failure.kind == "throttled" and self.dispatcher.names:
            # Too many batches are open, perhaps until one ends: each try is an upload in vain.
            wait_s = max(wait_s, self._calls.poll_schedule.interval_s(self._pauses))
        self._paused_until = max(self._paused_until, self._calls.now() + wait_s)

    async def _raise_over_budget(self) -> NoReturn:
        owed_usd = await self._writer.read(lambda ledger: ledger.owed_usd())
        spent = f"${owed_usd:.4f} of the budget of ${self._budget_usd or 0:.4f} are spent or owed"
        next_one = f"the next request may cost ${self._queue[0].usd:.6f}: raise budget_usd in the recipe to go on"
        raise BudgetExceeded(f"judge {self._judge.name!r}: {spent}, and {next_one}; every reply so far is kept")
