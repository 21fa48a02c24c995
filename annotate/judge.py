"""Judges: whoever answers the prompts of a task, be it a language model or a rule.

A judge turns requests into answers and knows neither tables nor the ledger; ``annotate.judging`` commits what it answers.
One file in ``annotate/judges`` is one judge.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from storage.blobs import BlobStore


@dataclass(frozen=True, slots=True)
class LabelledAudio:
    """One clip of a request, under the name by which the prompt speaks of it."""

    label: str
    audio_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeRequest:
    """One question.

    Attributes:
        key: its key in the ledger.
        prompt: the rendered prompt.
        audios: the clips, in the order in which the judge hears them.
        repeat: 0 for the first asking, 1 for asking once more.
        facts: ``<metric value>_a`` and ``<metric value>_b`` for a judge that declares ``facts``; null = not measured.
    """

    key: str
    prompt: str
    audios: tuple[LabelledAudio, ...]
    repeat: int = 0
    facts: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a judge answered, as it came and before anyone parsed it.

    Attributes:
        text: the answer.
        model_served: the model that answered, as it names itself.
        input_tokens: tokens billed as input.
        output_tokens: tokens billed as output, thoughts included.
        cost_usd: price of this reply and of the attempts before it whose replies were lost on the way.
        latency_s: seconds between the sending of the answered attempt and its reply.
        attempts: how often the request was sent.
        raw: the provider's whole reply as JSON; None for a rule.
    """

    text: str
    model_served: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float = 0.0
    latency_s: float | None = None
    attempts: int = 1
    raw: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a request got no answer.

    Attributes:
        reason: why, as a counted word.
        message: what happened, for a person.
        cost_usd: what it cost nevertheless.
        attempts: how often the request was sent.
        raw: the provider's whole reply as JSON, if there was one.
    """

    reason: str
    message: str
    cost_usd: float = 0.0
    attempts: int = 1
    raw: str | None = None


Answer = tuple[str, Reply | Refusal]
"""A request's key and what became of it."""

Sending = Callable[[str, float], None]
"""Called with a request's key and the highest price of one attempt, before each attempt leaves this process. When it returns,
the intent is on disk; it raises ``BudgetExceeded`` where the attempt could pass the budget."""


class Judge(Protocol):
    """A judge: a frozen dataclass whose fields are its whole configuration."""

    @property
    def name(self) -> str:
        """Name of the plug-in."""
        ...

    @property
    def version(self) -> str:
        """Version of the rule or the client."""
        ...

    @property
    def model(self) -> str:
        """Model asked for."""
        ...

    @property
    def facts(self) -> tuple[str, ...]:
        """Metric values that it needs of both speeches, without the ``_a`` and ``_b``; none for a judge that listens."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether it always says the same again, so that asking once more is pointless."""
        ...

    def params(self) -> Mapping[str, str | int | float | bool | None]:
        """Return everything beyond the model that can change an answer; part of the ledger key."""
        ...

    def missing(self) -> str | None:
        """Return what this machine lacks to ask it, and how to get it; None = ready."""
        ...

    def estimate_usd(self, prompt: str, audio_s: float) -> float:
        """Return the highest price of one attempt with that prompt and that many seconds of audio."""
        ...

    def ask(self, requests: Sequence[JudgeRequest], *, clips: BlobStore | None, sending: Sending) -> Iterator[Sequence[Answer]]:
        """Ask, and yield the answers as they arrive, in any order, some at a time; every request once.

        The caller has made an answer durable when it takes the next ones: no more than the judge's concurrency is ever in
        flight or received and not yet durable.

        Args:
            requests: the questions.
            clips: where the audio is; None only for a judge that does not listen.
            sending: what to call before each attempt.

        Raises:
            SetupError: the key is missing or refused, or the quota is gone; answers that were in flight come first.
            BudgetExceeded: likewise.
        """
        ...
