"""OpenAI's models, and any model behind a compatible server such as vLLM, over the openai SDK.

Models with audio input (``gpt-audio``; Qwen2.5-Omni on a vLLM server) and without (``gpt-4.1``) are both called by chat
completions. The API key is in the environment variable ``OPENAI_API_KEY``, or in the one that ``key_variable`` names; a key
given in any other way would end up in recipes and logs.

Numbers, and where they are from:

- 10 tokens a second of audio input: "Audio tokens in user messages are 1 token per 100 ms of audio" (OpenAI, guide "Managing
  costs" of the Realtime API, the same audio models), plus special tokens; estimates take 12.5. Behind another server 25 are
  taken, the rate of Qwen2-Audio and Qwen2.5-Omni (one token per 40 ms).
- 20 MB of audio in a request: "The maximum audio file size is 20 MB" (Microsoft, "audio completions" of the same models);
  OpenAI's own reference names no number. ``max_audio_mb`` is there for a server with another limit.
- A text has at most as many tokens as UTF-8 bytes: the tokenisers are byte-level.
"""

import asyncio
import contextlib
import importlib.util
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field

from annotate.models.judge import BatchSession, JudgeSession, Pace
from annotate.models.prices import FREE, PRICES, Price, price_of
from annotate.models.provider_clips import ClipCache
from annotate.models.providers.client_versions import client_version
from annotate.models.providers.openai.chat import ChatRequests, answer, text_of
from annotate.models.providers.openai.http_client import OpenAIHttpClient, connected
from annotate.models.request import AttemptFailure, Estimate, JudgeRequest, Refusal, Reply
from annotate.models.usage import decoded
from contracts.bounds import Megabytes, Pause, Rate, Seconds, Temperature, Tokens, UsdPerMillion
from contracts.errors import SetupError
from storage.blobs import BlobStore

_TOKENS_PER_S: Final = 12.5
_COMPATIBLE_TOKENS_PER_S: Final = 25.0
_LABEL_TOKENS: Final = 256  # of the audio labels and the wrapping of messages and parts, generously


@dataclass(frozen=True, kw_only=True)
class OpenAI:
    """A model behind OpenAI's chat completions.

    Attributes:
        model: model name of the API.
        temperature: sampling temperature; null for a reasoning model, which takes none.
        max_output_tokens: longest reply, reasoning included.
        audio_format: how clips are sent: ``wav`` exactly, ``mp3`` lossy and smaller.
        max_audio_mb: most audio of one request, in megabytes (1e6 bytes, before base64).
        base_url: a compatible server, such as ``http://gpu1:8000/v1``; null = OpenAI.
        key_variable: environment variable that holds the key; empty for a server that wants none.
        batches: whether the server has OpenAI's batch interface; null = OpenAI has, others have not.
        usd_per_million: prices per million tokens (text input, audio input, output) of a model that ``prices`` lacks;
            behind a ``base_url`` such a model is free without it.
        concurrency: see ``annotate.models.judge.Pace``, as the others below.
        requests_per_minute: see there.
        tokens_per_minute: see there.
        timeout_s: see there.
        max_attempts: see there.
        backoff_s: see there.
    """

    name: ClassVar[str] = "openai"
    facts: ClassVar[tuple[str, ...]] = ()
    repeatable: ClassVar[bool] = False
    tasks: ClassVar[tuple[str, ...] | None] = None

    model: str = "gpt-audio"
    temperature: Temperature | None = 0.0
    max_output_tokens: Tokens = 4096
    audio_format: Literal["wav", "mp3"] = "wav"
    max_audio_mb: Megabytes = 20.0
    base_url: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    batches: bool | None = None
    usd_per_million: Sequence[UsdPerMillion] | None = None
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 8
    requests_per_minute: Rate | None = None
    tokens_per_minute: Rate | None = None
    timeout_s: Seconds = 120.0
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 6
    backoff_s: Pause = 1.0

    def __post_init__(self) -> None:
        if self.base_url is not None:
            check_url(self.base_url)
        if not self.key_variable and self.base_url is None:
            raise ValueError("key_variable must name a variable: only a server of one's own may want no key")
        if self._price is None:
            raise ValueError(
                f"no price is known for {self.model!r}: set usd_per_million (text input, audio input, output) or "
                f"take one of {', '.join(PRICES)}"
            )
        assert self.pace  # a bad value raises

    @property
    def pace(self) -> Pace:
        """Rate limits, time-out and retries."""
        return Pace.of(self)

    @property
    def version(self) -> str:
        """Version of the client."""
        return client_version("openai")

    @property
    def price(self) -> Price:
        """What the model charges."""
        assert self._price is not None, "the constructor refuses a model without a price"
        return self._price

    @property
    def _price(self) -> Price | None:
        known = price_of(self.model, self.usd_per_million)
        return FREE if known is None and self.base_url is not None else known

    @property
    def has_batches(self) -> bool:
        """Whether the server has OpenAI's batch interface."""
        return self.base_url is None if self.batches is None else self.batches

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The environment variable that holds its key, if it wants one."""
        return (self.key_variable,) if self.key_variable else ()

    def params(self) -> Mapping[str, str | int | float | bool | None]:
        """Return what can change an answer: another server's model is another model, whatever its name."""
        server = {} if self.base_url is None else {"base_url": self.base_url.rstrip("/")}
        return {
            "temperature": self.temperature,
            "max_output_tokens": self.max_output_tokens,
            "audio_format": self.audio_format,
        } | server

    def missing(self) -> str | None:
        """Say which package or key is missing."""
        return missing_key(self.key_variable)

    def key_problem(self) -> str | None:
        """Request the list of models; see ``annotate.models.judge.Judge``."""
        return key_problem(self._connected, self.key_variable)

    def estimate(self, prompt: str, audio_s: float, *, batch: bool = False) -> Estimate:
        """Return the most that one attempt can take; see the module for the bounds."""
        tokens_per_s = _TOKENS_PER_S if self.base_url is None else _COMPATIBLE_TOKENS_PER_S
        text, audio = len(prompt.encode()) + _LABEL_TOKENS, audio_s * tokens_per_s
        usd = self.price.usd(text_tokens=text, audio_tokens=audio, output_tokens=self.max_output_tokens, batch=batch)
        return Estimate(input_tokens=text + int(audio), output_tokens=self.max_output_tokens, usd=usd)

    def text_in(self, raw: str) -> str | Refusal | None:
        """Return the text of a kept reply; see ``annotate.models.judge.Judge``."""
        return text_of(decoded(raw))

    @contextlib.asynccontextmanager
    async def open(self, clips: BlobStore | None) -> AsyncIterator[JudgeSession]:
        """Open a session; see ``annotate.models.judge.Judge``.

        Raises:
            SetupError: the package or the key is missing.
        """
        async with self._connected() as http:
            yield _OpenAISession(judge=self, http=http, chat_requests=self._chat_requests(clips))

    @contextlib.asynccontextmanager
    async def open_batches(self, clips: BlobStore | None) -> AsyncIterator[BatchSession]:
        """Open a session of the batch interface; see ``annotate.models.judge.Judge``.

        Raises:
            SetupError: the server has none, or the package or the key is missing.
        """
        from annotate.models.providers.openai.batches import OpenAIBatches

        if not self.has_batches:
            raise SetupError(f"judge {self.name!r}: {self.base_url} has no batches; if it has, set batches to true")
        async with self._connected() as http:
            yield OpenAIBatches(http=http, chat_requests=self._chat_requests(clips), price=self.price, estimated=self.estimate)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[OpenAIHttpClient]:
        if (problem := self.missing()) is not None:
            raise SetupError(f"judge {self.name!r}: {problem}")
        async with connected(
            base_url=self.base_url,
            key_variable=self.key_variable,
            timeout_s=self.timeout_s,
            concurrency=self.concurrency,
        ) as http:
            yield http

    def _chat_requests(self, clips: BlobStore | None) -> ChatRequests:
        # max_completion_tokens: reasoning models refuse max_tokens, and vLLM takes both names.
        options: dict[str, Any] = {"model": self.model, "max_completion_tokens": self.max_output_tokens}
        if self.temperature is not None:
            options["temperature"] = self.temperature
        cache = None if clips is None else ClipCache(clips)
        return ChatRequests(options=options, clips=cache, container=self.audio_format)


@dataclass(frozen=True, kw_only=True)
class _OpenAISession:
    """An open session."""

    judge: OpenAI
    http: OpenAIHttpClient
    chat_requests: ChatRequests

    async def estimate(self, request: JudgeRequest) -> Estimate:
        """Return the most that one attempt of this request can take."""
        audio_s, _ = await self.chat_requests.measure(request)
        return self.judge.estimate(request.prompt, audio_s)

    async def attempt(self, request: JudgeRequest) -> Reply | Refusal | AttemptFailure:
        """Send the request exactly once, or not at all if it has too much audio.

        Raises:
            DamagedPart: a clip is missing or damaged.
        """
        labelled_clips = await self.chat_requests.load_clips(request)
        size_mb = sum(len(clip.data) for _, clip in labelled_clips) / 1e6
        if size_mb > self.judge.max_audio_mb:
            message = f"{size_mb:.1f} MB of audio, where a request may have {self.judge.max_audio_mb:g} (max_audio_mb)"
            return Refusal(reason="audio_too_large", message=message, attempts=0)
        reply = await self.http.ask(self.chat_requests.body(request.prompt, labelled_clips))
        if isinstance(reply, AttemptFailure):
            return reply
        return answer(
            decoded(reply.body),
            reply.body,
            price=self.judge.price,
            highest=self.judge.estimate(request.prompt, sum(clip.duration_s for _, clip in labelled_clips)),
            has_audio=bool(labelled_clips),
            latency_s=reply.latency_s,
        )


def missing_key(key_variable: str) -> str | None:
    """Say which package is missing, or which key; empty = the server wants none."""
    if importlib.util.find_spec("openai") is None:
        return "the Python package openai is not installed: pip install openai"
    if not key_variable:
        return None
    key = os.environ.get(key_variable, "").strip()
    if not key:
        return f"no API key: set the environment variable {key_variable}"
    if not (key.isascii() and key.isprintable()) or " " in key:
        return f"the environment variable {key_variable} holds characters that no key has: set it again"
    return None


def key_problem(connect: Callable[[], AbstractAsyncContextManager[OpenAIHttpClient]], key_variable: str) -> str | None:
    """Request the list of models, and say if the key is refused; see ``annotate.models.judge.Service``."""

    async def refused() -> str | None:
        async with connect() as http:
            answer = await http.key_problem()
        return None if answer is None else f"the API key in {key_variable} is refused: {answer.message}; {answer.advice}"

    return asyncio.run(refused()) if key_variable else None


def check_url(url: str) -> None:
    """Refuse what is no address of a server, or holds a login.

    Raises:
        ValueError: it does.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.query
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("base_url must be an address such as http://localhost:8000/v1")
    if parts.username is not None or parts.password is not None:
        raise ValueError("base_url must not hold a login: give the key by the environment variable that key_variable names")


PLUGIN = OpenAI
