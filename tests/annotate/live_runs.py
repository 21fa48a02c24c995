"""A judge in memory, and live calls over a real ledger."""

import asyncio
import contextlib
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from annotate.models.calls.case_state import CallContext, Conversation
from annotate.models.calls.live_calls import LiveCalls
from annotate.models.inquiry import Case, Inquiry
from annotate.models.judge import Pace
from annotate.models.ledger.entries import Entry
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import AttemptFailure, Estimate, JudgeRequest, Refusal, Reply
from annotate.models.task import TaskSpec, Written
from contracts.errors import SetupError

PROBE = TaskSpec(
    name="probe",
    subject="samples",
    templates={"en": "again.en.jinja"},
    fields=("prompt", "problem"),
    audios={},
    gives=("text",),
    parse=lambda text: Written(content={"text": text}, scores={}, completion=text),
)
FAST = Pace(concurrency=8, backoff_s=0.0, max_attempts=3)

BUSY = AttemptFailure(reason="rate_limited", message="HTTP 429", kind="throttled", wait_s=0.0)
DOWN = AttemptFailure(reason="server_error", message="HTTP 503", kind="transient")
LOST = AttemptFailure(reason="timeout", message="no reply within 9 s", kind="transient", lost=True)
BARRED = AttemptFailure(reason="key_refused", message="HTTP 401", kind="all_requests", advice="check the key in PROBE_KEY")
FAULTY = AttemptFailure(reason="bad_request", message="HTTP 400", kind="request")


@dataclass(kw_only=True)
class FakeSession:
    """A session in memory.

    Attributes:
        respond: what the n-th attempt (from 1) of a request brings.
        price_usd: the highest price of an attempt.
        sends: key -> attempts.
        answers: key -> replies and refusals.
        most: most attempts that were under way at once.
    """

    respond: Callable[[JudgeRequest, int], Any] = lambda request, _: Reply(text=f"to {request.key}")
    price_usd: Callable[[str], float] = lambda _: 0.0
    sends: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    most: int = 0

    async def estimate(self, request: JudgeRequest) -> Estimate:
        return Estimate(input_tokens=1, output_tokens=1, usd=self.price_usd(request.key))

    async def attempt(self, request: JudgeRequest) -> Reply | Refusal | AttemptFailure:
        self.sends[request.key] += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            outcome = self.respond(request, self.sends[request.key])
            outcome = await outcome if inspect.isawaitable(outcome) else outcome
        finally:
            self.under_way -= 1
        if not isinstance(outcome, AttemptFailure):
            self.answers[request.key] += 1
        return outcome


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A judge whose session is given."""

    name: ClassVar[str] = "probe"
    version: ClassVar[str] = "1"
    model: ClassVar[str] = "probe-1"
    tasks: ClassVar[None] = None
    has_batches: ClassVar[bool] = False

    session: FakeSession
    pace: Pace = FAST
    facts: tuple[str, ...] = ()
    repeatable: bool = False
    reads: Mapping[str, str | Refusal] = field(default_factory=dict)
    lacks: str | None = None

    def params(self) -> Mapping[str, str]:
        return {}

    def text_in(self, raw):
        return self.reads.get(raw)

    def missing(self) -> str | None:
        return self.lacks

    def estimate(self, prompt: str, audio_s: float, *, batch: bool = False) -> Estimate:
        return Estimate(input_tokens=1, output_tokens=1, usd=0.0)

    @contextlib.asynccontextmanager
    async def open(self, clips: object) -> AsyncIterator[FakeSession]:
        yield self.session

    def open_batches(self, clips: object) -> Any:
        raise SetupError("judge 'probe' has no batches")


def case(number: int | str, key: str | None = None) -> Case:
    request = JudgeRequest(key=key or f"k{number}", prompt=f"prompt {number}")
    return Case(
        row_id=f"row{number}", subject_id=f"s{number}", order="ab", vote=0, language="en", request=request, missing_column=None
    )


def cases(count: int) -> list[Case]:
    return [case(number) for number in range(count)]


def entry(key: str) -> Entry:
    return Entry(key=key, judge="probe", model="probe-1", task="probe", prompt_version="v", row_id="row", repeat=0)


@dataclass(frozen=True, kw_only=True)
class LiveRuns:
    """A ledger file, and asking over it."""

    path: Path
    budget_usd: float | None = None

    def open(self) -> Ledger:
        return Ledger(self.path, account="tests")

    def calls(self, judge: Probe, problem_of: Callable[[str], str | None] = lambda _: None, **more: Any) -> LiveCalls:
        context = CallContext(
            inquiry=Inquiry.of(PROBE, judge),
            problem_of=lambda _, text: problem_of(text),
            open_ledger=self.open,
            clips=None,
            budget_usd=self.budget_usd,
        )
        return LiveCalls(context=context, **more)

    def ask(self, asked: Iterable[Case], judge: Probe, **more: Any) -> list[Conversation]:
        return [
            conversation for conversations in self.calls(judge, **more).conversations(asked) for conversation in conversations
        ]

    def ask_until(
        self, error: type[Exception], match: str, asked: Iterable[Case], judge: Probe, **more: Any
    ) -> list[Conversation]:
        """Return the conversations that came before the error."""
        got: list[Conversation] = []

        def take_all() -> None:
            for arrived in self.calls(judge, **more).conversations(asked):
                got.extend(arrived)

        with pytest.raises(error, match=match):
            take_all()
        return got

    def replied(self, keys: Iterable[str]) -> set[str]:
        with self.open() as ledger:
            return set(ledger.replies(list(keys)))

    def claimable(self, keys: Iterable[str]) -> set[str]:
        """Return which keys another process gets, and give them back."""
        with self.open() as ledger:
            claimed = ledger.claim([entry(key) for key in keys])
            ledger.release(claimed)
            return set(claimed)

    def owed_usd(self) -> float:
        with self.open() as ledger:
            return ledger.owed_usd()


def answers_of(conversations: Iterable[Conversation]) -> dict[str, Reply | Refusal]:
    return {conversation.case.row_id: conversation.exchanges[-1][1] for conversation in conversations}


async def after(delay_s: float, outcome: Reply | Refusal | AttemptFailure) -> Reply | Refusal | AttemptFailure:
    await asyncio.sleep(delay_s)
    return outcome
