"""Melody, rhythm and mechanical traces of speech, measured without a trained model.

Everything is computed at 16 kHz. Speech is what lies within 25 dB of the loud frames (Praat's silence threshold), a pause is
at least 0.25 s without it inside the utterance (Goldman-Eisler, "Psycholinguistics", 1968). F0 is that of ``scoring.pitch``.
Some values are there because machines betray themselves by them:

- ``f0_range_semitones``, ``f0_slope_semitones_per_s``: rule-driven and averaged intonation is flat and drifts slowly;
- ``flux_floor_ratio``: statistical models average the spectrum over time (Toda & Tokuda, "A speech parameter generation
  algorithm considering global variance", IEICE Trans. E90-D, 2007) and formant synthesisers hold targets, so that their
  stillest frames are far stiller than their typical ones; a living vocal tract never holds still;
- ``high_band_periodicity``: above 2.5 kHz real voicing is mostly breath noise; impulse-driven synthesis buzzes there (McCree &
  Barnwell, "A mixed excitation LPC vocoder model", IEEE Trans. Speech and Audio Processing 3, 1995).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from contracts.jobs import Failure, Resources
from scoring.mel import mel_filters
from scoring.metric import Measurement, MetricRequest
from scoring.pitch import HOP_S, OVERSAMPLING, Floats, PitchTrack, frames_of, normalised_autocorrelation, track_pitch
from scoring.text import READINGS, units
from synth.resampling import resample

_RATE_HZ: Final = 16000
_HOP: Final = round(HOP_S * _RATE_HZ)
_WINDOW: Final = 400
_FFT: Final = 512

_SPEECH_BELOW_LOUD_DB: Final = 25.0
_PAUSE_S: Final = 0.25
_SILENT_DBFS: Final = -90.0

_FLUX_BANDS: Final = 24
_FLUX_LOW_HZ: Final = 150.0
_FLUX_HIGH_HZ: Final = 6800.0
_FLUX_RANGE_DB: Final = 60.0

_HIGH_BAND_HZ: Final = (2500.0, 6500.0)
_HIGH_BAND_WINDOW: Final = 800
# Two samples either way are a whole cycle in the middle of the band: its envelope counts, not its phase.
_LAG_SLACK: Final = 2 * OVERSAMPLING

_MELODY: Final = ("f0_median_hz", "f0_std_semitones", "f0_range_semitones", "f0_slope_semitones_per_s", "hnr_db")

Mask = npt.NDArray[np.bool_]


class ProsodySession:
    """Nothing to load."""

    model = "prosody"
    model_version = f"1; readings {READINGS}"

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Measure clip by clip."""
        for request in requests:
            if len(request.waveform) < _WINDOW:
                yield Failure(reason="too_short", message=f"{len(request.waveform)} samples are too few to measure prosody")
            else:
                yield Measurement(values=_values(request))


def _values(request: MetricRequest) -> dict[str, float | None]:
    waveform = resample(request.waveform, request.sample_rate_hz, _RATE_HZ)
    power = np.abs(np.fft.rfft(frames_of(waveform, _WINDOW, _HOP) * np.hanning(_WINDOW), _FFT)) ** 2
    level_db = 10 * np.log10(power.sum(axis=1) * 2 / (_FFT * np.sum(np.hanning(_WINDOW) ** 2)) + 1e-12)
    loud_db = np.percentile(level_db, 95)
    if loud_db < _SILENT_DBFS:
        return dict.fromkeys(Prosody.value_names)
    speech = level_db > loud_db - _SPEECH_BELOW_LOUD_DB
    inside, pauses = _span_and_pauses(speech)
    spoken = inside & ~pauses
    pause_s = [(stop - start) * HOP_S for start, stop in _runs(pauses)]
    speech_s = float(spoken.sum() * HOP_S)
    pitch = track_pitch(waveform, _RATE_HZ)
    voiced = _in_register(pitch, pitch.voiced & spoken)
    return {
        "voiced_share": float(voiced.sum() / spoken.sum()),
        "energy_std_db": float(level_db[speech].std()),
        "speaking_rate_wps": len(units(request.spoken_text or request.text, request.language)) / speech_s,
        "pause_share": sum(pause_s) / (float(inside.sum()) * HOP_S),
        "longest_pause_s": max(pause_s, default=0.0),
        **_flux(power, speech),
        **_melody(pitch, voiced),
        "high_band_periodicity": _high_band_periodicity(waveform, pitch, voiced),
    }


def _runs(mask: Mask) -> list[tuple[int, int]]:
    """Return start and stop of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _span_and_pauses(speech: Mask) -> tuple[Mask, Mask]:
    """Return which frames lie between the first and the last of speech, and which of those lie in a pause."""
    first, last = np.flatnonzero(speech)[[0, -1]]
    inside = np.zeros_like(speech)
    inside[first : last + 1] = True
    pauses = np.zeros_like(speech)
    for start, stop in _runs(inside & ~speech):
        pauses[start:stop] = (stop - start) * HOP_S >= _PAUSE_S
    return inside, pauses


def _in_register(pitch: PitchTrack, voiced: Mask) -> Mask:
    """Return the voiced frames without those outside the speaker's register: octave errors, and fricatives taken for a voice.

    The register is that of Hirst, "The analysis by synthesis of speech melody", Journal of Speech Sciences 1 (2011), for
    expressive speech: from 0.75 times the first to 2.5 times the third quartile.
    """
    if not voiced.any():
        return voiced
    first, third = np.percentile(pitch.f0_hz[voiced], [25, 75])
    lowest, highest = 0.75 * float(first), 2.5 * float(third)
    return voiced & (pitch.f0_hz >= lowest) & (pitch.f0_hz <= highest)


def _flux(power: Floats, speech: Mask) -> dict[str, float | None]:
    """Return the typical change of the mel spectrum from frame to frame, and how still the stillest tenth is against it."""
    filters = mel_filters(_RATE_HZ, _FFT, _FLUX_BANDS, low_hz=_FLUX_LOW_HZ, high_hz=_FLUX_HIGH_HZ)
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

    band = sosfiltfilt(butter(4, _HIGH_BAND_HZ, "bandpass", fs=_RATE_HZ, output="sos"), waveform)
    lags = np.round(OVERSAMPLING * _RATE_HZ / pitch.f0_hz[voiced]).astype(int)
    frames = frames_of(band, _HIGH_BAND_WINDOW, _HOP)[voiced]
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
    - ``speaking_rate_wps``: words, or Chinese characters, per second of speech without pauses;
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
