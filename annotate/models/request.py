"""A request to a judge or a speech service, and what can come of it: a reply, a refusal, or a failed attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class LabelledAudio:
    """One clip of a request, under the name that the prompt has for it."""

    label: str
    audio_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeRequest:
    """What a judge, or a speech service, is asked once.

    Attributes:
        key: its key in the ledger, and its name in a provider's batch.
        prompt: the rendered prompt; for a speech service the text to be spoken.
        audios: the clips, in the order in which the judge gets them; none for a request about text.
        repeat: 0 for the first request, 1 for the follow-up after a reply that could not be used.
        facts: ``<metric value>_a`` and ``<metric value>_b`` for a judge that declares ``facts``; null = not measured.
        voice: the voice that shall speak; empty for a judge.
        longest_s: the most seconds that speech of the text can sensibly last.
    """

    key: str
    prompt: str
    audios: tuple[LabelledAudio, ...] = ()
    repeat: int = 0
    facts: Mapping[str, float | None] = field(default_factory=dict)
    voice: str = ""
    longest_s: float = 0.0


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
class Reply:
    """What a judge or a speech service replied, unparsed.

    Attributes:
        text: the reply's text; of a speech service what its audio is, see ``annotate.models.speech_replies``.
        model_served: the model that answered, as it names itself.
        input_tokens: tokens billed as input; None = not known.
        output_tokens: tokens billed as output, thoughts included; None = not known.
        cost_usd: the cost. From a session: of this attempt, infinite where it cannot be told. In the ledger: with the earlier
            attempts whose replies were lost.
        latency_s: seconds between the sending of the answered attempt and its reply.
        attempts: how often the request was sent.
        raw: the provider's whole reply as JSON, without audio; None for a rule.
        audio: the audio file that a speech service replied, as it came. A ledger returns it by ``Ledger.audio``, not here.
    """

    text: str
    model_served: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float = 0.0
    latency_s: float | None = None
    attempts: int = 1
    raw: str | None = None
    audio: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a request got no reply, and would get none if it were sent again unchanged.

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
class AttemptFailure:
    """Why an attempt brought no answer.

    Attributes:
        reason: why, as a counted word: ``rate_limited``, ``server_error``, ``timeout``, ``connection_lost``, ``unreachable``,
            ``malformed_body``, ``bad_request``, ``blocked``, ``batch_failed``, ``key_refused``, ``no_such_model``,
            ``quota_gone``, ``expired``, ``damaged_audio``.
        message: what happened, without any secret.
        kind: ``throttled``: the provider asks for fewer requests; ``transient``: a retry may succeed; ``request``: this request
            will never succeed; ``all_requests``: no request will succeed until a person acts.
        lost: whether an answer may have been made, and billed, and lost on the way.
        wait_s: how long the provider asks to wait; None = it does not say.
        advice: for ``all_requests``: what the person should do.
    """

    reason: str
    message: str
    kind: Literal["throttled", "transient", "request", "all_requests"]
    lost: bool = False
    wait_s: float | None = None
    advice: str = ""


class AttemptError(Exception):
    """Raises a failure where results are iterated over.

    Attributes:
        failure: what happened.
    """

    def __init__(self, failure: AttemptFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


AttemptOutcome = Reply | Refusal | AttemptFailure
"""What comes of one attempt."""

Answer = tuple[str, Reply | Refusal]
"""A request's key and its answer."""
