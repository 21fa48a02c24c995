"""Judges: whatever answers the prompts of a task, be it a language model or a rule; and services, of which they are a kind.

A judge is a configuration. Opened, it is a session that makes one attempt per call. It knows neither tables nor the ledger,
retries nothing and waits for nothing: ``calls.live_calls`` (one by one) and ``calls.batch_calls`` (through a provider's
batches) decide when to send, what to retry and what to book. One file in ``providers/`` is a judge.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Protocol, Self

from annotate.models.request import AttemptFailure, AttemptOutcome, Estimate, JudgeRequest, Refusal
from storage.blobs import BlobStore

KEY_CHECK_S: Final = 10.0
"""Longest wait for a provider's check of a key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """Rate limits, time-out and retries of a judge.

    Attributes:
        concurrency: most requests in flight at once.
        requests_per_minute: the provider's limit; None = none is known.
        tokens_per_minute: likewise, on input tokens.
        timeout_s: longest wait for one attempt.
        max_attempts: how often a request is sent before it counts as failed; a throttled attempt does not count.
        backoff_s: longest first wait before a retry, doubled each time, where the provider asks for none.
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


class JudgeSession(Protocol):
    """An open connection to a judge, inside one event loop."""

    async def estimate(self, request: JudgeRequest) -> Estimate:
        """Return the most that one attempt of this request can take."""
        ...

    async def attempt(self, request: JudgeRequest) -> AttemptOutcome:
        """Send the request exactly once, within the judge's ``pace.timeout_s``.

        Everything that the provider or the network can do is returned as a value; an exception is a defect.
        """
        ...


BatchState = Literal["running", "ended", "gone"]
"""``ended``: finished, failed, cancelled or expired, so that no more results will come; ``gone``: unknown."""


class BatchSession(Protocol):
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
        """Return how many bytes of a batch the request takes."""
        ...

    async def submit(self, name: str, requests: Sequence[JudgeRequest]) -> str | AttemptFailure:
        """Submit one batch under a name of ours that ``find`` finds, and return the provider's id of it."""
        ...

    async def find(self, name: str) -> str | AttemptFailure | None:
        """Return the provider's id of the batch of that name; None if it was never accepted."""
        ...

    async def state(self, batch_id: str) -> BatchState | AttemptFailure:
        """Return the state of a batch."""
        ...

    def results(self, batch_id: str) -> AsyncIterator[tuple[str, AttemptOutcome]]:
        """Yield key and outcome of every request that an ended batch finished, by the provider's own ids, in any order.

        Raises:
            AttemptError: the results cannot be fetched now.
        """
        ...


class Service(Protocol):
    """What answers requests through the ledger: a judge, or a speech service (``annotate.models.speech_replies``).

    A service that is no judge has ``kind: ClassVar[str]``, what messages call it.
    """

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
        """Metric values that it needs of both speeches, without the ``_a`` and ``_b``; none for whatever is no rule."""
        ...

    @property
    def key_variables(self) -> tuple[str, ...]:
        """Environment variables that may hold its key; only the process that sends requests keeps them."""
        ...

    @property
    def pace(self) -> Pace:
        """Rate limits, time-out and retries."""
        ...

    @property
    def has_batches(self) -> bool:
        """Whether ``open_batches`` works."""
        ...

    def params(self) -> Mapping[str, Any]:
        """Return everything beyond the model that can change an answer; part of the ledger key."""
        ...

    def missing(self) -> str | None:
        """Return which package or key is missing on this machine, and how to get it; None = ready."""
        ...

    def key_problem(self) -> str | None:
        """Ask the provider, at no cost, whether it accepts the key, and return why not in one line.

        None: it accepts the key, cannot say so (no such route, no connection), or needs no key.
        """
        ...

    def open(self, clips: BlobStore | None) -> AbstractAsyncContextManager[JudgeSession]:
        """Open a session.

        Args:
            clips: where the audio is; None only where no request has any.
        """
        ...

    def open_batches(self, clips: BlobStore | None) -> AbstractAsyncContextManager[BatchSession]:
        """Open a session of the batch interface.

        Raises:
            SetupError: there is none.
        """
        ...


class Judge(Service, Protocol):
    """A judge: a frozen dataclass whose fields are its whole configuration."""

    @property
    def repeatable(self) -> bool:
        """Whether it always gives the same reply, so that a follow-up is pointless."""
        ...

    @property
    def tasks(self) -> tuple[str, ...] | None:
        """Tasks that it can do; None = any."""
        ...

    def text_in(self, raw: str) -> str | Refusal | None:
        """Return the text in a kept ``Reply.raw`` by the current rules, at no cost; None = it cannot be read."""
        ...

    def estimate(self, prompt: str, audio_s: float, *, batch: bool = False) -> Estimate:
        """Return the most that one attempt with that prompt and that many seconds of audio can take."""
        ...


def named(service: Service) -> str:
    """Return what messages call a judge or another service."""
    return f"{getattr(service, 'kind', 'judge')} {service.name!r}"
