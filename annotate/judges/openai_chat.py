"""Chat completions: how a question is put, and what an answer says.

Chat completions take audio inline only, as base64 WAV or MP3 in a content part ``input_audio``: there is no way to upload a
clip once and to name it later, so that each request carries its clips.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from annotate.clips import Clip, ClipCache, Container
from annotate.judge import Estimate, JudgeRequest, Refusal, Reply, Trouble
from annotate.judges.openai_wire import one_line
from annotate.prices import Price
from annotate.usage import count

Heard = Sequence[tuple[str, Clip]]
"""The clips of a request after their labels."""


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Turns requests into bodies of chat completions.

    Attributes:
        options: the body beside its messages.
        clips: the clips; None where no request has any.
        container: how they are sent.
    """

    options: Mapping[str, Any]
    clips: ClipCache | None
    container: Container

    async def hear(self, request: JudgeRequest) -> Heard:
        """Return the clips of a request."""
        assert self.clips is not None or not request.audios, "a request with audio needs the clips"
        return [(audio.label, await self.clips.clip(audio.audio_id, self.container)) for audio in request.audios if self.clips]

    async def measure(self, request: JudgeRequest) -> tuple[float, list[int]]:
        """Return the seconds of audio of a request, and the bytes of each clip."""
        assert self.clips is not None or not request.audios, "a request with audio needs the clips"
        found = [await self.clips.measure(audio.audio_id, self.container) for audio in request.audios if self.clips]
        return sum(each.duration_s for each in found), [each.size for each in found]

    def body(self, prompt: str, heard: Heard) -> dict[str, Any]:
        """Return the body: the prompt, then each clip after its label."""
        parts: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
        for label, clip in heard:
            data = base64.b64encode(clip.data).decode()
            parts.append({"type": "text", "text": f"[{label}]"})
            parts.append({"type": "input_audio", "input_audio": {"data": data, "format": self.container}})
        content: str | list[dict[str, Any]] = parts if heard else prompt  # not every compatible server takes parts for text
        return {**self.options, "messages": [{"role": "user", "content": content}]}


class Usage(NamedTuple):
    """Tokens that a completion took.

    Attributes:
        input_tokens: all that was sent.
        audio_tokens: the part of it that was audio; None = it does not say.
        output_tokens: what came back, reasoning included.
    """

    input_tokens: int
    audio_tokens: int | None
    output_tokens: int


def answer(
    body: object,
    raw: str,
    *,
    price: Price,
    highest: Estimate,
    has_audio: bool | None = False,
    batch: bool = False,
    latency_s: float | None = None,
) -> Reply | Refusal | Trouble:
    """Turn a chat completion into its text and price, or into why it has no text.

    Args:
        body: the decoded body.
        raw: the body as it came.
        price: what its tokens cost.
        highest: the most that it can have taken; its price is booked where the reply does not say how many tokens it took, and
            of which kind.
        has_audio: whether audio was sent, so that it must say how much of it; None = not known.
        batch: whether it came from a batch.
        latency_s: how long it took.
    """
    choice = _first(body)
    message = choice.get("message") if choice else None
    if not isinstance(body, dict) or choice is None or not isinstance(message, dict):
        return malformed(raw)
    text, declined, finish = message.get("content"), message.get("refusal"), choice.get("finish_reason")
    if not isinstance(text, str | None):
        return malformed(raw)
    usage = _usage(body.get("usage"), highest, least_output=1 if text else 0)
    cost_usd = highest.usd
    if usage is not None and _told_apart(usage, price, has_audio):
        text_tokens = usage.input_tokens - (usage.audio_tokens or 0)
        cost_usd = price.usd(
            text_tokens=text_tokens,
            audio_tokens=usage.audio_tokens or 0,
            output_tokens=usage.output_tokens,
            batch=batch,
        )
    if declined or finish == "content_filter":
        what = f"the model declined: {declined}" if declined else "the reply was stopped by the content filter"
        return Refusal(reason="blocked", message=one_line(what), cost_usd=cost_usd, raw=raw)
    if not text or not text.strip():
        return Refusal(reason="empty_reply", message=f"the model returned no text ({finish})", cost_usd=cost_usd, raw=raw)
    if finish == "length":  # what is left of it could look whole, and say something else
        cut = "the reply was cut off at max_output_tokens: raise that option of the judge"
        return Refusal(reason="truncated_reply", message=cut, cost_usd=cost_usd, raw=raw)
    served = body.get("model")
    return Reply(
        text=text,
        model_served=served if isinstance(served, str) else None,
        input_tokens=None if usage is None else usage.input_tokens,
        output_tokens=None if usage is None else usage.output_tokens,
        cost_usd=cost_usd,
        latency_s=latency_s,
        raw=raw,
    )


def malformed(body: str) -> Trouble:
    """Return the trouble of a body that is no chat completion."""
    message = f"the body is no chat completion: {body[:200]!r}"
    return Trouble(reason="malformed_body", message=message, kind="passing", lost=True)


def _first(body: object) -> Mapping[str, Any] | None:
    choices = body.get("choices") if isinstance(body, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _usage(usage: object, highest: Estimate, *, least_output: int) -> Usage | None:
    """Return what a completion took; None where it does not say, or says what cannot be."""
    if not isinstance(usage, dict):
        return None
    sent = count(usage.get("prompt_tokens"), highest.input_tokens, least=1)
    back = count(usage.get("completion_tokens"), highest.output_tokens, least=least_output)
    if sent is None or back is None:
        return None
    details = usage.get("prompt_tokens_details")
    stated = details.get("audio_tokens") if isinstance(details, dict) else None
    audio = count(stated, sent)
    if stated is not None and (audio is None or audio > sent):
        return None
    return Usage(input_tokens=sent, audio_tokens=audio, output_tokens=back)


def _told_apart(usage: Usage, price: Price, has_audio: bool | None) -> bool:
    """Whether it is known how much of the input was audio."""
    if has_audio is None:
        return usage.audio_tokens is not None or price.audio_input == price.text_input
    return bool(usage.audio_tokens) or not has_audio
