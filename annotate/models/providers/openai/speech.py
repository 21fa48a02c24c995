"""Sessions of OpenAI's speech interface, ``POST /v1/audio/speech``, which many other servers offer, too.

The reply is an audio file, without any usage. So its cost is computed: exactly for a model that bills characters, from above
for one that bills tokens, by the bytes of the text and the length of the audio.

20.1 tokens a second of audio were billed for gpt-4o-mini-tts on 2025-11-02 (github.com/sanand0/blog, openai-tts-cost.md), and
OpenAI's estimate of $0.015 a minute allows 20.8; 22 are taken, and a second more.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from annotate.models.prices import SpeechPrice
from annotate.models.providers.openai.http_client import OpenAIHttpClient
from annotate.models.request import AttemptFailure, Estimate, JudgeRequest, Reply
from annotate.models.speech_replies import described, raw_pcm, served_facts, speech_in

_TOKENS_PER_S: Final = 22.0
_TYPES: Final[Mapping[str, str]] = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "opus": "audio/ogg"}


def speech_estimate(price: SpeechPrice, text: str, instructions: str, longest_s: float) -> Estimate:
    """Return the most that speech of that length costs: a token for each byte of text, and what the module says of audio."""
    text_tokens, audio_tokens = len(text.encode()) + len(instructions.encode()), (longest_s + 1.0) * _TOKENS_PER_S
    usd = price.usd(characters=len(text), text_tokens=text_tokens, audio_tokens=audio_tokens)
    return Estimate(input_tokens=text_tokens, output_tokens=int(audio_tokens), usd=usd)


@dataclass(frozen=True, kw_only=True)
class OpenAISpeechSession:
    """An open session.

    Attributes:
        http: the connection.
        price: what speech costs.
        options: the body beside text and voice.
        sample_rate_hz: rate of ``pcm``, which has no head.
    """

    http: OpenAIHttpClient
    price: SpeechPrice
    options: Mapping[str, Any]
    sample_rate_hz: int

    async def estimate(self, request: JudgeRequest) -> Estimate:
        """Return the most that one attempt of this request can take."""
        return self._estimate(request, request.longest_s)

    async def attempt(self, request: JudgeRequest) -> Reply | AttemptFailure:
        """Send the request exactly once. What does not decode is no answer."""
        reply = await self.http.speak({**self.options, "input": request.prompt, "voice": request.voice})
        if isinstance(reply, AttemptFailure):
            return reply
        media_type = self._media_type()
        try:
            samples, rate = await asyncio.to_thread(speech_in, reply.data, media_type)
        except ValueError as error:
            message = self.http.shown(
                f"the body is no audio in the format asked for, but {reply.media_type or 'of no type'}: {error}"
            )
            return AttemptFailure(reason="malformed_body", message=message, kind="transient", lost=True)
        return Reply(
            text=described(reply.data, media_type),
            model_served=reply.model_served,
            cost_usd=self._estimate(request, len(samples) / rate).usd,
            latency_s=reply.latency_s,
            raw=served_facts(model=reply.model_served, request_id=reply.request_id, content_type=reply.media_type),
            audio=reply.data,
        )

    def _estimate(self, request: JudgeRequest, audio_s: float) -> Estimate:
        return speech_estimate(self.price, request.prompt, self.options.get("instructions", ""), audio_s)

    def _media_type(self) -> str:
        """Return what the body must be: not every server states it, and ``audio/pcm`` states no rate."""
        container = self.options["response_format"]
        return raw_pcm(self.sample_rate_hz) if container == "pcm" else _TYPES[container]
