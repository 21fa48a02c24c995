"""Melody, rhythm and mechanical traces of speech, measured without a trained model.

Speech and pauses are those of ``scoring.speech_activity``, F0 is that of ``scoring.pitch``. Some values are there because
machines betray themselves by them:

- ``f0_range_semitones``, ``f0_slope_semitones_per_s``: rule-driven and averaged intonation is flat and drifts slowly;
- ``flux_floor_ratio``: statistical models average the spectrum over time (Toda & Tokuda, "A speech parameter generation
  algorithm considering global variance", IEICE Trans. E90-D, 2007) and formant synthesisers hold targets, so that their
  stillest frames are far stiller than their typical ones; a living vocal tract never holds still;
- ``high_band_periodicity``: above 2.5 kHz real voicing is mostly breath noise; impulse-driven synthesis buzzes there (McCree &
  Barnwell, "A mixed excitation LPC vocoder model", IEEE Trans. Speech and Audio Processing 3, 1995).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from contracts.jobs import Failure, Resources
from scoring.feature import Feature
from scoring.mel import mel_filters
from scoring.metric import Measurement, MetricRequest
from scoring.pitch import (
    HOP_S,
    OVERSAMPLING,
    Floats,
    PitchTrack,
    frames_of,
    in_register,
    normalised_autocorrelation,
    track_pitch,
)
from scoring.speech_activity import FFT, HOP, RATE_HZ, WINDOW, Mask, speech_activity
from scoring.text import READINGS, units
from synth.resampling import resample

_FLUX_BANDS: Final = 24
_FLUX_LOW_HZ: Final = 150.0
_FLUX_HIGH_HZ: Final = 6800.0
_FLUX_RANGE_DB: Final = 60.0

_HIGH_BAND_HZ: Final = (2500.0, 6500.0)
_HIGH_BAND_WINDOW: Final = 800
# Two samples either way are a whole cycle in the middle of the band: its envelope counts, not its phase.
_LAG_SLACK: Final = 2 * OVERSAMPLING

_MELODY: Final = ("f0_median_hz", "f0_std_semitones", "f0_range_semitones", "f0_slope_semitones_per_s", "hnr_db")


class ProsodySession:
    """Nothing to load."""

    model = "prosody"
    model_version = f"1; readings {READINGS}"

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Measure clip by clip."""
        for request in requests:
            if len(request.waveform) < WINDOW:
                yield Failure(reason="too_short", message=f"{len(request.waveform)} samples are too few to measure prosody")
            else:
                yield Measurement(values=_values(request))


def _values(request: MetricRequest) -> dict[str, float | None]:
    waveform = resample(request.waveform, request.sample_rate_hz, RATE_HZ)
    activity = speech_activity(waveform)
    if activity is None:
        return dict.fromkeys(Prosody.value_names)
    speech, spoken, pause_s = activity.speech, activity.spoken, activity.pause_s
    pitch = track_pitch(waveform, RATE_HZ)
    voiced = in_register(pitch, pitch.voiced & spoken)
    words = len(units(request.spoken_text or request.text, request.language))
    return {
        "voiced_share": float(voiced.sum() / spoken.sum()),
        "energy_std_db": float(activity.level_db[speech].std()),
        "speaking_rate_wps": words / activity.spoken_s if words else None,
        "pause_share": sum(pause_s) / (float(activity.inside.sum()) * HOP_S),
        "longest_pause_s": max(pause_s, default=0.0),
        **_flux(activity.power, speech),
        **_melody(pitch, voiced),
        "high_band_periodicity": _high_band_periodicity(waveform, pitch, voiced),
    }


def _flux(power: Floats, speech: Mask) -> dict[str, float | None]:
    """Return the typical change of the mel spectrum from frame to frame, and how still the stillest tenth is against it."""
    filters = mel_filters(RATE_HZ, FFT, _FLUX_BANDS, low_hz=_FLUX_LOW_HZ, high_hz=_FLUX_HIGH_HZ)
    # einsum adds in one order; a matrix product's last bits depend on how many threads the linear algebra library has.
    bands_db = 10 * np.log10(np.einsum("fb,mb->fm", power, filters) + 1e-14)
    bands_db = np.maximum(bands_db, bands_db.max() - _FLUX_RANGE_DB)
    flux = np.abs(np.diff(bands_db, axis=0)).mean(axis=1)[speech[1:] & speech[:-1]]
    if not flux.size or np.median(flux) <= 0:
        return {"spectral_flux_db": None, "flux_floor_ratio": None}
    typical = float(np.median(flux))
    return {"spectral_flux_db": typical, "flux_floor_ratio": float(np.percentile(flux, 10)) / typical}


def _melody(pitch: PitchTrack, voiced: Mask) -> dict[str, float | None]:
    if not voiced.any():
        return dict.fromkeys(_MELODY)
    semitones = 12 * np.log2(np.where(voiced, pitch.f0_hz, 1.0))
    low, high = np.percentile(semitones[voiced], [5, 95])
    steps = np.abs(np.diff(semitones))[voiced[1:] & voiced[:-1]]
    periodic = np.clip(pitch.periodicity[voiced], 1e-6, 1 - 1e-6)
    return {
        "f0_median_hz": float(np.median(pitch.f0_hz[voiced])),
        "f0_std_semitones": float(semitones[voiced].std()),
        "f0_range_semitones": float(high - low),
        "f0_slope_semitones_per_s": float(steps.mean()) / HOP_S if steps.size else None,
        "hnr_db": float(np.median(10 * np.log10(periodic / (1 - periodic)))),
    }


def _high_band_periodicity(waveform: npt.NDArray[np.float32], pitch: PitchTrack, voiced: Mask) -> float | None:
    """Return the median autocorrelation of the band 2.5 - 6.5 kHz one pitch period away, over voiced frames."""
    if not voiced.any():
        return None
    from scipy.signal import butter, sosfiltfilt

    band = sosfiltfilt(butter(4, _HIGH_BAND_HZ, "bandpass", fs=RATE_HZ, output="sos"), waveform)
    lags = np.round(OVERSAMPLING * RATE_HZ / pitch.f0_hz[voiced]).astype(int)
    frames = frames_of(band, _HIGH_BAND_WINDOW, HOP)[voiced]
    correlation = normalised_autocorrelation(frames, int(lags.max()) // OVERSAMPLING + 4)
    near = lags[:, None] + np.arange(-_LAG_SLACK, _LAG_SLACK + 1)
    return float(np.median(np.take_along_axis(correlation, near, axis=1).max(axis=1)))


@dataclass(frozen=True, kw_only=True)
class Prosody:
    """Melody, rhythm and mechanical traces.

    Values (null = not measurable, such as F0 of a clip without voiced frames):

    - ``f0_median_hz``, ``f0_std_semitones``, ``f0_range_semitones`` (5th to 95th percentile);
    - ``f0_slope_semitones_per_s``: mean absolute slope inside voiced runs;
    - ``voiced_share``: of the time of speech;
    - ``energy_std_db``: standard deviation of the level of speech frames;
    - ``speaking_rate_wps``: words, or Chinese characters, per second of speech without pauses; null = there is no text;
    - ``pause_share``: of the time from first to last sound; ``longest_pause_s``: 0 = no pause;
    - ``hnr_db``: median harmonics-to-noise ratio of voiced frames (Boersma 1993);
    - ``spectral_flux_db``: median change of a mel band in 10 ms; ``flux_floor_ratio``: its 10th percentile over its median;
    - ``high_band_periodicity``: median autocorrelation of 2.5 - 6.5 kHz one pitch period away, 1 = pure buzz.
    """

    value_names: ClassVar[tuple[str, ...]] = (
        *_MELODY,
        "voiced_share",
        "energy_std_db",
        "speaking_rate_wps",
        "pause_share",
        "longest_pause_s",
        "spectral_flux_db",
        "flux_floor_ratio",
        "high_band_periodicity",
    )
    features: ClassVar[Mapping[str, Feature]] = {
        "f0_median_hz": Feature(name="median F0", short="median pitch", unit="Hz", decimals=0),
        "f0_std_semitones": Feature(name="F0 standard deviation", short="pitch deviation", unit="semitones", decimals=1),
        "f0_range_semitones": Feature(name="F0 range", short="pitch range", unit="semitones", decimals=1),
        "f0_slope_semitones_per_s": Feature(name="mean F0 slope", short="pitch slope", unit="semitones/s", decimals=1),
        "hnr_db": Feature(name="harmonics-to-noise ratio", short="HNR", unit="dB", decimals=1),
        "voiced_share": Feature(name="voiced share", unit="%", decimals=0, factor=100),
        "energy_std_db": Feature(name="level variation", short="energy variation", unit="dB", decimals=1),
        "speaking_rate_wps": Feature(name="speaking rate", unit="words/s", decimals=1),
        "pause_share": Feature(name="pause share", unit="%", decimals=0, factor=100),
        "longest_pause_s": Feature(name="longest pause", unit="s", decimals=2),
    }
    nuisances: ClassVar[Mapping[str, float]] = {"f0_median_hz": 1.0, "pause_share": 0.01}
    cpu_s_per_audio_s: ClassVar[float | None] = 0.02
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
        return ProsodySession.model_version

    def open(self) -> ProsodySession:
        """Return a session; there is nothing to load."""
        return ProsodySession()


PLUGIN = Prosody
