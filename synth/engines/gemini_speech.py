"""Speech by Google's Gemini models, over the google-genai SDK.

Needs an API key in the environment variable ``GEMINI_API_KEY`` or ``GOOGLE_API_KEY``. Voices, languages and rate are those of
the Gemini API's guide "Speech generation": 30 prebuilt voices; 24 languages, and newer models more, which the model recognises;
24 kHz. The models take the text as a part of a prompt, and act on what sounds like directions: it is introduced by
``instructions``, and audio tags such as [whispers] lose their brackets, so that they are read like any other word.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from pydantic import Field

from annotate.models.judge import BatchSession, JudgeSession, Pace
from annotate.models.prices import SPEECH_PRICE_LISTS, SpeechPrice, speech_price_of
from annotate.models.providers.client_versions import client_version
from annotate.models.providers.gemini.connection import KEY_VARIABLES, connected, key_problem, missing_key
from annotate.models.providers.gemini.http_client import GeminiHttpClient
from annotate.models.providers.gemini.speech import GeminiSpeechSession, speech_estimate
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
    "Kore", "Puck", "Zephyr", "Charon", "Fenrir", "Leda", "Orus", "Aoede", "Callirrhoe", "Autonoe", "Enceladus",
    "Iapetus", "Umbriel", "Algieba", "Despina", "Erinome", "Algenib", "Rasalgethi", "Laomedeia", "Achernar", "Alnilam",
    "Schedar", "Gacrux", "Pulcherrima", "Achird", "Zubenelgenubi", "Vindemiatrix", "Sadachbia", "Sadaltager", "Sulafat",
)  # fmt: skip
_LANGUAGES: Final = (
    "en", "zh", "ar", "bn", "de", "es", "fr", "hi", "id", "it", "ja", "ko", "mr", "nl", "pl", "pt", "ro", "ru", "ta",
    "te", "th", "tr", "uk", "vi",
)  # fmt: skip
_INSTRUCTIONS: Final = "Read the following text aloud, exactly as it is written:"
_RATE_HZ: Final = 24000


@dataclass(frozen=True, kw_only=True)
class GeminiSpeech:
    """A Gemini model that speaks.

    Attributes:
        model: model name of the API.
        voice_names: the voices that it has. A recipe's ``voices`` chooses among them.
        languages: first parts of BCP 47 tags of what it speaks, and ``mixed`` for code-switching.
        instructions: what stands before the text in the prompt: that it is to be read, and how.
        max_characters: longest text that it takes.
        license: licence of the speech: an SPDX expression or ``LicenseRef-NAME``.
        base_url: another address of the API, such as a proxy.
        usd_per_million: prices per million tokens (text input, audio output) of a model that ``prices`` lacks.
        concurrency: see ``annotate.models.judge.Pace``, as the others below.
        requests_per_minute: see there.
        tokens_per_minute: see there.
        timeout_s: see there.
        max_attempts: see there.
        backoff_s: see there.
    """

    name: ClassVar[str] = "gemini_speech"
    kind: ClassVar[str] = "engine"
    is_service: ClassVar[bool] = True
    architecture: ClassVar[str] = "undisclosed"
    clones_voice: ClassVar[bool] = False
    cpu_s_per_audio_s: ClassVar[float | None] = 0.02
    ascii_only: ClassVar[bool] = False
    controls: ClassVar[tuple[Control, ...]] = (Control(pattern=r"[\[\]]"),)
    facts: ClassVar[tuple[str, ...]] = ()
    has_batches: ClassVar[bool] = False
    key_variables: ClassVar[tuple[str, ...]] = KEY_VARIABLES

    model: str = "gemini-3.8-flash-tts"
    voice_names: tuple[str, ...] = _VOICES
    languages: tuple[Language, ...] = _LANGUAGES
    instructions: str = _INSTRUCTIONS
    max_characters: Count = 4000
    license: Licence = "LicenseRef-Gemini-API-Additional-Terms"
    base_url: str | None = None
    usd_per_million: Sequence[UsdPerMillion] | None = None
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 8
    requests_per_minute: Rate | None = None
    tokens_per_minute: Rate | None = None
    timeout_s: Seconds = 120.0
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 6
    backoff_s: Pause = 1.0

    def __post_init__(self) -> None:
        assert self.pace  # checks its limits
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must start with http:// or https://, got {self.base_url!r}")
        if not self.voice_names or not self.languages:
            raise ValueError("voice_names and languages must name at least one")
        if len(set(self.voice_names)) != len(self.voice_names):
            raise ValueError("voice_names: a voice is named twice")
        if self._price is None:
            raise ValueError(
                f"no price is known for {self.model!r}: set usd_per_million (text input, audio output) or "
                f"take one of {', '.join(SPEECH_PRICE_LISTS['gemini'].prices)}"
            )

    @property
    def _price(self) -> SpeechPrice | None:
        return speech_price_of("gemini", self.model, usd_per_million=self.usd_per_million, usd_per_million_characters=None)

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
        return client_version("google-genai")

    @property
    def resources(self) -> Resources:
        """Nothing: its requests are sent by the process that builds."""
        return Resources(cpus=0.0, batch_size=1)

    def voices(self) -> tuple[Voice, ...]:
        """Return the voices."""
        return tuple(
            Voice(name=name, model=self.model, license=self.license, architecture=self.architecture, sample_rate_hz=_RATE_HZ)
            for name in self.voice_names
        )

    def params(self) -> dict[str, object]:
        """Return what can change a clip."""
        return {"model": self.model, "instructions": self.instructions}

    def missing(self) -> str | None:
        """Say which package or key is missing."""
        return missing_key()

    def key_problem(self) -> str | None:
        """Request the description of the model; see ``annotate.models.judge.Service``."""
        return key_problem(self._connected, self.model)

    def installed_version(self) -> None:
        """Return nothing: each reply names the model that spoke."""

    def estimate(self, text: str, longest_s: float) -> Estimate:
        """Return the most that one attempt can take."""
        return speech_estimate(self.price, self._prompt(text), longest_s)

    def _prompt(self, text: str) -> str:
        return f"{self.instructions}\n\n{text}" if self.instructions else text

    @contextlib.asynccontextmanager
    async def open(self, _clips: BlobStore | None) -> AsyncIterator[JudgeSession]:
        """Open a session.

        Raises:
            SetupError: the package or the key is missing.
        """
        async with self._connected() as http:
            yield GeminiSpeechSession(
                http=http, model=self.model, price=self.price, prompt_of=self._prompt, timeout_s=self.timeout_s
            )

    def open_batches(self, _clips: BlobStore | None) -> contextlib.AbstractAsyncContextManager[BatchSession]:
        """Refuse: there are none.

        Raises:
            SetupError: always.
        """
        raise SetupError(f"engine {self.name!r} has no batch interface")

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[GeminiHttpClient]:
        if (problem := self.missing()) is not None:
            raise SetupError(f"engine {self.name!r}: {problem}")
        async with connected(base_url=self.base_url, timeout_s=self.timeout_s, concurrency=self.concurrency) as http:
            yield http


PLUGIN = GeminiSpeech
