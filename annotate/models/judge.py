"""Judges: whoever answers the prompts of a task, be it a language model or a rule.

A judge is a configuration; opened, it is a line over which one request at a time gets one attempt. It knows neither tables nor
the ledger, sends nothing twice and waits for nothing: ``calls.live_calls`` (one by one) and ``calls.batch_calls``
(through a provider's batches) decide when to send, what to repeat and what to book. One file in ``providers/`` is a judge.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, fields
from typing import Final, Literal, Protocol, Self

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
        key: its key in the ledger, and its name in a provider's batch.
        prompt: the rendered prompt.
        audios: the clips, in the order in which the judge hears them; none for a question about text.
        repeat: 0 for the first asking, 1 for asking once more after a reply that could not be used.
        facts: ``<metric value>_a`` and ``<metric value>_b`` for a judge that declares ``facts``; null = not measured.
    """

    key: str
    prompt: str
    audios: tuple[LabelledAudio, ...] = ()
    repeat: int = 0
    facts: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a judge answered, as it came and before anyone parsed it.

    Attributes:
        text: the answer.
        model_served: the model that answered, as it names itself.
        input_tokens: tokens billed as input; None = not known.
        output_tokens: tokens billed as output, thoughts included; likewise.
        cost_usd: what it cost. From a line: this attempt, infinite where it cannot be told. In the ledger: the attempts before
            it whose replies were lost, too.
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
    """Why a request got no answer, and never will by sending it again as it is.

    Attributes:
        reason: why, as a counted word.
        message: what happened, for a person.
        cost_usd: what it cost nevertheless; see ``Reply.cost_usd``.
        attempts: how often the request was sent.
        raw: the provider's whole reply as JSON, if there was one.
    """

    reason: str
    message: str
    cost_usd: float = 0.0
    attempts: int = 1
    raw: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """An attempt without an answer.

    Attributes:
        reason: why, as a counted word: ``rate_limited``, ``server_error``, ``timeout``, ``connection_lost``, ``unreachable``,
            ``malformed_body``, ``bad_request``, ``blocked``, ``batch_failed``, ``key_refused``, ``no_such_model``,
            ``quota_gone``, ``expired``, ``damaged_audio``.
        message: what happened, without any secret.
        kind: ``throttled``: the provider asks for fewer requests; ``passing``: sending it again may help; ``request``: this
            request will never do; ``everyone``: no request will do until a person acts.
        lost: whether an answer may have been made, and billed, and lost on the way.
        wait_s: how long the provider asks to wait; None = it does not say.
        advice: for ``everyone``: what the person should do.
    """

    reason: str
    message: str
    kind: Literal["throttled", "passing", "request", "everyone"]
    lost: bool = False
    wait_s: float | None = None
    advice: str = ""


Answer = tuple[str, Reply | Refusal]
"""A request's key and what became of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """The most that one attempt can take.

    Attributes:
        input_tokens: tokens sent.
        output_tokens: tokens that may come back.
        usd: its highest price.
    """

    input_tokens: int
    output_tokens: int
    usd: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How fast a judge may be asked, and how patiently.

    Attributes:
        concurrency: most requests under way at once.
        requests_per_minute: the provider's limit; None = none is known.
        tokens_per_minute: likewise, on input tokens.
        timeout_s: longest wait for one attempt.
        max_attempts: how often a request is sent before it counts as failed; being throttled is no attempt.
        backoff_s: longest first wait before a repetition, doubled each time, where the provider names none.
    """

    concurrency: int = 8
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout_s: float = 120.0
    max_attempts: int = 6
    backoff_s: float = 1.0

    def __post_init__(self) -> None:
        if min(self.concurrency, self.max_attempts, self.timeout_s) <= 0 or self.backoff_s < 0:
            raise ValueError("concurrency, max_attempts and timeout_s must be above 0, backoff_s 0 or more")
        if any(limit is not None and limit <= 0 for limit in (self.requests_per_minute, self.tokens_per_minute)):
            raise ValueError("requests_per_minute and tokens_per_minute must be above 0, or null for no limit")

    @classmethod
    def of(cls, config: object) -> Self:
        """Return the pace that a configuration has under the same names."""
        return cls(**{field.name: getattr(config, field.name) for field in fields(cls)})


class Line(Protocol):
    """An open connection to a judge, inside one event loop."""

    async def estimate(self, request: JudgeRequest) -> Estimate:
        """Return the most that one attempt of this request can take."""
        ...

    async def attempt(self, request: JudgeRequest) -> Reply | Refusal | Trouble:
        """Send it exactly once, keeping to the judge's ``pace.timeout_s``.

        Everything that the provider or the network can do comes back as a value; an exception is a defect.
        """
        ...


BatchState = Literal["running", "ended", "gone"]
"""``ended``: finished, failed, cancelled or expired, so that its results are as complete as they will be; ``gone``: unknown."""


class BatchLine(Protocol):
    """An open connection to a provider's batch interface."""

    @property
    def most_requests(self) -> int:
        """Most requests of one batch."""
        ...

    @property
    def most_bytes(self) -> int:
        """Largest batch, by ``size``."""
        ...

    async def estimate(self, request: JudgeRequest) -> Estimate:
        """Return the most that this request can take in a batch."""
        ...

    async def size(self, request: JudgeRequest) -> int:
        """Return how many bytes of a batch it takes."""
        ...

    async def submit(self, name: str, requests: Sequence[JudgeRequest]) -> str | Trouble:
        """Hand in one batch under a name of ours that ``find`` finds, and return the provider's id of it."""
        ...

    async def find(self, name: str) -> str | Trouble | None:
        """Return the provider's id of the batch of that name; None if it was never accepted."""
        ...

    async def state(self, batch_id: str) -> BatchState | Trouble:
        """Return how far a batch is."""
        ...

    def results(self, batch_id: str) -> AsyncIterator[tuple[str, Reply | Refusal | Trouble]]:
        """Yield key and answer of every request that an ended batch finished, by the provider's own ids, in any order.

        Raises:
            TroubleRaised: the results cannot be fetched now.
        """
        ...


KEY_CHECK_S: Final = 10.0
"""Longest wait for a provider's word on a key."""


class TroubleRaised(Exception):
    """A trouble in the middle of an iteration.

    Attributes:
        trouble: what it is.
    """

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


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

    @property
    def tasks(self) -> tuple[str, ...] | None:
        """Tasks that it can do; None = any."""
        ...

    @property
    def key_variables(self) -> tuple[str, ...]:
        """Environment variables in which its key may be; only the process that asks it keeps them."""
        ...

    @property
    def pace(self) -> Pace:
        """How fast it may be asked."""
        ...

    @property
    def has_batches(self) -> bool:
        """Whether ``open_batches`` works."""
        ...

    def params(self) -> Mapping[str, str | int | float | bool | None]:
        """Return everything beyond the model that can change an answer; part of the ledger key."""
        ...

    def missing(self) -> str | None:
        """Return what this machine lacks to ask it, and how to get it; None = ready."""
        ...

    def refused(self) -> str | None:
        """Ask the provider, at no cost, whether it takes the key, and return what it says against it in one line.

        None: it takes it, cannot say so (no such route, no connection), or there is no key to take.
        """
        ...

    def said(self, raw: str) -> str | Refusal | None:
        """Return what a kept ``Reply.raw`` says by the rules of today, for nothing; None = it cannot tell."""
        ...

    def estimate(self, prompt: str, audio_s: float, *, batch: bool = False) -> Estimate:
        """Return the most that one attempt with that prompt and that many seconds of audio can take."""
        ...

    def open(self, clips: BlobStore | None) -> AbstractAsyncContextManager[Line]:
        """Open a line.

        Args:
            clips: where the audio is; None only where no request has any.
        """
        ...

    def open_batches(self, clips: BlobStore | None) -> AbstractAsyncContextManager[BatchLine]:
        """Open a line to the batch interface.

        Raises:
            SetupError: it has none.
        """
        ...
