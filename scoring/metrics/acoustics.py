"""Acoustic features beside those of ``prosody``: voice quality, pauses, rate without a text, and the channel.

Together both metrics give what a rationale that cites measurements may cite (GSRM); docs/features.md lists each value with
its unit and source. Speech and pauses are those of ``scoring.speech_activity``, F0 is that of ``scoring.pitch``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from contracts.jobs import Failure, Resources
from scoring.channel import bandwidth_hz, clipped_share, snr_db
from scoring.feature import Feature
from scoring.glottal_pulses import glottal_pulses, jitter, shimmer
from scoring.metric import Measurement, MetricRequest
from scoring.pitch import HOP_S, Floats, PitchTrack, in_register, track_pitch
from scoring.speech_activity import FFT, RATE_HZ, WINDOW, Mask, speech_activity
from scoring.syllables import syllable_nuclei
from synth.resampling import resample

_TILT_HZ: Final = (100.0, 5000.0)
_SHORTEST_TREND_S: Final = 0.5


class AcousticsSession:
    """Nothing to load."""

    model = "acoustics"
    model_version = "1"

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Measure clip by clip."""
        for request in requests:
            if len(request.waveform) < WINDOW:
                yield Failure(reason="too_short", message=f"{len(request.waveform)} samples are too few to measure acoustics")
            else:
                yield Measurement(values=_values(request))


def _values(request: MetricRequest) -> dict[str, float | None]:
    waveform = resample(request.waveform, request.sample_rate_hz, RATE_HZ)
    activity = speech_activity(waveform)
    if activity is None:
        return dict.fromkeys(Acoustics.value_names)
    spoken, pause_s = activity.spoken, activity.pause_s
    pitch = track_pitch(waveform, RATE_HZ)
    pulses = glottal_pulses(waveform, RATE_HZ, pitch)
    return {
        "f0_trend_semitones_per_s": _trend(pitch, in_register(pitch, pitch.voiced & spoken)),
        "speech_level_db": float(10 * np.log10(np.mean(10 ** (activity.level_db[spoken] / 10)))),
        "syllable_rate_per_s": syllable_nuclei(waveform, pitch.voiced & spoken) / activity.spoken_s,
        "pause_count": float(len(pause_s)),
        "mean_pause_s": float(np.mean(pause_s)) if pause_s else None,
        "jitter_percent": _percent(jitter(pulses, RATE_HZ)),
        "shimmer_percent": _percent(shimmer(pulses, waveform, RATE_HZ)),
        "spectral_tilt_db_per_octave": _tilt(activity.power, spoken),
        "bandwidth_hz": bandwidth_hz(request.waveform, request.sample_rate_hz, spoken),
        "clipped_percent": _percent(clipped_share(request.waveform)),
        "snr_db": snr_db(activity.level_db, activity.speech),
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _slope(places: npt.NDArray[np.floating], values: npt.NDArray[np.floating]) -> float:
    """Return the slope of the line of least squares."""
    centred = places - places.mean()
    return float(np.sum(centred * values) / np.sum(centred**2))


def _trend(pitch: PitchTrack, voiced: Mask) -> float | None:
    """Return how fast F0 rises over the whole clip; None if its voiced frames span less than half a second."""
    frames = np.flatnonzero(voiced)
    if len(frames) < 2 or (frames[-1] - frames[0]) * HOP_S < _SHORTEST_TREND_S:
        return None
    return _slope(frames * HOP_S, 12 * np.log2(pitch.f0_hz[frames]))


def _tilt(power: Floats, spoken: Mask) -> float:
    """Return the slope of the average spectrum over the octaves from 100 Hz to 5 kHz.

    As Praat's "Ltas: Report spectral trend" with a logarithmic frequency scale and least squares.
    """
    frequencies = np.fft.rfftfreq(FFT, 1 / RATE_HZ)
    used = (frequencies >= _TILT_HZ[0]) & (frequencies <= _TILT_HZ[1])
    return _slope(np.log2(frequencies[used]), 10 * np.log10(power[spoken].mean(axis=0)[used] + 1e-12))


@dataclass(frozen=True, kw_only=True)
class Acoustics:
    """Voice quality, pauses, rate without a text, and the channel.

    Values (null = not measurable, such as jitter of a clip without voiced frames):

    - ``f0_trend_semitones_per_s``: slope of the line through F0 over the whole clip, negative = falling;
    - ``speech_level_db``: mean square of speech, full scale = 0;
    - ``syllable_rate_per_s``: syllable nuclei per second of speech without pauses (de Jong & Wempe 2009);
    - ``pause_count``, ``mean_pause_s`` (null = no pause);
    - ``jitter_percent``, ``shimmer_percent``: Praat's local ones, mean difference of neighbouring periods and amplitudes;
    - ``spectral_tilt_db_per_octave``: of the long-term average spectrum, 100 Hz to 5 kHz;
    - ``bandwidth_hz``: up to where speech is within 60 dB of its strongest band;
    - ``clipped_percent``: of all samples, in flat tops;
    - ``snr_db``: power of speech over that of the quietest tenth of the clip.
    """

    value_names: ClassVar[tuple[str, ...]] = (
        "f0_trend_semitones_per_s",
        "speech_level_db",
        "syllable_rate_per_s",
        "pause_count",
        "mean_pause_s",
        "jitter_percent",
        "shimmer_percent",
        "spectral_tilt_db_per_octave",
        "bandwidth_hz",
        "clipped_percent",
        "snr_db",
    )
    features: ClassVar[Mapping[str, Feature]] = {
        "f0_trend_semitones_per_s": Feature(name="F0 trend", short="pitch trend", unit="semitones/s", decimals=1),
        "speech_level_db": Feature(name="speech level", unit="dBFS", decimals=1),
        "syllable_rate_per_s": Feature(name="syllable rate", unit="syllables/s", decimals=1),
        "pause_count": Feature(name="pause count", short="number of pauses", unit="pauses", decimals=0),
        "mean_pause_s": Feature(name="mean pause", short="mean pause length", unit="s", decimals=2),
        "jitter_percent": Feature(name="jitter", unit="%", decimals=2),
        "shimmer_percent": Feature(name="shimmer", unit="%", decimals=1),
        "spectral_tilt_db_per_octave": Feature(name="spectral tilt", unit="dB/octave", decimals=1),
        "bandwidth_hz": Feature(name="bandwidth", unit="Hz", decimals=0),
        "clipped_percent": Feature(name="clipping", short="clipped share", unit="%", decimals=2),
        "snr_db": Feature(name="signal-to-noise ratio", short="SNR", unit="dB", decimals=0),
    }
    nuisances: ClassVar[Mapping[str, float]] = {"bandwidth_hz": 100.0}
    cpu_s_per_audio_s: ClassVar[float | None] = 0.04
    needs_reference: ClassVar[bool] = False

    @property
    def resources(self) -> Resources:
        """One core, no model."""
        return Resources(batch_size=32)

    def missing(self) -> str | None:
        """Nothing: numpy and scipy are always there."""
        return None

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return AcousticsSession.model_version

    def open(self) -> AcousticsSession:
        """Return a session; there is nothing to load."""
        return AcousticsSession()


PLUGIN = Acoustics
