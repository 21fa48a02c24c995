"""Voice transfer without weights: another engine speaks, and WORLD moves its voice towards the reference's.

WORLD (``synth.world_vocoder``) takes speech apart into F0, spectral envelope and aperiodicity, and puts it together again. In
between, log F0 gets the median and the spread of the reference, and the envelope its mean over voiced frames. The result sounds
more like the speaker and less natural, so that this is a cloning system whose similarity and quality can be measured on any
machine; it is no substitute for a zero-shot model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version as package_version
from typing import Annotated, Any, ClassVar, Final

import numpy as np
from pydantic import Field

from contracts import plugins
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from synth.engine import (
    Reference,
    RenderRequest,
    Samples,
    Session,
    SessionEngine,
    TakeSetting,
    Voice,
    Waveform,
    is_service,
    refusal,
    varies_by,
)
from synth.resampling import resample
from synth.text_frontend import Control
from synth.world_vocoder import FRAME_S, RATE_HZ, Signal, Speech, analysis, missing_packages, synthesis

_LEAST_VOICED_S: Final = 0.25  # less says nothing of a voice
_LARGEST_CHANGE: Final = 6.0  # of the log power of a frequency; 26 dB
_LEAST_DEVIATION: Final = 1e-3  # of log F0, where a voice is a monotone


@dataclass(frozen=True, kw_only=True)
class WorldTransfer:
    """Configuration of the transfer.

    Attributes:
        source: name of the engine that speaks; one that clones voices itself, and a service, are refused.
        source_voice: one of its voices; None = its default.
        source_options: its options.
        intonation: factor on the spread of log F0, on top of the reference's: near 0 is a monotone, 2 is sing-song. Another
            one than 1 makes clips whose prosody is altered on purpose.
    """

    architecture: ClassVar[str] = "WORLD voice transfer"
    clones_voice: ClassVar[bool] = True
    cpu_s_per_audio_s: ClassVar[float | None] = 0.4

    source: str = "piper"
    source_voice: str | None = None
    source_options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    intonation: Annotated[float, Field(ge=0, le=4)] = 1.0

    def __post_init__(self) -> None:
        if self.source == __name__.rpartition(".")[2] or self._source.clones_voice:
            raise ValueError(f"source {self.source!r} clones voices itself: name an engine with voices of its own")
        if is_service(self._source):
            raise ValueError(f"source {self.source!r} is a service: name an engine that runs on this machine")
        names = [voice.name for voice in self._source.voices()]
        if self.source_voice is not None and self.source_voice not in names:
            raise ValueError(f"{self.source} has no voice {self.source_voice!r}: it has {', '.join(names)}")

    @cached_property
    def _source(self) -> SessionEngine:
        engine: SessionEngine = plugins.configure("engine", self.source, self.source_options)
        return engine

    @property
    def _spoken_by(self) -> Voice:
        voices = self._source.voices()
        return next((voice for voice in voices if voice.name == self.source_voice), voices[0])

    @property
    def languages(self) -> tuple[str, ...]:
        """Those of the engine that speaks."""
        return self._source.languages

    @property
    def ascii_only(self) -> bool:
        """As the engine that speaks."""
        return self._source.ascii_only

    @property
    def controls(self) -> tuple[Control, ...]:
        """Control syntax of the voice that speaks, which here goes by the name of the reference."""
        name = self._spoken_by.name
        return tuple(
            replace(control, voices=()) for control in self._source.controls if not control.voices or name in control.voices
        )

    @property
    def varies_by(self) -> tuple[TakeSetting, ...]:
        """As the engine that speaks."""
        return varies_by(self._source)

    @property
    def resources(self) -> Resources:
        """What the engine that speaks occupies."""
        return self._source.resources

    def voices(self) -> tuple[Voice, ...]:
        """Return the one voice: that of the reference, in the words of the voice that speaks."""
        spoken_by = self._spoken_by
        model = f"WORLD over {spoken_by.model}"
        return (replace(spoken_by, name="reference", model=model, architecture=self.architecture, sample_rate_hz=RATE_HZ),)

    def missing(self) -> str | None:
        """Return what to install."""
        if problem := missing_packages():
            return problem
        problem = self._source.missing()
        return problem and f"{self.source}: {problem}"

    def installed_version(self) -> str | None:
        """Return what a session here reports as its version."""
        source = self._source.installed_version()
        return source and _version(source)

    def params(self) -> dict[str, object]:
        """Return which engine and voice speak, and how."""
        params: dict[str, object] = {
            "source": self.source,
            "source_voice": self._spoken_by.name,
            "source_params": dict(self._source.params()),
        }
        # Left out where it changes nothing: the clips are those of older versions.
        return params if self.intonation == 1 else params | {"intonation": self.intonation}

    def open(self) -> "WorldTransferSession":
        """Load the engine that speaks."""
        if problem := self.missing():
            raise SetupError(problem)
        return WorldTransferSession(self, self._source.open(), self._spoken_by.name)


class WorldTransferSession:
    """The open engine that speaks."""

    def __init__(self, engine: WorldTransfer, source: Session, voice: str) -> None:
        self._engine = engine
        self._source = source
        self._voice = voice
        self.version = _version(source.version)

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order."""
        for request in requests:
            yield refusal(request, self._engine) or self._imitate(request)

    def _imitate(self, request: RenderRequest) -> Waveform | Failure:
        reference = request.reference
        assert reference is not None  # refusal() lets no request without one through
        target = _voice_of(analysis(_at_rate(reference)))
        if target is None:
            return Failure("reference_without_voice", f"less than {_LEAST_VOICED_S:g} s of the reference are voiced")
        (spoken,) = self._source.render([replace(request, voice=self._voice, reference=None)])
        if isinstance(spoken, Failure):
            return spoken
        speech = resample(spoken.samples, spoken.sample_rate_hz, RATE_HZ)
        target = replace(target, f0_deviation=target.f0_deviation * self._engine.intonation)
        return Waveform(transferred(speech, target), RATE_HZ)


@dataclass(frozen=True, eq=False)
class VoiceStatistics:
    """What of a voice is moved, all over voiced frames.

    Attributes:
        f0_median: median of log F0: octave errors of the analysis move a mean.
        f0_deviation: half the distance between the 16th and the 84th percentile of log F0.
        envelope: mean log envelope, shape (bins,).
    """

    f0_median: float
    f0_deviation: float
    envelope: Signal


def _at_rate(reference: Reference) -> Samples:
    return resample(reference.waveform, reference.sample_rate_hz, RATE_HZ)


def _voice_of(speech: Speech) -> VoiceStatistics | None:
    voiced = speech.f0_hz > 0
    if voiced.sum() * FRAME_S < _LEAST_VOICED_S:
        return None
    low, median, high = np.percentile(np.log(speech.f0_hz[voiced]), [16, 50, 84])
    envelope = np.log(speech.envelope[voiced]).mean(axis=0)
    return VoiceStatistics(f0_median=float(median), f0_deviation=float(high - low) / 2, envelope=envelope)


def voice_statistics(samples: Samples) -> VoiceStatistics | None:
    """Return what is moved of the voice of 16 kHz speech; None if it holds less than 0.25 s of voice."""
    return _voice_of(analysis(samples))


def transferred(samples: Samples, target: VoiceStatistics) -> Samples:
    """Return 16 kHz speech with the F0 statistics and the mean envelope of ``target``, as loud at its peak as before.

    Speech with less than 0.25 s of voice, such as a whisper, has no voice to move and comes back as it was.
    """
    speech = analysis(samples)
    own = _voice_of(speech)
    if own is None:
        return samples
    f0, voiced = speech.f0_hz.copy(), speech.f0_hz > 0
    standard = (np.log(f0[voiced]) - own.f0_median) / max(own.f0_deviation, _LEAST_DEVIATION)
    f0[voiced] = np.exp(target.f0_median + target.f0_deviation * standard)
    change = np.clip(target.envelope - own.envelope, -_LARGEST_CHANGE, _LARGEST_CHANGE)
    signal = synthesis(replace(speech, f0_hz=f0, envelope=speech.envelope * np.exp(change)))[: len(samples)]
    peak = float(np.abs(signal).max())
    scaled: Samples = (signal * (float(np.abs(samples).max()) / peak if peak > 0 else 1.0)).astype(np.float32)
    return scaled


def _version(source: str) -> str:
    return f"pyworld {package_version('pyworld')}; {source}"


PLUGIN = WorldTransfer
