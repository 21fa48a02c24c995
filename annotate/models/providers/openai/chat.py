"""Chat completions: the bodies of requests, and the answers in the bodies of replies.

Chat completions take audio inline only, as base64 WAV or MP3 in a content part ``input_audio``. A clip cannot be
uploaded once and named later, so each request carries its clips.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from annotate.models.parse.envelope import with_thoughts
from annotate.models.prices import Price
from annotate.models.provider_clips import ClipCache, Container, EncodedClip
from annotate.models.providers.openai.http_client import one_line
from annotate.models.request import AttemptFailure, Estimate, JudgeRequest, Refusal, Reply
from annotate.models.usage import count

_COMPLETE: Final = frozenset({"stop", "eos", "eos_token", "end_turn"})
"""Finish reasons, in lower case, of a completion that ended by itself: OpenAI's, and those of other servers' engines."""

_PATH: Final = re.compile(r"[/~]|\.{1,2}[/\\]|\\\\|[A-Za-z]:[/\\]")

_REASONING: Final = ("reasoning_content", "reasoning")

LabelledClips = Sequence[tuple[str, EncodedClip]]
"""The clips of a request after their labels."""


@dataclass(frozen=True, kw_only=True)
class ChatRequests:
    """Turns requests into bodies of chat completions.

    Attributes:
        options: the body beside its messages.
        clips: the clips; None where no request has any.
        container: how they are sent.
    """

    options: Mapping[str, Any]
    clips: ClipCache | None
    container: Container

    async def load_clips(self, request: JudgeRequest) -> LabelledClips:
        """Return the clips of a request, each after its label."""
        assert self.clips is not None or not request.audios, "a request with audio needs the clips"
        return [(audio.label, await self.clips.clip(audio.audio_id, self.container)) for audio in request.audios if self.clips]

    async def measure(self, request: JudgeRequest) -> tuple[float, list[int]]:
        """Return the seconds of audio of a request, and the bytes of each clip."""
        assert self.clips is not None or not request.audios, "a request with audio needs the clips"
        found = [await self.clips.measure(audio.audio_id, self.container) for audio in request.audios if self.clips]
        return sum(each.duration_s for each in found), [each.size for each in found]

    def body(self, prompt: str, labelled_clips: LabelledClips) -> dict[str, Any]:
        """Return the body: the prompt, then each clip after its label."""
        parts: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
        for label, clip in labelled_clips:
            data = base64.b64encode(clip.data).decode()
            parts.append({"type": "text", "text": f"[{label}]"})
            parts.append({"type": "input_audio", "input_audio": {"data": data, "format": self.container}})
        content: str | list[dict[str, Any]] = (
            parts if labelled_clips else prompt
        )  # not every compatible server takes parts for text
        return {**self.options, "messages": [{"role": "user", "content": content}]}


class OpenAIUsage(NamedTuple):
    """Tokens that a completion took.

    Attributes:
        input_tokens: all that was sent.
        audio_tokens: the part of it that was audio; None = not stated.
        output_tokens: what came back, reasoning included.
    """

    input_tokens: int
    audio_tokens: int | None
    output_tokens: int


def published_name(model: str) -> str:
    """Return what a server calls its model, without the folder where it names a file of its machine: rows are released.

    llama.cpp and vLLM name a model that they were given as a path by that path.
    """
    return re.split(r"[/\\]", model.rstrip("/\\"))[-1] if _PATH.match(model) else model


def answer(
    body: object,
    raw: str,
    *,
    price: Price,
    highest: Estimate,
    has_audio: bool | None = False,
    batch: bool = False,
    latency_s: float | None = None,
) -> Reply | Refusal | AttemptFailure:
    """Turn a chat completion into its text and price, or into why it has no text.

    Args:
        body: the decoded body.
        raw: the body as it came.
        price: what its tokens cost.
        highest: the most that it can have taken; its price is booked where the reply does not state its tokens by kind.
        has_audio: whether audio was sent, so that the reply must state how much; None = not known.
        batch: whether it came from a batch.
        latency_s: how long it took.
    """
    text = text_of(body)
    if text is None or not isinstance(body, dict):
        return malformed(raw)
    usage = _usage(body.get("usage"), highest, least_output=0 if isinstance(text, Refusal) else 1)
    cost_usd = highest.usd
    if usage is not None and _kinds_known(usage, price, has_audio):
        text_tokens = usage.input_tokens - (usage.audio_tokens or 0)
        cost_usd = price.usd(
            text_tokens=text_tokens,
            audio_tokens=usage.audio_tokens or 0,
            output_tokens=usage.output_tokens,
            batch=batch,
        )
    if isinstance(text, Refusal):
        return replace(text, cost_usd=cost_usd, raw=raw)
    served = body.get("model")
    return Reply(
        text=text,
        model_served=published_name(served) if isinstance(served, str) else None,
        input_tokens=None if usage is None else usage.input_tokens,
        output_tokens=None if usage is None else usage.output_tokens,
        cost_usd=cost_usd,
        latency_s=latency_s,
        raw=raw,
    )


def text_of(body: object) -> str | Refusal | None:
    """Return the text of a completion, or why it has none; None = it is no chat completion.

    Only a completion that ended by itself is complete: another could look complete with a different meaning. A
    ``finish_reason`` that is null, missing or unknown is refused, too: null is that of a choice that has not ended yet.

    Servers that parse reasoning move ``<think>...</think>`` from ``content`` to ``reasoning_content`` (vLLM, SGLang,
    DeepSeek) or ``reasoning`` (newer vLLM, OpenRouter). It is put back before a content without such a block; before a
    content with one, it is the model's own and no part of the reply.
    """
    choice = _first(body)
    message = choice.get("message") if choice else None
    if choice is None or not isinstance(message, dict):
        return None
    content, declined, finish = message.get("content"), message.get("refusal"), choice.get("finish_reason")
    if not isinstance(content, str | None):
        return None
    ending = str(finish).casefold()
    if declined or ending == "content_filter":
        what = f"the model declined: {declined}" if declined else "the reply was stopped by the content filter"
        return Refusal(reason="blocked", message=one_line(what))
    if ending == "length":
        empty = not (content or "").strip()
        return Refusal(
            reason="empty_reply" if empty else "truncated_reply",
            message="the reply was cut off at max_output_tokens: raise that option of the judge",
        )
    if ending not in _COMPLETE:
        return Refusal(reason="unfinished_reply", message=one_line(f"the reply did not end by itself (finish_reason {finish})"))
    if not content or not content.strip():
        return Refusal(reason="empty_reply", message=one_line(f"the model returned no text ({finish})"))
    thoughts = next((text for name in _REASONING if isinstance(text := message.get(name), str) and text.strip()), None)
    return content if thoughts is None else with_thoughts(content, thoughts)


def malformed(body: str) -> AttemptFailure:
    """Return the failure of a body that is no chat completion."""
    message = f"the body is no chat completion: {body[:200]!r}"
    return AttemptFailure(reason="malformed_body", message=message, kind="transient", lost=True)


def _first(body: object) -> Mapping[str, Any] | None:
    choices = body.get("choices") if isinstance(body, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _usage(usage: object, highest: Estimate, *, least_output: int) -> OpenAIUsage | None:
    """Return the usage of a completion; None where it is not stated, or impossible."""
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
    return OpenAIUsage(input_tokens=sent, audio_tokens=audio, output_tokens=back)


def _kinds_known(usage: OpenAIUsage, price: Price, has_audio: bool | None) -> bool:
    """Whether it is known how much of the input was audio."""
    if has_audio is None:
        return usage.audio_tokens is not None or price.audio_input == price.text_input
    return bool(usage.audio_tokens) or not has_audio
