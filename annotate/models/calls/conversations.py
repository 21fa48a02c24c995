"""Conversations: every case gets its answer, from the ledger, from another process, or from the judge.

What the ledger knows is read; what another process is asking, or this one already is, is waited for; the rest is claimed and
sent. A question whose reply cannot be used is followed by one more that names the problem.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, Final

from annotate.models.calls.case_state import Step, Talk, Terms
from annotate.models.calls.circuit_breaker import Breaker
from annotate.models.calls.other_processes import Elsewhere
from annotate.models.calls.retries import Sender
from annotate.models.calls.task_group import Crew
from annotate.models.inquiry import Case
from annotate.models.judge import Line, Refusal, Reply
from annotate.models.ledger.async_writer import Scribe
from contracts.errors import SetupError

_PORTIONS: Final = (32, 512)  # cases: fewest claimed at once, most read at once
_REFUSALS_KEPT: Final = 4096
_MOST_OPEN: Final = 1024  # cases read and not taken yet; more only for a high concurrency


class Conversations:
    """The conversations of one run, in one event loop.

    Attributes:
        crew: their tasks.
    """

    def __init__(self, terms: Terms, *, max_wait_s: float, scribe: Scribe, deliver: Callable[[list[Talk]], None]) -> None:
        """Start with none.

        Args:
            terms: what they have in common.
            max_wait_s: how long the judge may refuse all requests for being too many.
            scribe: the ledger.
            deliver: takes finished conversations.
        """
        self.crew = Crew()
        self._sends: Sender | None = None  # before the first question that the ledger cannot answer
        self._unsent: set[str] = set()  # keys that are claimed and not sent yet
        self._terms, self._max_wait_s, self._scribe, self._deliver = terms, max_wait_s, scribe, deliver
        self._judge = terms.inquiry.judge
        self._elsewhere = Elsewhere(
            self._judge, terms.clips, scribe=scribe, crew=self.crew, unsent=self._unsent, changed=self._changed
        )
        self._open = 0  # cases read and not taken
        self._talking = 0  # conversations under way
        self._all_read = False
        self._moved = asyncio.Event()
        self._wanted = asyncio.Event()
        self._line: asyncio.Future[Line] | None = None
        self._asked: dict[str, asyncio.Future[Reply | Refusal]] = {}
        self._refused: dict[str, Refusal] = {}  # the latest: the ledger would let an equal question be asked again

    async def hold(self, cases: Iterable[Case]) -> None:
        """Hold a conversation about every case, and return when all have ended, or come to rest after a stop.

        Raises:
            Exception: what stopped them.
        """
        with ThreadPoolExecutor(1, "cases") as reader:
            try:
                self.crew.begin(self._read(cases, reader))
                await self._wanted.wait()
                if self._line is not None:
                    await self._connect(self._line)
            except BaseException:
                self.crew.stop()
                raise
            finally:
                await self.crew.rest()
                await self._scribe.give_back(sorted(self._unsent))
        if self.crew.error is not None:
            raise self.crew.error

    def taken(self, talks: int) -> None:
        """Make room: so many finished conversations were taken."""
        self._open -= talks
        self._moved.set()

    async def _connect(self, line: asyncio.Future[Line]) -> None:
        """Keep a line open while there is something to ask: a run that finds all in the ledger needs no key."""
        if (problem := self._judge.missing()) is not None:
            raise SetupError(f"judge {self._judge.name!r}: {problem}")
        async with self._judge.open(self._terms.clips) as opened:
            line.set_result(opened)
            await self.crew.rest()

    async def _read(self, cases: Iterable[Case], reader: ThreadPoolExecutor) -> None:
        """Begin a conversation about every case, a portion at a time, not far ahead of what is sent and taken."""
        source, in_thread = iter(cases), partial(asyncio.get_running_loop().run_in_executor, reader)
        smallest, largest = _PORTIONS
        claimed_at_once = largest if self._judge.facts else min(max(4 * self._judge.pace.concurrency, smallest), largest)
        try:
            while portion := await in_thread(lambda: list(islice(source, largest))):
                self._open += len(portion)
                unknown = await self._look_up([Step(case=case, request=case.request) for case in portion], in_thread)
                for start in range(0, len(unknown), claimed_at_once):
                    await self._room()
                    await self._begin(unknown[start : start + claimed_at_once])
                await self._room()
            self._all_read = True
            self._changed()
        finally:
            self._wanted.set()

    async def _room(self) -> None:
        """Wait until few enough cases are open and under way.

        Cases that another process asks, and those that were told to wait, are not under way: nobody trails behind them.
        """
        concurrency = self._judge.pace.concurrency
        while self._open >= max(_MOST_OPEN, 8 * concurrency) or self._under_way >= 2 * concurrency:
            self._moved.clear()
            await self._moved.wait()

    @property
    def _under_way(self) -> int:
        waiting = 0 if self._sends is None else self._sends.waiting
        return self._talking - len(self._elsewhere) - waiting

    async def _look_up(self, steps: list[Step], in_thread: Callable[..., Awaitable[Any]]) -> list[Step]:
        """Deliver what the ledger knows to the end, and return the rest."""
        ended: list[Talk] = []
        unknown: list[Step] = []
        while steps:
            replies = await self._scribe.replies(list({step.request.key: None for step in steps}))
            onward, missing = await in_thread(partial(self._terms.look_up, steps, replies))
            unknown += missing
            ended += [talk for talk in onward if isinstance(talk, Talk)]
            steps = [step for step in onward if isinstance(step, Step)]
        if ended:
            self._deliver(ended)
        return unknown

    async def _begin(self, steps: Sequence[Step]) -> None:
        """Take on the questions of a portion, and begin the conversations."""
        new: dict[str, Step] = {}
        for step in steps:
            if step.request.key not in self._asked and step.request.key not in self._refused:
                new.setdefault(step.request.key, step)
        answers = await self._take_on(new)
        ended: list[Talk] = []
        for step in steps:
            answer = answers.get(step.request.key)
            onward = step if answer is None else self._terms.proceed(step, answer)
            if isinstance(onward, Talk):
                ended.append(onward)
            else:
                self._talking += 1
                self.crew.begin(self._converse(onward))
        if ended:
            self._deliver(ended)

    async def _take_on(self, steps: Mapping[str, Step]) -> Mapping[str, Reply | Refusal]:
        """Claim questions that nobody here is asking, and see to their answers; return those that a rule gives at once."""
        sender, answers = await self._sender(), dict[str, Reply | Refusal]()
        for key in steps:
            self._asked[key] = asyncio.get_running_loop().create_future()
        try:
            with self.crew.firmly():
                claimed = set(await self._scribe.claim([self._terms.entry(step) for step in steps.values()]))
                self._unsent |= claimed
            self.crew.go_on()
            if self._judge.facts:
                answers = await sender.rule([step.request for key, step in steps.items() if key in claimed])
                self.crew.go_on()
        except BaseException:
            for key in steps:
                self._asked.pop(key).cancel()
            raise
        for key, step in steps.items():
            if key in answers:
                self._asked.pop(key).set_result(answers[key])
            else:
                self.crew.begin(self._settle(sender, step, ours=key in claimed))
        return answers

    async def _sender(self) -> Sender:
        if self._sends is None:
            self._line = asyncio.get_running_loop().create_future()
            self._wanted.set()
            self._sends = Sender(
                judge=self._judge,
                line=await self._line,
                scribe=self._scribe,
                crew=self.crew,
                breaker=Breaker(self._judge, self.crew, max_wait_s=self._max_wait_s),
                budget_usd=self._terms.budget_usd,
                unsent=self._unsent,
                changed=self._changed,
            )
        return self._sends

    async def _converse(self, step: Step | Talk) -> None:
        """Hold one conversation to its end."""
        try:
            while isinstance(step, Step):
                step = self._terms.proceed(step, await self._answer(step))
                if isinstance(step, Step):
                    self.crew.go_on()
            self._deliver([step])
        finally:
            self._talking -= 1
            self._changed()

    async def _answer(self, step: Step) -> Reply | Refusal:
        """Return the answer to one question, which other conversations may be waiting for as well."""
        key = step.request.key
        if key in self._refused:
            return self._refused[key]
        if key not in self._asked:
            answers = await self._take_on({key: step})
            if key in answers:
                return answers[key]
        with self.crew.firmly():  # an attempt under way when all are stopped still ends its conversation
            return await asyncio.shield(self._asked[key])

    async def _settle(self, sender: Sender, step: Step, *, ours: bool) -> None:
        """Get the answer to one question for all who wait for it."""
        key = step.request.key
        try:
            answer: Reply | Refusal | None = None if ours else await self._elsewhere.reply(self._terms.entry(step))
            answer = answer or await sender.send(step.request)
            if isinstance(answer, Refusal):
                self._refused[key] = answer
                if len(self._refused) > _REFUSALS_KEPT:
                    del self._refused[next(iter(self._refused))]
            self._asked[key].set_result(answer)
        finally:
            self._asked.pop(key).cancel()

    def _changed(self) -> None:
        """See what a conversation that moved on makes possible."""
        self._moved.set()
        if self._all_read and not self._elsewhere and self._sends is not None and self._sends.all_doubtful():
            self._sends.breaker.decide()
