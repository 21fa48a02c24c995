"""Rounds: which questions go into which batch, what is asked again, and when a case has its answer."""

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from annotate.models.calls.batch_queue import Outbox, Question
from annotate.models.calls.case_state import Step, Talk
from annotate.models.inquiry import Case
from annotate.models.judge import BatchLine, Refusal, Reply, Trouble
from annotate.models.ledger.async_writer import Scribe
from annotate.models.ledger.ledger import Batch, Ledger

if TYPE_CHECKING:
    from annotate.models.calls.batch_calls import Batching

_CASES_AT_ONCE: Final = 512
_THROTTLED: Final = 0.05  # of an attempt: one line alone can be more than a provider allows
_FIRST_LOOK_S: Final = 1.0  # at what another process is asking


class Rounds:
    """The questions of one run, from one event loop."""

    def __init__(
        self,
        batching: "Batching",
        *,
        scribe: Scribe,
        connect: Callable[[], Awaitable[BatchLine]],
        deliver: Callable[[list[Talk]], None],
    ) -> None:
        """Start with none.

        Args:
            batching: how to ask.
            scribe: the ledger.
            connect: opens the line; called at most once, and only if there is something to hand in or to fetch.
            deliver: takes finished conversations.
        """
        self._batching, self._terms, self._judge = batching, batching.terms, batching.terms.inquiry.judge
        self._scribe, self._connect, self._deliver = scribe, connect, deliver
        self._outbox: Outbox | None = None
        self._cases: Iterable[Case] = iter(())
        self._all_read = False
        self._held = 0  # cases read and not answered
        self._questions: dict[str, Question] = {}
        self._elsewhere: dict[str, Question] = {}  # somebody else's, or in a batch that an earlier run left
        self._look_at, self._look_s = 0.0, _FIRST_LOOK_S

    async def collect(self) -> None:
        """Wait until no batch is open."""
        await self._take_up()
        while self._outbox is not None and (due := self._outbox.dispatch.due) is not None:
            await self._wait(due)
            await self._look(self._outbox)

    async def hold(self, cases: Iterable[Case]) -> None:
        """Ask until every case has its answer."""
        self._cases = iter(cases)
        await self._take_up()
        while True:
            await self._read()
            await self._hand_in()
            if self._wants_more():  # what was handed in made room
                continue
            if not self._questions:
                return
            await self._wait(self._next_due())
            if self._outbox is not None:
                await self._look(self._outbox)
            if self._elsewhere and self._batching.now() >= self._look_at:
                await self._look_elsewhere()

    async def _take_up(self) -> None:
        """Adopt the batches that the dead left; the line is opened only if one of them still owes an answer."""
        judge, wanted = self._judge, list(self._elsewhere)
        taken = frozenset[str]() if self._outbox is None else self._outbox.dispatch.names

        def left(ledger: Ledger) -> list[Batch]:
            with ledger.together():
                found = ledger.open_batches(judge.name, judge.model, wanted=wanted)
                batches = [batch for batch in found if batch.name not in taken]
                settled = [batch for batch in batches if batch.batch_id is not None and not ledger.batch_keys(batch.name)]
                for batch in settled:
                    ledger.close_batch(batch.name, lost=False)
            return [batch for batch in batches if batch not in settled]

        if batches := await self._scribe.call(left):
            (await self._connected()).dispatch.adopt(batches)

    async def _connected(self) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox(self._batching, line=await self._connect(), scribe=self._scribe)
        return self._outbox

    # Cases in, conversations out.

    async def _read(self) -> None:
        """Read cases until a batch is full, or too many are held."""
        while self._wants_more():
            portion = list(islice(self._cases, min(_CASES_AT_ONCE, self._batching.most_held - self._held)))
            self._all_read = not portion
            self._held += len(portion)
            await self._put([Step(case=case, request=case.request) for case in portion])

    def _wants_more(self) -> bool:
        """Whether to read more cases."""
        full = self._outbox is not None and self._outbox.full
        return not self._all_read and self._held < self._batching.most_held and not full

    async def _put(self, steps: Sequence[Step]) -> None:
        """Put the next questions of conversations: to the ledger first."""
        ended: list[Talk] = []
        while steps:
            fresh: dict[str, Question] = {}
            for step in steps:
                key = step.request.key
                question = self._questions.get(key) or fresh.setdefault(key, Question(request=step.request))
                question.steps.append(step)
            replies = await self._scribe.replies(list(fresh))
            steps = []
            for key, reply in replies.items():
                steps += self._proceed(fresh.pop(key), reply, ended)
            self._questions |= fresh
            await self._claim(list(fresh.values()))
        self._end(ended)

    async def _answered(self, answers: Sequence[tuple[Question, Reply | Refusal]]) -> None:
        """Go on with the conversations that waited for these answers."""
        ended: list[Talk] = []
        steps: list[Step] = []
        for question, answer in answers:
            self._questions.pop(question.request.key, None)
            self._elsewhere.pop(question.request.key, None)
            steps += self._proceed(question, answer, ended)
        self._end(ended)
        await self._put(steps)

    def _proceed(self, question: Question, answer: Reply | Refusal, ended: list[Talk]) -> list[Step]:
        """Return the conversations that go on; the others have ended."""
        onward = [self._terms.proceed(step, answer) for step in question.steps]
        ended += [talk for talk in onward if isinstance(talk, Talk)]
        return [step for step in onward if isinstance(step, Step)]

    def _end(self, ended: list[Talk]) -> None:
        self._held -= len(ended)
        if ended:
            self._deliver(ended)

    # Questions into batches.

    async def _claim(self, questions: Sequence[Question], *, first: bool = False) -> None:
        """Claim questions, and queue those that are ours; the others are waited for.

        Args:
            questions: them.
            first: whether they go before all others.
        """
        ours = (
            set(await self._scribe.claim([self._terms.entry(question.steps[0]) for question in questions]))
            if questions
            else set()
        )
        claimed: list[Question] = []
        for question in questions:
            if question.request.key in ours:
                self._elsewhere.pop(question.request.key, None)
                claimed.append(question)
            elif question.request.key not in self._elsewhere:
                self._elsewhere[question.request.key] = question
                self._look_at, self._look_s = self._batching.now(), _FIRST_LOOK_S  # it may have been answered a moment ago
        if claimed and (unfit := await (await self._connected()).put(claimed, first=first)):
            await self._refuse(unfit)

    async def _refuse(self, refusals: Sequence[tuple[Question, Refusal]]) -> None:
        """Record that claimed questions will get no answer."""
        answers = [(question.request.key, refusal) for question, refusal in refusals]
        await self._scribe.call(lambda ledger: ledger.commit(answers))
        await self._answered(refusals)

    async def _hand_in(self) -> None:
        """Hand in batches as long as there are questions, places and money."""
        while not self._wants_more() and self._outbox is not None:
            due = self._outbox.due
            if due is None or due > self._batching.now():
                return
            returned = await self._outbox.hand_in()
            await self._give_up(returned.refused)
            await self._claim(returned.again, first=True)

    # Batches into answers.

    def _next_due(self) -> float:
        """Return when there is something to do."""
        due = [self._look_at] if self._elsewhere else []
        if self._outbox is not None:
            due += [at for at in (self._outbox.due, self._outbox.dispatch.due) if at is not None]
        return min(due)

    async def _wait(self, until: float) -> None:
        while (left_s := until - self._batching.now()) > 0:
            await self._batching.sleep(left_s)

    async def _look(self, outbox: Outbox) -> None:
        """Look at the batches that are due."""
        answered = 0  # by the one that is being emptied
        async for landed in outbox.dispatch.look():
            answered += len(landed.answers)
            if landed.over:
                why = None if answered else next(iter(landed.back.values()), None)
                outbox.landed(why, tried=landed.tried)
                answered = 0
            else:
                outbox.relieved()
            await self._answered([(self._questions[key], answer) for key, answer in landed.answers if key in self._questions])
            await self._again({key: why for key, why in landed.back.items() if key in self._questions}, tried=landed.tried)

    async def _again(self, troubles: Mapping[str, Trouble], *, tried: bool) -> None:
        """Queue questions that came back without an answer, or give them up."""
        again: list[Question] = []
        refusals: list[tuple[Question, Refusal]] = []
        for key, why in troubles.items():
            question = self._questions[key]
            question.attempts += tried * (_THROTTLED if why.kind == "throttled" else 1.0)
            if question.attempts >= self._judge.pace.max_attempts:
                refusal = Refusal(reason=why.reason, message=why.message, attempts=math.ceil(question.attempts))
                refusals.append((question, refusal))
            else:
                again.append(question)
        await self._give_up(refusals)
        await self._claim(again)

    async def _give_up(self, refusals: Sequence[tuple[Question, Refusal]]) -> None:
        """Record that questions get no answer, unless somebody else is asking them by now."""
        entries = [self._terms.entry(question.steps[0]) for question, _ in refusals]

        def record(ledger: Ledger) -> set[str]:
            with ledger.together():
                ours = set(ledger.claim(entries))
                ledger.commit([(q.request.key, refusal) for q, refusal in refusals if q.request.key in ours])
            return ours

        ours = await self._scribe.call(record) if refusals else set[str]()
        self._elsewhere |= {question.request.key: question for question, _ in refusals if question.request.key not in ours}
        await self._answered([(question, refusal) for question, refusal in refusals if question.request.key in ours])

    async def _look_elsewhere(self) -> None:
        """Look for replies to what others ask, take up what the dead left, and claim what was given up."""
        await self._take_up()
        waiting = list(self._elsewhere.values())
        replies = await self._scribe.replies(list(self._elsewhere))
        self._look_s = min(2 * self._look_s, max(self._batching.patience.poll_s, _FIRST_LOOK_S))
        self._look_at = self._batching.now() + self._look_s
        await self._answered([(q, replies[q.request.key]) for q in waiting if q.request.key in replies])
        await self._claim([question for question in waiting if question.request.key in self._elsewhere])
