"""A Gemini reply: its text, its usage, and why it has no text.

Only a reply that ended by itself (``STOP``) is complete: another could look complete with a different meaning. No finish reason
is no end: "If empty, the model has not stopped generating tokens" (Gemini API, ``Candidate``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Self

from annotate.models.prices import Price
from annotate.models.request import Estimate, Refusal, Reply
from annotate.models.usage import count, decoded

_BLOCKED: Final = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"})
"""Finish reasons of a reply that was held back."""


class GeminiUsage(NamedTuple):
    """Tokens that a reply took; None = not stated, or impossible.

    Attributes:
        input_tokens: all that was sent.
        audio_tokens: the part of it that was audio.
        output_tokens: what came back, thoughts included.
    """

    input_tokens: int | None
    audio_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, kw_only=True)
class GeminiReply:
    """A well-formed reply.

    Attributes:
        text: the model's text, without its thoughts.
        finish: why it stopped, or why the prompt was blocked; None = not stated.
        reached_model: whether the prompt reached the model, and was not blocked before.
        model: the model that answered.
        usage: its usage, as stated.
        body: the whole reply, without the key.
        latency_s: how long it took.
    """

    text: str
    finish: str | None
    reached_model: bool
    model: str | None
    usage: Mapping[str, Any]
    body: str
    latency_s: float | None

    @classmethod
    def of(cls, found: Any, body: str, latency_s: float | None) -> Self:
        """Read a reply.

        Raises:
            TypeError, ValueError, AttributeError: it does not have the shape of a reply.
        """
        candidates, feedback = found.get("candidates"), _field(found, "promptFeedback", "prompt_feedback")
        if not candidates and feedback is None:
            raise ValueError("no candidates")
        text, finish = "", None
        if candidates:
            if not isinstance(candidates, list):
                raise TypeError("candidates is no list")
            candidate = candidates[0]
            content = candidate.get("content")
            parts = [] if content is None else content.get("parts") or []
            text = "".join(part["text"] for part in parts if part.get("text") and not part.get("thought"))
            finish = _field(candidate, "finishReason", "finish_reason")
        elif feedback:
            finish = _field(feedback, "blockReason", "block_reason")
        model = _field(found, "modelVersion", "model_version")
        usage = _field(found, "usageMetadata", "usage_metadata")
        return cls(
            text=text,
            finish=finish if isinstance(finish, str) and finish else None,
            reached_model=bool(candidates),
            model=model if isinstance(model, str) else None,
            usage=usage if isinstance(usage, dict) else {},
            body=body,
            latency_s=latency_s,
        )

    def answer(self, price: Price, *, highest: Estimate, has_audio: bool, batch: bool = False) -> Reply | Refusal:
        """Return its text and price, or why it has no text.

        Args:
            price: what its tokens cost.
            highest: the most that it can have taken; its price is booked where the reply does not state its tokens.
            has_audio: whether the request had audio.
            batch: whether it came in a batch.
        """
        used = self._used(highest)
        cost_usd = highest.usd
        if used.input_tokens is not None and used.output_tokens is not None:
            # Without details all input of a request with audio counts as audio, the dearer kind.
            audio = used.input_tokens * has_audio if used.audio_tokens is None else used.audio_tokens
            cost_usd = price.usd(
                text_tokens=used.input_tokens - audio, audio_tokens=audio, output_tokens=used.output_tokens, batch=batch
            )
        text = self.usable_text()
        if isinstance(text, Refusal):
            return replace(text, cost_usd=cost_usd, raw=self.body)
        return Reply(
            text=text,
            model_served=self.model,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cost_usd=cost_usd,
            latency_s=self.latency_s,
            raw=self.body,
        )

    def usable_text(self) -> str | Refusal:
        """Return the text, or why there is none that can be used."""
        name = (self.finish or "no reason given")[:100]
        ending = name.upper()
        if ending == "MAX_TOKENS" and self.text:
            cut = "the reply was cut off at max_output_tokens: raise that option of the judge"
            return Refusal(reason="truncated_reply", message=cut)
        if ending in _BLOCKED or (self.finish is not None and not self.reached_model):
            return Refusal(reason="blocked", message=f"the model's reply was held back ({name})")
        if not self.text:
            return Refusal(reason="empty_reply", message=f"the model returned no text ({name})")
        if ending != "STOP":
            return Refusal(reason="unfinished_reply", message=f"the reply did not end by itself ({name})")
        return self.text

    def _used(self, highest: Estimate) -> GeminiUsage:
        """Return its usage where it is possible; protobuf's JSON leaves out zeros."""
        sent = count(_field(self.usage, "promptTokenCount", "prompt_token_count"), highest.input_tokens, least=1)
        candidate_tokens = _field(self.usage, "candidatesTokenCount", "candidates_token_count")
        thoughts = _field(self.usage, "thoughtsTokenCount", "thoughts_token_count")
        back = [
            count(0 if candidate_tokens is None else candidate_tokens, highest.output_tokens, least=1 if self.text else 0),
            count(0 if thoughts is None else thoughts, highest.output_tokens),
        ]
        known = [tokens for tokens in back if tokens is not None]
        return GeminiUsage(
            input_tokens=sent,
            audio_tokens=None if sent is None else _audio(self.usage, sent),
            output_tokens=sum(known) if self.usage and len(known) == len(back) else None,
        )


def text_in(raw: str) -> str | Refusal | None:
    """Return the text of a kept reply; None = it is no body of this API."""
    try:
        return GeminiReply.of(decoded(raw), raw, None).usable_text()
    except (TypeError, ValueError, AttributeError):
        return None


def _audio(usage: Mapping[str, Any], sent: int) -> int | None:
    """Return how much of the input was audio; None = not stated, or impossible."""
    details = _field(usage, "promptTokensDetails", "prompt_tokens_details")
    if not isinstance(details, list) or not all(isinstance(part, dict) for part in details) or not details:
        return None
    audio = [_field(part, "tokenCount", "token_count") for part in details if part.get("modality") == "AUDIO"]
    counts = [count(0 if tokens is None else tokens, sent) for tokens in audio]
    known = [tokens for tokens in counts if tokens is not None]
    return sum(known) if len(known) == len(audio) and sum(known) <= sent else None


def _field(found: Mapping[str, Any], camel: str, snake: str) -> Any:
    """Return a field, which protobuf's JSON writes under either name."""
    return found[camel] if camel in found else found.get(snake)
