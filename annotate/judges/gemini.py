"""Google's Gemini models as listeners, over the google-genai SDK.

Needs an API key in the environment variable ``GEMINI_API_KEY`` or ``GOOGLE_API_KEY``; a key given in any other way would
end up in recipes and logs. Clips are sent inline as the FLAC files of the workspace, each after its label.
"""

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import io
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from annotate.judge import Answer, JudgeRequest, Refusal, Sending
from annotate.judges.gemini_wire import TRUE_OF_ALL, Arrival, Wire, answer
from annotate.limits import Halt, Postponed, backoff_s, drive, in_flight
from annotate.prices import PRICES, Price
from contracts.errors import BudgetExceeded, SetupError
from storage.blobs import BlobStore

KEY_VARIABLES: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
_TOKENS_PER_S: Final = 32  # of audio, Gemini API documentation
_LABEL_TOKENS: Final = 64  # of the audio labels and the wrapping of parts, generously
_LONGEST_WAIT_S: Final = 300.0


@dataclass(frozen=True, kw_only=True)
class Gemini:
    """A Gemini model that hears audio.

    Attributes:
        model: model name of the API; UniSRM's Task 1 used Gemini 2.0 Flash.
        temperature: sampling temperature.
        max_output_tokens: longest reply, thoughts included.
        concurrency: requests under way at once.
        timeout_s: longest wait for one attempt.
        max_attempts: how often a request is sent before it counts as failed.
        backoff_s: longest first wait before a repetition, doubled each time, where the server names none.
        base_url: another address of the API, such as a proxy.
        usd_per_million: prices per million tokens (text input, audio input, output) of a model that ``annotate.prices`` lacks.
    """

    name: ClassVar[str] = "gemini"
    facts: ClassVar[tuple[str, ...]] = ()
    repeatable: ClassVar[bool] = False

    model: str = "gemini-2.5-flash"
    temperature: float = 0.0
    max_output_tokens: int = 4096
    concurrency: int = 8
    timeout_s: float = 120.0
    max_attempts: int = 6
    backoff_s: float = 1.0
    base_url: str | None = None
    usd_per_million: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if min(self.concurrency, self.max_attempts, self.max_output_tokens, self.timeout_s) <= 0:
            raise ValueError("concurrency, max_attempts, max_output_tokens and timeout_s must be above 0")
        if self.usd_per_million is None and self.model not in PRICES:
            raise ValueError(
                f"no price is known for {self.model!r}: set usd_per_million (text input, audio input, output) or "
                f"take one of {', '.join(PRICES)}"
            )
        if self.usd_per_million is not None and (len(self.usd_per_million) != 3 or min(self.usd_per_million) < 0):
            raise ValueError("usd_per_million takes three numbers: text input, audio input, output")

    @property
    def version(self) -> str:
        """Version of the client."""
        return f"google-genai {importlib.metadata.version('google-genai')}"

    @property
    def price(self) -> Price:
        """What the model charges."""
        if self.usd_per_million is None:
            return PRICES[self.model]
        text, audio, output = self.usd_per_million
        return Price(text_input=text, audio_input=audio, output=output)

    def params(self) -> Mapping[str, str | int | float | bool | None]:
        """Return what can change an answer."""
        return {"temperature": self.temperature, "max_output_tokens": self.max_output_tokens}

    def missing(self) -> str | None:
        """Say which package or key is missing."""
        if importlib.util.find_spec("google") is None or importlib.util.find_spec("google.genai") is None:
            return "the Python package google-genai is not installed: pip install google-genai"
        if _api_key() is None:
            return f"no API key: set the environment variable {' or '.join(KEY_VARIABLES)}"
        return None

    def estimate_usd(self, prompt: str, audio_s: float) -> float:
        """Return the highest price of one attempt: a token for every character, and a reply of full length."""
        text_tokens, audio_tokens = len(prompt) + _LABEL_TOKENS, audio_s * _TOKENS_PER_S
        return self.price.usd(text_tokens=text_tokens, audio_tokens=audio_tokens, output_tokens=self.max_output_tokens)

    def ask(self, requests: Sequence[JudgeRequest], *, clips: BlobStore | None, sending: Sending) -> Iterator[Sequence[Answer]]:
        """Ask with bounded concurrency; see ``annotate.judge.Judge``."""
        assert clips is not None, "a judge that listens needs the clips"
        if (problem := self.missing()) is not None:
            raise SetupError(f"judge {self.name!r}: {problem}")
        yield from drive(self._arrivals(requests, clips, sending))

    async def _arrivals(
        self,
        requests: Sequence[JudgeRequest],
        clips: BlobStore,
        sending: Sending,
    ) -> AsyncIterator[list[Answer]]:
        import httpx2
        from google import genai
        from google.genai import types

        key = _api_key()
        assert key is not None
        # An httpx client of ours: the SDK's other transport sends a request a second time when a connection breaks.
        async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=self.concurrency)) as http:
            options = types.HttpOptions(base_url=self.base_url, api_version="v1beta", httpx_async_client=http)
            client = genai.Client(vertexai=False, api_key=key, http_options=options)
            config = types.GenerateContentConfig(
                temperature=self.temperature,
                max_output_tokens=self.max_output_tokens,
                candidate_count=1,
            )
            wire = Wire(client=client, model=self.model, config=config, timeout_s=self.timeout_s, secret=key)
            asker = _Asker(judge=self, wire=wire, clips=clips, sending=sending)
            async with contextlib.aclosing(in_flight(requests, asker.converse, self.concurrency)) as arrivals:
                async for arrived in arrivals:
                    yield arrived


@dataclass(frozen=True, kw_only=True)
class _Asker:
    """Sends requests over one connection, again where that helps."""

    judge: Gemini
    wire: Wire
    clips: BlobStore
    sending: Sending

    async def converse(self, request: JudgeRequest) -> Answer:
        """Send one request until there is an answer, or no hope of one.

        Raises:
            Halt: what is wrong is true of every request, or the budget does not allow another attempt.
            Postponed: the budget does not allow the first attempt while others are under way.
        """
        contents, audio_s = self._contents(request)
        highest_usd = self.judge.estimate_usd(request.prompt, audio_s)
        lost_usd, attempt = 0.0, 1
        while True:
            try:
                self.sending(request.key, highest_usd)
            except BudgetExceeded as error:
                if attempt == 1:
                    raise Postponed(request, error) from None
                refusal = Refusal(reason="budget_exceeded", message=str(error), cost_usd=lost_usd, attempts=attempt - 1)
                raise Halt((request.key, refusal), error) from None
            outcome = await self.wire.attempt(contents)
            if isinstance(outcome, Arrival):
                found = answer(outcome, self.judge.price, highest_usd)
                return request.key, replace(found, cost_usd=found.cost_usd + lost_usd, attempts=attempt)
            lost_usd += highest_usd if outcome.lost else 0.0
            wait_s = outcome.wait_s if outcome.wait_s is not None else backoff_s(request.key, attempt, self.judge.backoff_s)
            if outcome.hopeless or attempt == self.judge.max_attempts or wait_s > _LONGEST_WAIT_S:
                refusal = Refusal(reason=outcome.reason, message=outcome.message, cost_usd=lost_usd, attempts=attempt)
                if (advice := TRUE_OF_ALL.get(outcome.reason)) is not None:
                    stop = SetupError(f"judge 'gemini': {outcome.message}: {advice}; every reply so far is kept")
                    raise Halt((request.key, refusal), stop)
                return request.key, refusal
            await asyncio.sleep(wait_s)
            attempt += 1

    def _contents(self, request: JudgeRequest) -> tuple[list[Any], float]:
        """Return the parts of the message and the seconds of audio in it."""
        import soundfile
        from google.genai import types

        parts: list[Any] = [request.prompt]
        audio_s = 0.0
        for audio in request.audios:
            flac = self.clips.encoded(audio.audio_id)
            audio_s += soundfile.info(io.BytesIO(flac)).duration
            parts += [f"[{audio.label}]", types.Part.from_bytes(data=flac, mime_type="audio/flac")]
        return parts, audio_s


def _api_key() -> str | None:
    return next((key.strip() for name in KEY_VARIABLES if (key := os.environ.get(name, "")).strip()), None)


PLUGIN = Gemini
