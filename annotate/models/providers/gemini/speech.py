"""Sessions of Gemini's speech: ``generateContent`` with audio as its modality, and the audio in its replies.

The audio comes as base64 in a part ``inlineData``, as raw 16-bit samples (``audio/L16;codec=pcm;rate=24000``); usage is stated.

Audio that is sent counts 32 tokens a second, audio that comes back 25 (the price page: "25 tokens per second of audio"). The
most that a reply may have is sent as ``maxOutputTokens``, so that no text, however it is misread, costs more than was booked.
"""

import asyncio
import base64
import binascii
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from annotate.models.prices import Price, SpeechPrice
from annotate.models.providers.gemini.http_client import GeminiHttpClient
from annotate.models.providers.gemini.reply import GeminiReply
from annotate.models.request import AttemptFailure, Estimate, JudgeRequest, Refusal, Reply
from annotate.models.speech_replies import described, speech_in

if TYPE_CHECKING:
    from google.genai import types

_TOKENS_PER_S: Final = 25.0
_WRAPPING_TOKENS: Final = 16


def speech_estimate(price: SpeechPrice, prompt: str, longest_s: float) -> Estimate:
    """Return the most that a reply can take: a token for each character, and audio of that length and a second."""
    text_tokens, audio_tokens = len(prompt) + _WRAPPING_TOKENS, math.ceil((longest_s + 1.0) * _TOKENS_PER_S)
    usd = price.usd(characters=len(prompt), text_tokens=text_tokens, audio_tokens=audio_tokens)
    return Estimate(input_tokens=text_tokens, output_tokens=audio_tokens, usd=usd)


@dataclass(frozen=True, kw_only=True)
class GeminiSpeechSession:
    """An open session.

    Attributes:
        http: the connection.
        model: the model asked for.
        price: what speech costs.
        prompt_of: returns the prompt for a text.
        timeout_s: longest wait for one attempt.
    """

    http: GeminiHttpClient
    model: str
    price: SpeechPrice
    prompt_of: Callable[[str], str]
    timeout_s: float

    async def estimate(self, request: JudgeRequest) -> Estimate:
        """Return the most that one attempt of this request can take."""
        return speech_estimate(self.price, self.prompt_of(request.prompt), request.longest_s)

    async def attempt(self, request: JudgeRequest) -> Reply | Refusal | AttemptFailure:
        """Send the request exactly once. What does not decode is no answer."""
        highest = await self.estimate(request)
        answer = await self.http.body_of(
            model=self.model,
            parts=[{"text": self.prompt_of(request.prompt)}],
            config=_config(request.voice, highest.output_tokens),
            limit_s=self.timeout_s,
        )
        if isinstance(answer, AttemptFailure):
            return answer
        body, latency_s = answer
        try:
            audio, media_type = _taken_audio(body)
            if audio:
                await asyncio.to_thread(speech_in, audio, media_type)
        except ValueError as error:
            message = self.http.scrubbed(f"the audio of the reply cannot be read: {error}")[:500]
            return AttemptFailure(reason="malformed_body", message=message, kind="transient", lost=True)
        reply = self.http.received(body, latency_s=latency_s)
        if isinstance(reply, AttemptFailure):
            return reply
        return self._answer(reply, audio, media_type, highest)

    def _answer(self, reply: GeminiReply, audio: bytes, media_type: str, highest: Estimate) -> Reply | Refusal:
        price = Price(text_input=self.price.text_input, audio_input=self.price.text_input, output=self.price.audio_output)
        # A model that writes instead of speaking has not answered.
        spoken = replace(reply, text=described(audio, media_type) if audio else "")
        answer = spoken.answer(price, highest=highest, has_audio=False)
        if isinstance(answer, Reply):
            return replace(answer, audio=audio)
        if answer.reason == "truncated_reply":
            longest = f"the speech is longer than {highest.output_tokens / _TOKENS_PER_S:.0f} s, more than the text can take"
            return replace(answer, message=longest)
        if answer.reason == "empty_reply":
            wrote = f", but wrote: {reply.text[:200]}" if reply.text else ""
            return replace(answer, reason="no_audio", message=f"the model did not speak ({reply.finish}){wrote}")
        return answer


def _config(voice: str, most_tokens: int) -> "types.GenerateContentConfig":
    from google.genai import types

    chosen = types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name=voice))
    return types.GenerateContentConfig(
        response_modalities=["AUDIO"],
        speech_config=types.SpeechConfig(voice_config=chosen),
        max_output_tokens=most_tokens,
        candidate_count=1,
        automatic_continuation=False,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        should_return_http_response=True,  # the ledger keeps the body as it came
    )


def _taken_audio(body: Any) -> tuple[bytes, str]:
    """Return the audio of a reply and its media type, and leave the reply without it; nothing if it has none.

    Raises:
        ValueError: its data is no base64, or its parts are of several types.
    """
    data, types_seen = b"", list[str]()
    try:
        parts = body["candidates"][0]["content"]["parts"]
        blobs = [blob for part in parts if (blob := part.get("inlineData") or part.get("inline_data"))]
    except (KeyError, IndexError, TypeError, AttributeError):
        return b"", ""
    for blob in blobs:
        if not isinstance(blob, dict):
            raise ValueError("inlineData is no object")  # noqa: TRY004  as other malformed bodies
        try:
            # Base64 in JSON may come in either alphabet (protobuf's JSON mapping).
            data += base64.b64decode(str(blob.get("data", "")).translate(_STANDARD), validate=True)
        except binascii.Error as error:
            raise ValueError(f"inlineData is no base64 ({error})") from error
        types_seen.append(str(blob.get("mimeType") or blob.get("mime_type")))
        blob["data"] = ""
    if len(set(types_seen)) > 1:
        raise ValueError(f"its parts are of several types: {', '.join(sorted(set(types_seen)))[:100]}")
    return data, types_seen[0][:100] if types_seen else ""


_STANDARD: Final = str.maketrans("-_", "+/")
