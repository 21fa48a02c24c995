"""Google's Gemini models as judges and writers, over the google-genai SDK.

Needs an API key in the environment variable ``GEMINI_API_KEY`` or ``GOOGLE_API_KEY``; a key given in any other way would
end up in recipes and logs.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import Field

from annotate.models.judge import BatchSession, JudgeSession, Pace
from annotate.models.prices import PRICE_LISTS, Price, price_of
from annotate.models.providers.client_versions import client_version
from annotate.models.providers.gemini.connection import KEY_VARIABLES, connected, key_problem, missing_key
from annotate.models.providers.gemini.http_client import GeminiHttpClient
from annotate.models.providers.gemini.reply import text_in
from annotate.models.providers.gemini.uploads import ClipUploads
from annotate.models.request import AttemptFailure, Estimate, JudgeRequest, Refusal, Reply
from contracts.bounds import Count, Megabytes, Pause, Rate, Seconds, Temperature, Tokens, UsdPerMillion
from contracts.errors import SetupError
from storage.blobs import BlobStore

if TYPE_CHECKING:
    from google.genai import types

_TOKENS_PER_S: Final = 32  # of audio, Gemini API documentation
_WRAPPING_TOKENS: Final = 256  # of labels and parts, and of clips whose last second counts as a whole one
_MB: Final = 1_000_000
_LIVE_CLIP_S: Final = 600.0  # a clip must outlive the request that names it


@dataclass(frozen=True, kw_only=True)
class Gemini:
    """A Gemini model.

    Attributes:
        model: model name of the API; UniSRM's Task 1 used Gemini 2.0 Flash.
        temperature: sampling temperature.
        max_output_tokens: longest reply, thoughts included.
        concurrency: most requests in flight at once.
        requests_per_minute: the account's limit; None = none is known.
        tokens_per_minute: likewise, on input tokens.
        timeout_s: longest wait for one attempt.
        max_attempts: how often a request is sent before it counts as failed.
        backoff_s: longest first wait before a retry, doubled each time, where the server asks for none.
        base_url: another address of the API, such as a proxy.
        usd_per_million: prices per million tokens (text input, audio input, output) of a model that ``prices`` lacks.
        inline_mb: largest request with its clips inside; the clips of a larger one are uploaded (the API allows 20 MB).
        batch_requests: most requests of one batch. Accounts have a limit on the tokens of all batches that wait.
        batch_mb: largest file of one batch (the API allows 2 GB).
    """

    name: ClassVar[str] = "gemini"
    facts: ClassVar[tuple[str, ...]] = ()
    repeatable: ClassVar[bool] = False
    tasks: ClassVar[tuple[str, ...] | None] = None
    has_batches: ClassVar[bool] = True
    key_variables: ClassVar[tuple[str, ...]] = KEY_VARIABLES

    model: str = "gemini-2.5-flash"
    temperature: Temperature = 0.0
    max_output_tokens: Tokens = 4096
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 8
    requests_per_minute: Rate | None = None
    tokens_per_minute: Rate | None = None
    timeout_s: Seconds = 120.0
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 6
    backoff_s: Pause = 1.0
    base_url: str | None = None
    usd_per_million: Sequence[UsdPerMillion] | None = None
    inline_mb: Megabytes = 20.0
    batch_requests: Count = 10_000
    batch_mb: Megabytes = 1000.0

    def __post_init__(self) -> None:
        assert self.pace  # checks its limits
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must start with http:// or https://, got {self.base_url!r}")
        if price_of(self.model, self.usd_per_million) is None:
            raise ValueError(
                f"no price is known for {self.model!r}: set usd_per_million (text input, audio input, output) or "
                f"take one of {', '.join(PRICE_LISTS['gemini'].prices)}"
            )

    @property
    def version(self) -> str:
        """Version of the client."""
        return client_version("google-genai")

    @property
    def pace(self) -> Pace:
        """Rate limits, time-out and retries."""
        return Pace.of(self)

    @property
    def price(self) -> Price:
        """What the model charges."""
        price = price_of(self.model, self.usd_per_million)
        assert price is not None
        return price

    def params(self) -> Mapping[str, str | int | float | bool | None]:
        """Return what can change an answer."""
        return {"temperature": self.temperature, "max_output_tokens": self.max_output_tokens}

    def missing(self) -> str | None:
        """Say which package or key is missing."""
        return missing_key()

    def key_problem(self) -> str | None:
        """Request the description of the model; see ``annotate.models.judge.Judge``."""
        return key_problem(self._http, self.model)

    def estimate(self, prompt: str, audio_s: float, *, batch: bool = False) -> Estimate:
        """Return the most that one attempt can take: a token for every character, and a reply of full length."""
        text_tokens, audio_tokens = len(prompt) + _WRAPPING_TOKENS, math.ceil(audio_s * _TOKENS_PER_S)
        most = self.max_output_tokens
        usd = self.price.usd(text_tokens=text_tokens, audio_tokens=audio_tokens, output_tokens=most, batch=batch)
        return Estimate(input_tokens=text_tokens + audio_tokens, output_tokens=most, usd=usd)

    def text_in(self, raw: str) -> str | Refusal | None:
        """Return the text of a kept reply; see ``annotate.models.judge.Judge``."""
        return text_in(raw)

    async def estimate_of(self, request: JudgeRequest, uploads: ClipUploads, *, batch: bool) -> Estimate:
        """Return the estimate of one request, from the measured lengths of its clips."""
        labels = "".join(f"[{audio.label}]" for audio in request.audios)
        audio_s = sum(math.ceil(duration_s) for duration_s in await uploads.duration_s(request))
        return self.estimate(request.prompt + labels, audio_s, batch=batch)

    @contextlib.asynccontextmanager
    async def open(self, clips: BlobStore | None) -> AsyncIterator[JudgeSession]:
        """Open a session; see ``annotate.models.judge.Judge``."""
        async with self._http() as http:
            yield GeminiSession(judge=self, http=http, uploads=self.uploads(clips, http, _LIVE_CLIP_S), config=self._config())

    @contextlib.asynccontextmanager
    async def open_batches(self, clips: BlobStore | None) -> AsyncIterator[BatchSession]:
        """Open a session of the batch interface."""
        from annotate.models.providers.gemini.batches import CLIP_LIVES_S, GeminiBatches

        async with self._http() as http:
            yield GeminiBatches(judge=self, http=http, uploads=self.uploads(clips, http, CLIP_LIVES_S))

    def uploads(self, clips: BlobStore | None, http: GeminiHttpClient, lives_s: float) -> ClipUploads:
        """Return the uploads of clips."""
        return ClipUploads(clips, http, inline_bytes=int(self.inline_mb * _MB), lives_s=lives_s)

    @contextlib.asynccontextmanager
    async def _http(self) -> AsyncIterator[GeminiHttpClient]:
        if (problem := self.missing()) is not None:
            raise SetupError(f"judge {self.name!r}: {problem}")
        async with connected(base_url=self.base_url, timeout_s=self.timeout_s, concurrency=self.concurrency) as http:
            yield http

    def _config(self) -> "types.GenerateContentConfig":
        from google.genai import types

        return types.GenerateContentConfig(
            temperature=self.temperature,
            max_output_tokens=self.max_output_tokens,
            candidate_count=1,
            automatic_continuation=False,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            should_return_http_response=True,  # the ledger keeps the body as it came
        )


@dataclass(frozen=True, kw_only=True)
class GeminiSession:
    """An open session."""

    judge: Gemini
    http: GeminiHttpClient
    uploads: ClipUploads
    config: "types.GenerateContentConfig"

    async def estimate(self, request: JudgeRequest) -> Estimate:
        """Return the most that one attempt of this request can take."""
        return await self.judge.estimate_of(request, self.uploads, batch=False)

    async def attempt(self, request: JudgeRequest) -> Reply | Refusal | AttemptFailure:
        """Send the request once, after uploading the clips that do not fit into it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.judge.timeout_s
        highest = await self.estimate(request)  # reads the clips, which must not fail once the reply is paid
        parts = await self.uploads.parts(request, self.judge.timeout_s)
        if isinstance(parts, AttemptFailure):
            return parts
        if (left_s := deadline - loop.time()) <= 0:
            return AttemptFailure(reason="timeout", message="the clips were read or uploaded too slowly", kind="transient")
        reply = await self.http.generate(model=self.judge.model, parts=parts, config=self.config, limit_s=left_s)
        if not isinstance(reply, AttemptFailure):
            return reply.answer(self.judge.price, highest=highest, has_audio=bool(request.audios))
        if reply.reason == "expired":
            self.uploads.forget(request)
        return reply


PLUGIN = Gemini
