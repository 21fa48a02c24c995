"""The live conversations of one run: every case gets its answer, from the ledger, from another process, or from the judge.

Replies in the ledger are read. Requests that another process, or another conversation, has under way are waited for. All others
are claimed and sent. A request whose reply cannot be used is followed by one more that names the problem.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, Final

from annotate.models.calls.case_state import Conversation, LiveContext, Step, look_up
from annotate.models.calls.circuit_breaker import CircuitBreaker
from annotate.models.calls.other_processes import OtherProcesses
from annotate.models.calls.retries import Sender
from annotate.models.calls.task_group import TaskGroup
from annotate.models.inquiry import Case
from annotate.models.judge import JudgeSession, named
from annotate.models.ledger.async_writer import LedgerWriter
from annotate.models.request import Refusal, Reply
from contracts.errors import SetupError

_PORTIONS: Final = (32, 512)  # cases: fewest claimed at once, most read at once
_REFUSALS_KEPT: Final = 4096
_MOST_OPEN: Final = 1024  # cases read and not taken yet; more only for a high concurrency


class LiveConversations:
    """The conversations of one run, in one event loop.

    Attributes:
        task_group: their tasks.
    """

    def __init__(
        self,
        context: LiveContext,
        *,
        max_wait_s: float,
        writer: LedgerWriter,
        deliver: Callable[[list[Conversation]], None],
    ) -> None:
        """Start with none.

        Args:
            context: what they have in common.
            max_wait_s: how long the judge may throttle all requests.
            writer: the ledger.
            deliver: takes finished conversations.
        """
        self.task_group = TaskGroup()
        self._sender: Sender | None = None  # None before the first request that the ledger cannot answer
        self._unsent: set[str] = set()  # keys that are claimed and not sent yet
        self._context, self._max_wait_s, self._writer, self._deliver = context, max_wait_s, writer, deliver
        self._judge = context.service
        self._other_processes = OtherProcesses(
            self._judge,
            context.clips,
            writer=writer,
            task_group=self.task_group,
            unsent=self._unsent,
            changed=self._changed,
        )
        self._open = 0  # cases read and not taken
        self._running = 0  # conversations that are not finished
        self._all_read = False
        self._moved = asyncio.Event()
        self._session_decided = asyncio.Event()  # a session is needed, or none ever will be
        self._session: asyncio.Future[JudgeSession] | None = None
        self._answers: dict[str, asyncio.Future[Reply | Refusal]] = {}
        self._refused: dict[str, Refusal] = {}  # the latest: the ledger would let an equal request be sent again

    async def run(self, cases: Iterable[Case]) -> None:
        """Hold a conversation about every case, and return when all have ended, or after a stop.

        Raises:
            Exception: what stopped them.
        """
        with ThreadPoolExecutor(1, "cases") as reader:
            try:
                self.task_group.start(self._read(cases, reader))
                await self._session_decided.wait()
                if self._session is not None:
                    await self._keep_session_open(self._session)
            except BaseException:
                self.task_group.stop()
                raise
            finally:
                await self.task_group.wait()
                await self._writer.release(sorted(self._unsent))
        if self.task_group.error is not None:
            raise self.task_group.error

    def taken(self, count: int) -> None:
        """Make room for as many cases as finished conversations were taken."""
        self._open -= count
        self._moved.set()

    async def _keep_session_open(self, session: asyncio.Future[JudgeSession]) -> None:
        """Keep a session open until all tasks have ended. A run that finds all replies in the ledger needs no key."""
        if (problem := self._judge.missing()) is not None:
            raise SetupError(f"{named(self._judge)}: {problem}")
        async with self._judge.open(self._context.clips) as opened:
            session.set_result(opened)
            await self.task_group.wait()

    async def _read(self, cases: Iterable[Case], reader: ThreadPoolExecutor) -> None:
        """Start a conversation about every case, a portion at a time, not far ahead of what is sent and taken."""
        source, in_thread = iter(cases), partial(asyncio.get_running_loop().run_in_executor, reader)
        smallest, largest = _PORTIONS
        claimed_at_once = largest if self._judge.facts else min(max(4 * self._judge.pace.concurrency, smallest), largest)
        try:
            while portion := await in_thread(lambda: list(islice(source, largest))):
                self._open += len(portion)
                unknown = await self._look_up([Step(case=case, request=case.request) for case in portion], in_thread)
                for start in range(0, len(unknown), claimed_at_once):
                    await self._room()
                    await self._start(unknown[start : start + claimed_at_once])
                await self._room()
            self._all_read = True
            self._changed()
        finally:
            self._session_decided.set()

    async def _room(self) -> None:
        """Wait until few enough cases are open, and few enough requests under way.

        Requests of other processes, and those that wait for a retry, do not count as under way and hold up no others.
        """
        concurrency = self._judge.pace.concurrency
        while self._open >= max(_MOST_OPEN, 8 * concurrency) or self._under_way >= 2 * concurrency:
            self._moved.clear()
            await self._moved.wait()

    @property
    def _under_way(self) -> int:
        waiting = 0 if self._sender is None else self._sender.waiting
        return self._running - self._other_processes.pending - waiting

    async def _look_up(self, steps: list[Step], in_thread: Callable[..., Awaitable[Any]]) -> list[Step]:
        """Deliver the conversations that the ledger holds to the end, and return the steps whose replies are not known."""
        ended: list[Conversation] = []
        unknown: list[Step] = []
        while steps:
            replies = await self._writer.replies(list({step.request.key: None for step in steps}))
            onward, missing = await in_thread(partial(look_up, self._context, steps, replies))
            unknown += missing
            ended += [conversation for conversation in onward if isinstance(conversation, Conversation)]
            steps = [step for step in onward if isinstance(step, Step)]
        if ended:
            self._deliver(ended)
        return unknown

    async def _start(self, steps: Sequence[Step]) -> None:
        """Claim the requests of a portion, and start the conversations."""
        new: dict[str, Step] = {}
        for step in steps:
            if step.request.key not in self._answers and step.request.key not in self._refused:
                new.setdefault(step.request.key, step)
        answers = await self._claim(new)
        ended: list[Conversation] = []
        for step in steps:
            answer = answers.get(step.request.key)
            onward = step if answer is None else self._context.proceed(step, answer)
            if isinstance(onward, Conversation):
                ended.append(onward)
            else:
                self._running += 1
                self.task_group.start(self._converse(onward))
        if ended:
            self._deliver(ended)

    async def _claim(self, steps: Mapping[str, Step]) -> Mapping[str, Reply | Refusal]:
        """Claim requests that no conversation here has under way, and start a task for the answer to each.

        Returns:
            The answers of a judge that is a rule, which come at once.
        """
        sender, answers = await self._opened_sender(), dict[str, Reply | Refusal]()
        for key in steps:
            self._answers[key] = asyncio.get_running_loop().create_future()
        try:
            with self.task_group.uncancellable():
                claimed = set(await self._writer.claim([self._context.entry(step) for step in steps.values()]))
                self._unsent |= claimed
            self.task_group.raise_if_stopped()
            if self._judge.facts:
                answers = await sender.apply_rule([step.request for key, step in steps.items() if key in claimed])
                self.task_group.raise_if_stopped()
        except BaseException:
            for key in steps:
                self._answers.pop(key).cancel()
            raise
        for key, step in steps.items():
            if key in answers:
                self._answers.pop(key).set_result(answers[key])
            else:
                self.task_group.start(self._settle(sender, step, ours=key in claimed))
        return answers

    async def _opened_sender(self) -> Sender:
        if self._sender is None:
            self._session = asyncio.get_running_loop().create_future()
            self._session_decided.set()
            self._sender = Sender(
                judge=self._judge,
                session=await self._session,
                writer=self._writer,
                task_group=self.task_group,
                breaker=CircuitBreaker(self._judge, self.task_group, max_wait_s=self._max_wait_s),
                budget_usd=self._context.budget_usd,
                unsent=self._unsent,
                changed=self._changed,
            )
        return self._sender

    async def _converse(self, step: Step | Conversation) -> None:
        """Hold one conversation to its end."""
        try:
            while isinstance(step, Step):
                step = self._context.proceed(step, await self._answer(step))
                if isinstance(step, Step):
                    self.task_group.raise_if_stopped()
            self._deliver([step])
        finally:
            self._running -= 1
            self._changed()

    async def _answer(self, step: Step) -> Reply | Refusal:
        """Return the answer to a step's request, which other conversations may wait for as well."""
        key = step.request.key
        if key in self._refused:
            return self._refused[key]
        if key not in self._answers:
            answers = await self._claim({key: step})
            if key in answers:
                return answers[key]
        with self.task_group.uncancellable():  # an attempt under way at a stop still ends its conversation
            return await asyncio.shield(self._answers[key])

    async def _settle(self, sender: Sender, step: Step, *, ours: bool) -> None:
        """Get the answer to one request for all conversations that wait for it."""
        key = step.request.key
        try:
            answer: Reply | Refusal | None = None if ours else await self._other_processes.reply(self._context.entry(step))
            answer = answer or await sender.send(step.request)
            if isinstance(answer, Refusal):
                self._refused[key] = answer
                if len(self._refused) > _REFUSALS_KEPT:
                    del self._refused[next(iter(self._refused))]
            self._answers[key].set_result(answer)
        finally:
            self._answers.pop(key).cancel()

    def _changed(self) -> None:
        """Let ``_room`` look again, and decide on exhausted requests once nothing else is left."""
        self._moved.set()
        if self._all_read and not self._other_processes.pending and self._sender is not None and self._sender.all_exhausted():
            self._sender.breaker.decide_exhausted()
