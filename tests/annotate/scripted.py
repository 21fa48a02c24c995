"""A judge in memory: it answers by a function of the request."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from annotate.models.judge import BatchSession, JudgeSession, Pace
from annotate.models.request import AttemptFailure, Estimate, JudgeRequest, Refusal, Reply
from contracts.errors import SetupError


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """Answers by a function of the request; what it was asked is in ``asked``."""

    script: Callable[[JudgeRequest], Reply | Refusal | AttemptFailure]
    facts: tuple[str, ...] = ()
    repeatable: bool = False
    price_usd: float = 0.0
    temperature: float = 0.0
    model: str = "m-1"
    name: str = "scripted"
    version: str = "7"
    tasks: tuple[str, ...] | None = None
    pace: Pace = field(default_factory=lambda: Pace(backoff_s=0.001))
    has_batches: bool = False
    asked: list[JudgeRequest] = field(default_factory=list)

    def params(self):
        return {"temperature": self.temperature}

    def text_in(self, raw):
        return None

    def missing(self) -> str | None:
        return None

    def estimate(self, prompt: str, audio_s: float, *, batch: bool = False) -> Estimate:
        return Estimate(input_tokens=len(prompt), output_tokens=100, usd=self.price_usd)

    @contextlib.asynccontextmanager
    async def open(self, clips) -> AsyncIterator[JudgeSession]:
        yield _Line(self)

    def open_batches(self, clips) -> contextlib.AbstractAsyncContextManager[BatchSession]:
        raise SetupError("no batches")


@dataclass(frozen=True)
class _Line:
    judge: Scripted

    async def estimate(self, request: JudgeRequest) -> Estimate:
        return self.judge.estimate(request.prompt, 0.0)

    async def attempt(self, request: JudgeRequest) -> Reply | Refusal | AttemptFailure:
        self.judge.asked.append(request)
        return self.judge.script(request)
