"""eSpeak NG: formant synthesis, https://github.com/espeak-ng/espeak-ng.

The program and its voice data are GPL-3.0-or-later (Debian's copyright file of espeak-ng); it is called as a program, never
linked. Variants: ``+f3`` shifts formants and pitch to a female voice, ``+klatt*`` use Klatt's cascade formant synthesiser
(Klatt 1980, "Software for a cascade/parallel formant synthesizer").
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from contracts.bounds import Seconds
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from synth.engine import RenderRequest, TakeSetting, Voice, Waveform, answers
from synth.engine_program import absent, speak, version
from synth.text_frontend import Control

_FORMANT, _KLATT = "formant", "formant (Klatt)"
_SLOWEST_WPM, _FASTEST_WPM = 80, 450  # beyond them it changes nothing, in silence
_VOICES: Final = {
    "en": {"en-us": _FORMANT, "en-us+f3": _FORMANT, "en-us+klatt": _KLATT, "en-us+klatt2": _KLATT},
    "zh": {"cmn": _FORMANT, "cmn+f3": _FORMANT, "cmn+klatt2": _KLATT},
}
"""Language -> the voice of it and variants that differ clearly from that, with their architecture."""


@dataclass(frozen=True, kw_only=True)
class Espeak:
    """Configuration of eSpeak NG.

    Attributes:
        language: the language to speak, ``en`` or ``zh``. The Mandarin is hard to understand: a low anchor.
        words_per_minute: speaking rate.
        pitch: 0 to 99, 50 is the voice's own.
        timeout_s: limit for one text.
    """

    architecture: ClassVar[str] = _FORMANT
    clones_voice: ClassVar[bool] = False
    cpu_s_per_audio_s: ClassVar[float | None] = 0.005
    varies_by: ClassVar[tuple[TakeSetting, ...]] = ("duration_factor",)
    ascii_only: ClassVar[bool] = False
    # Double brackets switch espeak-ng to phoneme mnemonics.
    controls: ClassVar[tuple[Control, ...]] = (Control(pattern=r"\[(?=\[)", replacement="[ "),)

    language: Literal["en", "zh"] = "en"
    words_per_minute: Annotated[int, Field(ge=_SLOWEST_WPM, le=_FASTEST_WPM)] = 175
    pitch: Annotated[int, Field(ge=0, le=99)] = 50
    timeout_s: Seconds = 60.0

    @property
    def languages(self) -> tuple[str, ...]:
        """The one that it is configured for."""
        return (self.language,)

    @property
    def resources(self) -> Resources:
        """One CPU; texts take milliseconds, so batches are large."""
        return Resources(batch_size=32)

    def voices(self) -> tuple[Voice, ...]:
        """Return the language's voice and its variants."""
        return tuple(
            Voice(
                name=name,
                model=f"espeak-ng {name}",
                license="GPL-3.0-or-later",
                architecture=kind,
                sample_rate_hz=22050,
                source_type="algorithmicMedia",
            )
            for name, kind in _VOICES[self.language].items()
        )

    def missing(self) -> str | None:
        """Return how to install the program if it is not there."""
        return absent("espeak-ng", "espeak-ng")

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return f"espeak-ng {version(['espeak-ng', '--version'], r'([0-9]+(?:[.][0-9]+)+)')}"

    def params(self) -> dict[str, object]:
        """Return speaking rate and pitch; the voice's name says the language."""
        options = asdict(self)
        del options["timeout_s"], options["language"]
        return options

    def open(self) -> "EspeakSession":
        """Look for the program and ask its version."""
        if problem := self.missing():
            raise SetupError(problem)
        return EspeakSession(self)


class EspeakSession:
    """One process per text."""

    def __init__(self, engine: Espeak) -> None:
        self._engine = engine
        self.version = engine.installed_version()

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order."""
        yield from answers(requests, self._engine, self._speak)

    def _speak(self, request: RenderRequest) -> Waveform | Failure:
        engine = self._engine
        words_per_minute = round(request.slowed(engine.words_per_minute))
        if not _SLOWEST_WPM <= words_per_minute <= _FASTEST_WPM:
            limits = f"{words_per_minute} words per minute; between {_SLOWEST_WPM} and {_FASTEST_WPM} are possible"
            return Failure("unsupported_take", f"duration_factor {request.duration_factor:g} makes it {limits}")
        argv = ["espeak-ng", "-v", request.voice, "-s", str(words_per_minute), "-p", str(engine.pitch),
                "-b", "1", "-w", "1.wav", "--stdin"]  # fmt: skip
        return speak(argv, request.text, engine.timeout_s)


PLUGIN = Espeak
