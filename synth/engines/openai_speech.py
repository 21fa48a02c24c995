"""Speech by OpenAI's interface ``POST /v1/audio/speech``: OpenAI's own models, and those of the many servers that offer it.

The key is in the environment variable ``OPENAI_API_KEY``, or in the one that ``key_variable`` names. Voices and limits are from
OpenAI's reference ("Create speech", as of 2026-06): 13 voices, of which tts-1 and tts-1-hd have nine; 4,096 characters; 24 kHz.
Languages are from its guide "Text to speech" ("Supported languages"), which says that the voices are made for English. A server
of one's own has others: name its voices, its languages and its rate.
"""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from annotate.models.judge import BatchSession, JudgeSession, Pace
from annotate.models.prices import FREE_SPEECH, SPEECH_PRICE_LISTS, SpeechPrice, speech_price_of
from annotate.models.providers.client_versions import client_version
from annotate.models.providers.openai.client import check_url, key_problem, missing_key
from annotate.models.providers.openai.http_client import OpenAIHttpClient, connected
from annotate.models.providers.openai.speech import OpenAISpeechSession, speech_estimate
from annotate.models.request import Estimate
from contracts.bounds import Count, Pause, Rate, Seconds, UsdPerMillion
from contracts.errors import SetupError
from contracts.jobs import Resources
from contracts.languages import Language
from contracts.licences import Licence
from storage.blobs import BlobStore
from synth.engine import Voice
from synth.text_frontend import Control

_VOICES: Final = (
    *("alloy", "ash", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer"),
    *("ballad", "verse", "marin", "cedar"),
)
_OLDER_VOICES: Final = _VOICES[:9]
_OLDER_MODELS: Final = ("tts-1", "tts-1-hd")
_LANGUAGES: Final = (
    "en", "zh", "af", "ar", "az", "be", "bg", "bs", "ca", "cs", "cy", "da", "de", "el", "es", "et", "fa", "fi", "fr",
    "gl", "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "kk", "kn", "ko", "lt", "lv", "mi", "mk", "mr", "ms",
    "ne", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "sw", "ta", "th", "tl", "tr", "uk", "ur", "vi",
)  # fmt: skip
_RATE_HZ: Final = 24000
_SERVER_DIGITS: Final = 12


@dataclass(frozen=True, kw_only=True)
class OpenAISpeech:
    """A model behind OpenAI's speech interface.

    Attributes:
        model: model name of the API.
        voice_names: the voices that it has; null = OpenAI's. A recipe's ``voices`` chooses among them.
        languages: first parts of BCP 47 tags of what it speaks, and ``mixed`` for code-switching.
        instructions: how to speak, for a model that takes instructions (not tts-1 and tts-1-hd).
        speed: 0.25 to 4; null = the server's default, 1.
        response_format: what the server sends and the ledger keeps: ``wav``, ``flac`` (half of it) and ``pcm`` exactly, ``mp3``
            and ``opus`` lossy and smaller.
        sample_rate_hz: rate at which it speaks; another one is a failure.
        max_characters: longest text that it takes.
        license: licence of the speech: an SPDX expression or ``LicenseRef-NAME``.
        base_url: a compatible server, such as ``http://gpu1:8000/v1``; null = OpenAI.
        key_variable: environment variable that holds the key; empty for a server that wants none.
        usd_per_million: prices per million tokens (text input, audio output) of a model that ``prices`` lacks; behind a
            ``base_url`` a model is free without a price.
        usd_per_million_characters: price per million characters, of a model that bills these instead.
        concurrency: see ``annotate.models.judge.Pace``, as the others below.
        requests_per_minute: see there.
        tokens_per_minute: see there.
        timeout_s: see there.
        max_attempts: see there.
        backoff_s: see there.
    """

    name: ClassVar[str] = "openai_speech"
    kind: ClassVar[str] = "engine"
    is_service: ClassVar[bool] = True
    architecture: ClassVar[str] = "undisclosed"
    clones_voice: ClassVar[bool] = False
    cpu_s_per_audio_s: ClassVar[float | None] = 0.02
    ascii_only: ClassVar[bool] = False
    # Some servers take pauses, phonemes and sounds in brackets.
    controls: ClassVar[tuple[Control, ...]] = (Control(pattern=r"[\[\]]"),)
    facts: ClassVar[tuple[str, ...]] = ()
    has_batches: ClassVar[bool] = False

    model: str = "gpt-4o-mini-tts"
    voice_names: tuple[str, ...] | None = None
    languages: tuple[Language, ...] = _LANGUAGES
    instructions: str = ""
    speed: Annotated[float, Field(ge=0.25, le=4.0)] | None = None
    response_format: Literal["wav", "flac", "pcm", "mp3", "opus"] = "wav"
    sample_rate_hz: Annotated[int, Field(ge=8000, le=48000)] = _RATE_HZ
    max_characters: Count = 4096
    license: Licence = "LicenseRef-OpenAI-Services-Agreement"
    base_url: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    usd_per_million: Sequence[UsdPerMillion] | None = None
    usd_per_million_characters: UsdPerMillion | None = None
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
        if self.instructions and self.model in _OLDER_MODELS:
            raise ValueError(f"{self.model} takes no instructions")
        if self.voice_names is not None and len(set(self.voice_names)) != len(self.voice_names) > 0:
            raise ValueError("voice_names: a voice is named twice")
        if not self.voices() or not self.languages:
            raise ValueError("voice_names and languages must name at least one")
        if self._price is None:
            known = ", ".join(SPEECH_PRICE_LISTS["openai"].prices)
            raise ValueError(
                f"no price is known for {self.model!r}: set usd_per_million (text input, audio output) or "
                f"usd_per_million_characters, or take one of {known}"
            )
        assert self.pace  # a bad value raises

    @property
    def _price(self) -> SpeechPrice | None:
        known = speech_price_of(
            "openai",
            self.model,
            usd_per_million=self.usd_per_million,
            usd_per_million_characters=self.usd_per_million_characters,
        )
        return FREE_SPEECH if known is None and self.base_url is not None else known

    @property
    def price(self) -> SpeechPrice:
        """What the model charges."""
        assert self._price is not None, "the constructor refuses a model without a price"
        return self._price

    @property
    def pace(self) -> Pace:
        """Rate limits, time-out and retries."""
        return Pace.of(self)

    @property
    def version(self) -> str:
        """Version of the client, for replies that do not name a model."""
        return client_version("openai")

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The environment variable that holds its key, if it wants one."""
        return (self.key_variable,) if self.key_variable else ()

    @property
    def resources(self) -> Resources:
        """Nothing: its requests are sent by the process that builds."""
        return Resources(cpus=0.0, batch_size=1)

    def voices(self) -> tuple[Voice, ...]:
        """Return the voices."""
        own = _OLDER_VOICES if self.model in _OLDER_MODELS else _VOICES
        return tuple(
            Voice(
                name=name,
                model=self.model,
                license=self.license,
                architecture=self.architecture,
                sample_rate_hz=self.sample_rate_hz,
            )
            for name in (own if self.voice_names is None else self.voice_names)
        )

    def params(self) -> dict[str, object]:
        """Return what can change a clip. Another server's model is another model; its address is not released."""
        optional: dict[str, object] = {}
        if self.instructions:
            optional["instructions"] = self.instructions
        if self.speed is not None:
            optional["speed"] = self.speed
        if self.response_format == "pcm":
            optional["sample_rate_hz"] = self.sample_rate_hz
        if self.base_url is not None:
            optional["server"] = hashlib.sha256(self.base_url.rstrip("/").encode()).hexdigest()[:_SERVER_DIGITS]
        return {"model": self.model, "response_format": self.response_format, **optional}

    def missing(self) -> str | None:
        """Say which package or key is missing."""
        return missing_key(self.key_variable)

    def key_problem(self) -> str | None:
        """Request the list of models; see ``annotate.models.judge.Service``."""
        return key_problem(self._connected, self.key_variable)

    def installed_version(self) -> None:
        """Return nothing: each reply names the model that spoke, if any does."""

    def estimate(self, text: str, longest_s: float) -> Estimate:
        """Return the most that one attempt can take."""
        return speech_estimate(self.price, text, self.instructions, longest_s)

    @contextlib.asynccontextmanager
    async def open(self, _clips: BlobStore | None) -> AsyncIterator[JudgeSession]:
        """Open a session.

        Raises:
            SetupError: the package or the key is missing.
        """
        options: dict[str, Any] = {"model": self.model, "response_format": self.response_format}
        options |= {name: value for name in ("instructions", "speed") if (value := getattr(self, name))}
        async with self._connected() as http:
            yield OpenAISpeechSession(http=http, price=self.price, options=options, sample_rate_hz=self.sample_rate_hz)

    def open_batches(self, _clips: BlobStore | None) -> contextlib.AbstractAsyncContextManager[BatchSession]:
        """Refuse: there are none.

        Raises:
            SetupError: always.
        """
        raise SetupError(f"engine {self.name!r} has no batch interface")

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[OpenAIHttpClient]:
        if (problem := self.missing()) is not None:
            raise SetupError(f"engine {self.name!r}: {problem}")
        async with connected(
            base_url=self.base_url, key_variable=self.key_variable, timeout_s=self.timeout_s, concurrency=self.concurrency
        ) as http:
            yield http


PLUGIN = OpenAISpeech
