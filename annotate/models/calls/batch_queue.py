"""The outbox: questions that wait for a batch, which of them go into one, and when it leaves."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from annotate.models.calls.batch_dispatch import KEPT, Dispatch
from annotate.models.calls.batch_polling import pause_s
from annotate.models.calls.case_state import Step
from annotate.models.judge import BatchLine, JudgeRequest, Refusal, Trouble
from annotate.models.ledger.async_writer import Scribe
from contracts.errors import BudgetExceeded, DamagedPart, SetupError
from storage.blobs import DAMAGED_AUDIO

if TYPE_CHECKING:
    from annotate.models.calls.batch_calls import Batching

_MOST_REFUSED: Final = 32  # batches in a row, with none open that could make room


@dataclass(kw_only=True, slots=True)
class Question:
    """A question without an answer.

    Attributes:
        request: it.
        steps: the conversations that wait for the answer: the same sound is asked about once.
        usd: the most that it can cost in a batch.
        size: bytes that it takes of a batch; below 0 = not measured.
        attempts: batches that brought no answer to it; being throttled is a small part of one.
        together: most questions of a batch that it may go into: those that were refused together are tried apart.
    """

    request: JudgeRequest
    steps: list[Step] = field(default_factory=list)
    usd: float = 0.0
    size: int = -1
    attempts: float = 0.0
    together: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Returned:
    """Questions of a batch that the provider has not accepted: nobody's now.

    Attributes:
        again: those that should be tried again.
        refused: those that will never do.
    """

    again: Sequence[Question] = ()
    refused: Sequence[tuple[Question, Refusal]] = ()


class Outbox:
    """The questions of one run that are ours to ask, and in no batch.

    Attributes:
        dispatch: the open batches.
    """

    def __init__(self, batching: "Batching", *, line: BatchLine, scribe: Scribe) -> None:
        """Start with none.

        Args:
            batching: how to ask.
            line: over which.
            scribe: the ledger.
        """
        judge = batching.terms.inquiry.judge
        self.dispatch = Dispatch(judge=judge, line=line, scribe=scribe, patience=batching.patience, now=batching.now)
        self._batching, self._judge, self._line, self._scribe = batching, judge, line, scribe
        self._budget_usd = batching.terms.budget_usd
        self._most_requests = max(1, min(batching.most_held // (batching.open_batches + 1), line.most_requests))
        self._queue: deque[Question] = deque()
        self._bytes = 0
        self._paused_until = batching.now()
        self._pauses = 0  # since a batch brought answers
        self._refused = 0  # batches that were not taken since one brought answers
        self._poor = False  # there is no money for more before a batch is over

    def __len__(self) -> int:
        """Return how many questions wait."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether they fill a batch."""
        return len(self._queue) >= self._most_requests or self._bytes >= self._line.most_bytes

    @property
    def due(self) -> float | None:
        """When a batch may leave; None = there is nothing to send, or a batch must be over before."""
        if not self._queue or self._poor or len(self.dispatch.names) >= self._batching.open_batches:
            return None
        return self._paused_until

    async def put(self, questions: Sequence[Question], *, first: bool) -> list[tuple[Question, Refusal]]:
        """Take in claimed questions, and return those that are too large for any batch or have a damaged clip.

        Args:
            questions: them.
            first: whether they go before all others.
        """
        unfit: list[tuple[Question, Refusal]] = []
        for question in reversed(questions) if first else questions:
            if question.size < 0:
                try:
                    question.size = await self._line.size(question.request)
                    question.usd = (await self._line.estimate(question.request)).usd
                except DamagedPart as error:
                    unfit.append((question, Refusal(reason=DAMAGED_AUDIO, message=str(error), attempts=0)))
                    continue
            if question.size <= self._line.most_bytes:
                self._queue_up(question, first=first)
            else:
                told = f"it takes {question.size} bytes of a batch, which takes {self._line.most_bytes}: set mode: live"
                unfit.append((question, Refusal(reason="too_large", message=told, attempts=0)))
        return unfit

    async def hand_in(self) -> Returned:
        """Hand in a batch that is due, or a smaller one if there is not money enough.

        Returns:
            What the provider has not accepted.

        Raises:
            BudgetExceeded: there is no money, and no open batch can leave some over.
            SetupError: no batch will do until a person acts.
        """
        questions = {question.request.key: question for question in self._load()}
        prices = {key: question.usd for key, question in questions.items()}
        name, short = await self.dispatch.intend(prices, self._budget_usd)
        for key in reversed(list(questions)):
            if key in short:
                self._queue_up(questions.pop(key), first=True)
        self._poor = bool(short)
        if name is None:
            if not self.dispatch.names:
                await self._broke()
            return Returned()
        loaded = list(questions.values())
        trouble = await self.dispatch.hand_in(name, [question.request for question in loaded])
        if trouble is None:
            return Returned()
        self._count_refused(trouble)
        self._poor = False  # its money is free again
        if trouble.kind != "request":
            self._pause(trouble)
        elif len(loaded) == 1:
            refusal = Refusal(reason=trouble.reason, message=trouble.message, attempts=math.ceil(loaded[0].attempts) + 1)
            return Returned(refused=[(loaded[0], refusal)])
        else:
            for question in loaded:  # one of them may be what it does not like
                question.together = len(loaded) // 2
        return Returned(again=loaded)

    def landed(self, trouble: Trouble | None, *, tried: bool) -> None:
        """Learn that a batch is over.

        Args:
            trouble: why it brought no answer at all; None = it brought some.
            tried: whether the provider had it.
        """
        self.relieved()
        if trouble is None:
            self._refused = self._pauses = 0
            self._paused_until = self._batching.now()
            return
        self._pause(trouble)
        if not tried or trouble.kind == "throttled":  # accepted, and turned away later
            self._count_refused(trouble)

    def relieved(self) -> None:
        """Learn that there may be money again."""
        self._poor = False

    def _queue_up(self, question: Question, *, first: bool) -> None:
        (self._queue.appendleft if first else self._queue.append)(question)
        self._bytes += question.size

    def _load(self) -> list[Question]:
        """Take out what goes into one batch."""
        loaded: list[Question] = []
        room, places = self._line.most_bytes, self._most_requests
        while self._queue:
            question = self._queue[0]
            places = min(places, question.together or places)
            if len(loaded) >= places or question.size > room:
                break
            room -= question.size
            self._bytes -= question.size
            loaded.append(self._queue.popleft())
        return loaded

    def _count_refused(self, trouble: Trouble) -> None:
        """Stop if the provider accepts no batch at all; while others are open, it may only be that they are too many."""
        self._refused += not self.dispatch.names
        if self._refused >= _MOST_REFUSED:
            told = f"{trouble.message} (the provider accepted none of {self._refused} batches)"
            raise SetupError(f"judge {self._judge.name!r}: {told}; {KEPT}")

    def _pause(self, trouble: Trouble) -> None:
        """Hand in nothing for a while."""
        self._pauses += 1
        wait_s = pause_s(self._judge, self._judge.name, self._pauses, trouble)
        if trouble.kind == "throttled" and self.dispatch.names:
            # There are enough of them, perhaps until one is over: each try is an upload in vain.
            wait_s = max(wait_s, self._batching.patience.grown_s(self._pauses))
        self._paused_until = max(self._paused_until, self._batching.now() + wait_s)

    async def _broke(self) -> NoReturn:
        owed_usd = await self._scribe.call(lambda ledger: ledger.owed_usd())
        spent = f"${owed_usd:.4f} of the budget of ${self._budget_usd or 0:.4f} are spent or owed"
        next_one = f"the next request may cost ${self._queue[0].usd:.6f}: raise budget_usd in the recipe to go on"
        raise BudgetExceeded(f"judge {self._judge.name!r}: {spent}, and {next_one}; every reply so far is kept")
