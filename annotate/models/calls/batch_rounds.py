"""The requests of one run through batches: claimed, queued, answered or sent again, until every case has its answer."""

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from annotate.models.calls.batch_queue import BatchQueue, QueuedRequest
from annotate.models.calls.case_state import Conversation, Step
from annotate.models.inquiry import Case
from annotate.models.judge import BatchSession
from annotate.models.ledger.async_writer import LedgerWriter
from annotate.models.ledger.entries import Batch
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import AttemptFailure, Refusal, Reply

if TYPE_CHECKING:
    from annotate.models.calls.batch_calls import BatchCalls

_CASES_AT_ONCE: Final = 512
_THROTTLED: Final = 0.05  # of an attempt: one line alone can be more than a provider allows
_FIRST_POLL_S: Final = 1.0  # of the ledger, for replies to other processes


class BatchRounds:
    """The requests of one run, from one event loop."""

    def __init__(
        self,
        calls: "BatchCalls",
        *,
        writer: LedgerWriter,
        connect: Callable[[], Awaitable[BatchSession]],
        deliver: Callable[[list[Conversation]], None],
    ) -> None:
        """Start with none.

        Args:
            calls: the settings.
            writer: the ledger.
            connect: opens the session; called at most once, and only if there is something to submit or to read.
            deliver: takes finished conversations.
        """
        self._calls, self._context, self._judge = calls, calls.context, calls.context.inquiry.judge
        self._writer, self._connect, self._deliver = writer, connect, deliver
        self._queue: BatchQueue | None = None
        self._cases: Iterable[Case] = iter(())
        self._all_read = False
        self._held = 0  # cases read and not answered
        self._unanswered: dict[str, QueuedRequest] = {}
        self._of_others: dict[str, QueuedRequest] = {}  # claimed by another process, or in a batch that an earlier run left
        self._poll_others_at, self._poll_others_s = 0.0, _FIRST_POLL_S

    async def collect(self) -> None:
        """Wait until no batch is open."""
        await self._adopt_batches()
        while self._queue is not None and (due := self._queue.dispatcher.due) is not None:
            await self._wait(due)
            await self._poll(self._queue)

    async def run(self, cases: Iterable[Case]) -> None:
        """Ask until every case has its answer."""
        self._cases = iter(cases)
        await self._adopt_batches()
        while True:
            await self._read()
            await self._submit()
            if self._reads_more():  # what was submitted made room
                continue
            if not self._unanswered:
                return
            await self._wait(self._next_due())
            if self._queue is not None:
                await self._poll(self._queue)
            if self._of_others and self._calls.now() >= self._poll_others_at:
                await self._poll_others()

    async def _adopt_batches(self) -> None:
        """Adopt the batches of dead processes; the session is opened only if one of them is without some of its answers."""
        judge, keys = self._judge, list(self._of_others)
        known = frozenset[str]() if self._queue is None else self._queue.dispatcher.names

        def adopt(ledger: Ledger) -> list[Batch]:
            with ledger.together():
                found = ledger.open_batches(judge.name, judge.model, wanted=keys)
                batches = [batch for batch in found if batch.name not in known]
                answered = [batch for batch in batches if batch.batch_id is not None and not ledger.batch_keys(batch.name)]
                for batch in answered:
                    ledger.close_batch(batch.name, lost=False)
            return [batch for batch in batches if batch not in answered]

        if batches := await self._writer.call(adopt):
            (await self._opened_queue()).dispatcher.adopt(batches)

    async def _opened_queue(self) -> BatchQueue:
        if self._queue is None:
            self._queue = BatchQueue(self._calls, session=await self._connect(), writer=self._writer)
        return self._queue

    # Cases in, conversations out.

    async def _read(self) -> None:
        """Read cases until a batch is full, or too many are held."""
        while self._reads_more():
            portion = list(islice(self._cases, min(_CASES_AT_ONCE, self._calls.most_held - self._held)))
            self._all_read = not portion
            self._held += len(portion)
            await self._proceed([Step(case=case, request=case.request) for case in portion])

    def _reads_more(self) -> bool:
        """Whether to read more cases."""
        full = self._queue is not None and self._queue.full
        return not self._all_read and self._held < self._calls.most_held and not full

    async def _proceed(self, steps: Sequence[Step]) -> None:
        """Answer the next requests of conversations from the ledger, and claim the others."""
        ended: list[Conversation] = []
        while steps:
            new: dict[str, QueuedRequest] = {}
            for step in steps:
                key = step.request.key
                queued = self._unanswered.get(key) or new.setdefault(key, QueuedRequest(request=step.request))
                queued.steps.append(step)
            replies = await self._writer.replies(list(new))
            steps = []
            for key, reply in replies.items():
                steps += self._onward(new.pop(key), reply, ended)
            self._unanswered |= new
            await self._claim(list(new.values()))
        self._end(ended)

    async def _answered(self, answers: Sequence[tuple[QueuedRequest, Reply | Refusal]]) -> None:
        """Go on with the conversations that waited for these answers."""
        ended: list[Conversation] = []
        steps: list[Step] = []
        for queued, answer in answers:
            self._unanswered.pop(queued.key, None)
            self._of_others.pop(queued.key, None)
            steps += self._onward(queued, answer, ended)
        self._end(ended)
        await self._proceed(steps)

    def _onward(self, queued: QueuedRequest, answer: Reply | Refusal, ended: list[Conversation]) -> list[Step]:
        """Return the next steps of the conversations that waited for an answer; those without one are added to ``ended``."""
        onward = [self._context.proceed(step, answer) for step in queued.steps]
        ended += [conversation for conversation in onward if isinstance(conversation, Conversation)]
        return [step for step in onward if isinstance(step, Step)]

    def _end(self, ended: list[Conversation]) -> None:
        self._held -= len(ended)
        if ended:
            self._deliver(ended)

    # Requests into batches.

    async def _claim(self, requests: Sequence[QueuedRequest], *, first: bool = False) -> None:
        """Claim requests and queue them; those of other processes are waited for.

        Args:
            requests: what to claim.
            first: whether they go before all others.
        """
        if not requests:
            return
        ours = set(await self._writer.claim([self._context.entry(queued.steps[0]) for queued in requests]))
        claimed: list[QueuedRequest] = []
        for queued in requests:
            if queued.key in ours:
                self._of_others.pop(queued.key, None)
                claimed.append(queued)
            elif queued.key not in self._of_others:
                self._of_others[queued.key] = queued
                # It may have been answered a moment ago.
                self._poll_others_at, self._poll_others_s = self._calls.now(), _FIRST_POLL_S
        if claimed and (unfit := await (await self._opened_queue()).add(claimed, first=first)):
            await self._refuse(unfit)

    async def _refuse(self, refusals: Sequence[tuple[QueuedRequest, Refusal]]) -> None:
        """Record that claimed requests will get no answer."""
        answers = [(queued.key, refusal) for queued, refusal in refusals]
        await self._writer.call(lambda ledger: ledger.commit(answers))
        await self._answered(refusals)

    async def _submit(self) -> None:
        """Submit batches as long as requests are queued, few enough batches are open, and the budget allows it."""
        while not self._reads_more() and self._queue is not None:
            due = self._queue.due
            if due is None or due > self._calls.now():
                return
            result = await self._queue.submit()
            await self._give_up(result.refused)
            await self._claim(result.retry, first=True)

    # Batches into answers.

    def _next_due(self) -> float:
        """Return when there is something to do."""
        due = [self._poll_others_at] if self._of_others else []
        if self._queue is not None:
            due += [at for at in (self._queue.due, self._queue.dispatcher.due) if at is not None]
        return min(due)

    async def _wait(self, until: float) -> None:
        while (left_s := until - self._calls.now()) > 0:
            await self._calls.sleep(left_s)

    async def _poll(self, queue: BatchQueue) -> None:
        """Poll the batches that are due."""
        answers = 0  # of the batch whose results are being read
        async for update in queue.dispatcher.poll():
            answers += len(update.answers)
            if update.finished:
                failure = None if answers else next(iter(update.unanswered.values()), None)
                queue.batch_ended(failure, accepted=update.accepted)
                answers = 0
            else:
                queue.budget_released()
            await self._answered([(self._unanswered[key], answer) for key, answer in update.answers if key in self._unanswered])
            failures = {key: failure for key, failure in update.unanswered.items() if key in self._unanswered}
            await self._retry(failures, accepted=update.accepted)

    async def _retry(self, failures: Mapping[str, AttemptFailure], *, accepted: bool) -> None:
        """Queue requests that came back without an answer, or give them up."""
        retry: list[QueuedRequest] = []
        refusals: list[tuple[QueuedRequest, Refusal]] = []
        for key, failure in failures.items():
            queued = self._unanswered[key]
            if accepted:
                queued.attempts += _THROTTLED if failure.kind == "throttled" else 1.0
            if queued.attempts >= self._judge.pace.max_attempts:
                refusal = Refusal(reason=failure.reason, message=failure.message, attempts=math.ceil(queued.attempts))
                refusals.append((queued, refusal))
            else:
                retry.append(queued)
        await self._give_up(refusals)
        await self._claim(retry)

    async def _give_up(self, refusals: Sequence[tuple[QueuedRequest, Refusal]]) -> None:
        """Record that requests get no answer, unless another process has claimed them by now."""
        if not refusals:
            return
        entries = [self._context.entry(queued.steps[0]) for queued, _ in refusals]

        def record(ledger: Ledger) -> set[str]:
            with ledger.together():
                ours = set(ledger.claim(entries))
                ledger.commit([(queued.key, refusal) for queued, refusal in refusals if queued.key in ours])
            return ours

        ours = await self._writer.call(record)
        self._of_others |= {queued.key: queued for queued, _ in refusals if queued.key not in ours}
        await self._answered([(queued, refusal) for queued, refusal in refusals if queued.key in ours])

    async def _poll_others(self) -> None:
        """Read replies that other processes got, adopt batches of dead ones, and claim what was given up."""
        await self._adopt_batches()
        waiting = list(self._of_others.values())
        replies = await self._writer.replies(list(self._of_others))
        self._poll_others_s = min(2 * self._poll_others_s, max(self._calls.poll_schedule.poll_s, _FIRST_POLL_S))
        self._poll_others_at = self._calls.now() + self._poll_others_s
        await self._answered([(queued, replies[queued.key]) for queued in waiting if queued.key in replies])
        await self._claim([queued for queued in waiting if queued.key in self._of_others])
