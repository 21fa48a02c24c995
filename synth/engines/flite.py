"""Flite: CMU's small synthesiser, http://cmuflite.org, with the voices that Debian compiles in.

``kal16`` joins recorded diphones; ``awb``, ``rms`` and ``slt`` are statistical parametric voices (ClusterGen: Black 2006,
"CLUSTERGEN: a statistical parametric synthesizer using trajectory modeling"). Licence of code and voices per Debian's
copyright file of flite ("All other files"): the text that SPDX calls MIT-Festival.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from contracts.bounds import Factor, Seconds
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from synth.engine import RenderRequest, TakeSetting, Voice, Waveform, answers
from synth.engine_program import TEXT_FILE, absent, speak, version
from synth.text_frontend import Control

_DIPHONE, _STATISTICAL = "diphone", "statistical parametric"

# What the voice itself sets, in flite's cmu_us_kal16.c; the others leave it at 1.
_OWN_STRETCH: Final = {"kal16": 1.1}


@dataclass(frozen=True, kw_only=True)
class Flite:
    """Configuration of Flite.

    Attributes:
        duration_stretch: factor on the length of every sound; None leaves it at what the voice itself sets.
        timeout_s: limit for one text.
    """

    architecture: ClassVar[str] = f"{_DIPHONE}, {_STATISTICAL}"
    languages: ClassVar[tuple[str, ...]] = ("en",)
    clones_voice: ClassVar[bool] = False
    cpu_s_per_audio_s: ClassVar[float | None] = 0.03
    varies_by: ClassVar[tuple[TakeSetting, ...]] = ("duration_factor",)
    ascii_only: ClassVar[bool] = True
    controls: ClassVar[tuple[Control, ...]] = ()

    duration_stretch: Factor | None = None
    timeout_s: Seconds = 60.0

    @property
    def resources(self) -> Resources:
        """One CPU; texts take milliseconds, so batches are large."""
        return Resources(batch_size=32)

    def voices(self) -> tuple[Voice, ...]:
        """Return the compiled-in 16 kHz voices."""
        kinds = {"rms": _STATISTICAL, "awb": _STATISTICAL, "slt": _STATISTICAL, "kal16": _DIPHONE}
        return tuple(
            Voice(name=name, model=f"flite {name}", license="MIT-Festival", architecture=kind, sample_rate_hz=16000)
            for name, kind in kinds.items()
        )

    def missing(self) -> str | None:
        """Return how to install the program if it is not there."""
        return absent("flite", "flite")

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return version(["flite", "--version"], r"version: (flite-[0-9.]+)")

    def params(self) -> dict[str, object]:
        """Return the duration stretch if one is set."""
        return {} if self.duration_stretch is None else {"duration_stretch": self.duration_stretch}

    def open(self) -> "FliteSession":
        """Look for the program and ask its version."""
        if problem := self.missing():
            raise SetupError(problem)
        return FliteSession(self)


class FliteSession:
    """One process per text."""

    def __init__(self, engine: Flite) -> None:
        self._engine = engine
        self.version = engine.installed_version()

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order."""
        yield from answers(requests, self._engine, self._speak)

    def _speak(self, request: RenderRequest) -> Waveform | Failure:
        stretch = self._engine.duration_stretch
        if request.duration_factor is not None:
            stretch = request.lengthened(_OWN_STRETCH.get(request.voice, 1.0) if stretch is None else stretch)
        options = [] if stretch is None else ["--setf", f"duration_stretch={stretch}"]
        argv = ["flite", "-voice", request.voice, *options, "-f", TEXT_FILE, "-o", "1.wav"]
        return speak(argv, request.text, self._engine.timeout_s)


PLUGIN = Flite
