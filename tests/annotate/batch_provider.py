"""A provider of batches in memory, with the habits of the real ones, and a judge that asks through it.

It answers in any order, bills what it answered, ends a batch after a while of its own clock, may show a new batch late in its
list, may accept one and lose the reply to that, and may forget, repeat, invent or fail single lines.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from annotate.models.inquiry import Case
from annotate.models.judge import BatchState, Pace
from annotate.models.request import AttemptError, AttemptFailure, Estimate, JudgeRequest, Refusal, Reply
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
HIGHEST_USD = 0.01
BILLED_USD = 0.004


def case(number: int, *, key: str | None = None, tricky: bool = False) -> Case:
    """Return a case; the first reply to a tricky one cannot be used."""
    request = JudgeRequest(key=key or f"k{number:06d}", prompt=f"{'tricky' if tricky else 'easy'} {number}")
    row = f"row{number}"
    return Case(row_id=row, subject_id=row, order="ab", vote=0, language="en", request=request, missing_column=None)


def problem_of(_case: Case, text: str) -> str | None:
    return "it is bad" if text.startswith("bad") else None


class Clock:
    """Time that passes when somebody waits for it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)


@dataclass
class Job:
    """One batch; ``results`` stand fixed from its end on."""

    name: str
    requests: Sequence[JudgeRequest]
    ends_at: float
    finds: int = 0
    results: list[tuple[str, Any]] | None = None


@dataclass
class Provider:
    """What is at the other end; it outlives the processes that ask it.

    Attributes:
        fate: what becomes of a request when it is asked for the n-th time (from 1): ``answer``, ``missing`` (billed),
            ``twice``, or what its line says instead.
        failures: operation -> what the next calls of it meet; None = nothing. A lost failure of ``submit`` comes after it.
        lag: how often a new batch is not found.
        gone: ids of batches that it does not know any more.
        watched: called before and after everything.
        names: how often each name was handed in and accepted.
        bills: how often each request was billed.
    """

    clock: Clock = field(default_factory=Clock)
    lasts_s: float = 300.0
    fate: Callable[[JudgeRequest, int], Any] = lambda request, nth: "answer"
    failures: dict[str, list[Any]] = field(default_factory=dict)
    lag: int = 0
    gone: set[str] = field(default_factory=set)
    accepts: Callable[[Sequence[JudgeRequest]], AttemptFailure | None] = lambda requests: None
    watched: Callable[[str], None] = lambda point: None
    jobs: dict[str, Job] = field(default_factory=dict)
    names: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    bills: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    opened: int = 0

    @property
    def bill_usd(self) -> float:
        return BILLED_USD * self.bills.total()

    def meet(self, operation: str) -> AttemptFailure | None:
        self.calls[operation] += 1
        self.watched(operation)
        waiting = self.failures.get(operation)
        return waiting.pop(0) if waiting else None

    def create(self, name: str, requests: Sequence[JudgeRequest]) -> str:
        batch_id = f"batches/{len(self.jobs)}"
        self.names[name] += 1
        self.asked.update(request.key for request in requests)
        self.jobs[batch_id] = Job(name=name, requests=list(requests), ends_at=self.clock.now() + self.lasts_s)
        return batch_id

    def finish(self, job: Job) -> None:
        if job.results is not None:
            return
        job.results = []
        for request in job.requests:
            fate = self.fate(request, self.asked[request.key])
            if fate in ("answer", "twice", "missing") or isinstance(fate, Reply | Refusal):
                self.bills[request.key] += 1
            if fate in ("answer", "twice"):
                job.results.append((request.key, reply_to(request)))
            if fate == "twice":
                job.results.append((request.key, replace(reply_to(request), raw="{}")))
            if isinstance(fate, Reply | Refusal | AttemptFailure):
                job.results.append((request.key, fate))
        if self.lasts_s:
            random.Random(len(job.requests)).shuffle(job.results)


def reply_to(request: JudgeRequest) -> Reply:
    bad = request.prompt.startswith("tricky") and not request.repeat
    return Reply(text=f"{'bad' if bad else 'good'}: {request.key}", input_tokens=10, output_tokens=5, cost_usd=BILLED_USD)


@dataclass(frozen=True)
class FakeBatchSession:
    """An open line to the provider."""

    provider: Provider
    most_requests: int
    most_bytes: int

    async def estimate(self, request: JudgeRequest) -> Estimate:
        return Estimate(input_tokens=1, output_tokens=1, usd=HIGHEST_USD)

    async def size(self, request: JudgeRequest) -> int:
        return len(request.prompt)

    async def submit(self, name: str, requests: Sequence[JudgeRequest]) -> str | AttemptFailure:
        failure = self.provider.meet("submit") or self.provider.accepts(requests)
        if failure is not None and not failure.lost:
            return failure
        if failure is not None and failure.reason == "never_came":
            return failure
        batch_id = self.provider.create(name, requests)
        await asyncio.sleep(0)
        self.provider.watched("submitted")
        return failure or batch_id

    async def find(self, name: str) -> str | AttemptFailure | None:
        if (failure := self.provider.meet("find")) is not None:
            return failure
        for batch_id, job in self.provider.jobs.items():
            if job.name == name:
                job.finds += 1
                return batch_id if job.finds > self.provider.lag else None
        return None

    async def state(self, batch_id: str) -> BatchState | AttemptFailure:
        if (failure := self.provider.meet("state")) is not None:
            return failure
        if batch_id in self.provider.gone:
            return "gone"
        job = self.provider.jobs[batch_id]
        if self.provider.clock.now() < job.ends_at:
            return "running"
        self.provider.finish(job)
        return "ended"

    async def results(self, batch_id: str) -> AsyncIterator[tuple[str, Reply | Refusal | AttemptFailure]]:
        failure = self.provider.meet("results")
        lines = self.provider.jobs[batch_id].results
        assert lines is not None, "results of a running batch"
        for number, (key, outcome) in enumerate(lines):
            if failure is not None and number == len(lines) // 2:
                raise AttemptError(failure)
            self.provider.watched("line")
            await asyncio.sleep(0)
            yield key, outcome
        if failure is not None:
            raise AttemptError(failure)


@dataclass(frozen=True, kw_only=True)
class Postman:
    """A judge that is asked through batches."""

    name: ClassVar[str] = "postman"
    version: ClassVar[str] = "1"
    model: ClassVar[str] = "postman-1"
    tasks: ClassVar[None] = None
    has_batches: ClassVar[bool] = True
    facts: ClassVar[tuple[str, ...]] = ()

    provider: Provider
    most_requests: int = 5
    most_bytes: int = 10_000
    pace: Pace = field(default_factory=lambda: Pace(max_attempts=3))
    repeatable: bool = False
    lacks: str | None = None

    def params(self) -> Mapping[str, str]:
        return {}

    def text_in(self, raw):
        return None

    def missing(self) -> str | None:
        return self.lacks

    def estimate(self, prompt: str, audio_s: float, *, batch: bool = False) -> Estimate:
        return Estimate(input_tokens=1, output_tokens=1, usd=HIGHEST_USD)

    def open(self, clips: object) -> Any:
        raise SetupError("it is asked through batches only")

    @contextlib.asynccontextmanager
    async def open_batches(self, clips: object) -> AsyncIterator[FakeBatchSession]:
        self.provider.opened += 1
        task = asyncio.current_task()
        yield FakeBatchSession(self.provider, self.most_requests, self.most_bytes)
        assert asyncio.current_task() is task, "opened in one task and closed in another"
