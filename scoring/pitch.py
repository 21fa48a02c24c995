"""Fundamental frequency and periodicity by autocorrelation.

The method is that of P. Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio
of a sampled sound", IFA Proceedings 17 (1993): the autocorrelation of a windowed frame is divided by that of the window, its
peaks are candidates, and the best path through the candidates is the contour. Costs and thresholds are those of his program
Praat. Where he interpolates peaks by a sinc, the autocorrelation is computed on a grid four times as fine, which is the same,
and a parabola does the rest: a parabola alone underrates sharp peaks between two samples so much that F0 falls by octaves.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FLOOR_HZ: Final = 60.0
CEILING_HZ: Final = 500.0
HOP_S: Final = 0.01

# Praat's defaults; the costs of a transition are per step of 10 ms.
_CANDIDATES: Final = 8
_VOICING_THRESHOLD: Final = 0.45
_SILENCE_THRESHOLD: Final = 0.03
_OCTAVE_COST: Final = 0.01
_OCTAVE_JUMP_COST: Final = 0.35
_VOICING_CHANGE_COST: Final = 0.14

OVERSAMPLING: Final = 4
"""Steps of the lag grid per sample."""

# Frames transformed at once: bounds the memory of a long clip.
_BLOCK: Final = 256


@dataclass(frozen=True, kw_only=True)
class PitchTrack:
    """F0 contour with one value every ``HOP_S`` seconds, the first at time 0.

    Attributes:
        f0_hz: shape (frames,), 0 where unvoiced.
        periodicity: shape (frames,), share of the energy that is periodic, in (0, 1); 0 where unvoiced.
    """

    f0_hz: Floats
    periodicity: Floats

    @property
    def voiced(self) -> npt.NDArray[np.bool_]:
        """Which frames are voiced, shape (frames,)."""
        return self.f0_hz > 0


def frames_of(waveform: npt.NDArray[np.float32], length: int, hop: int) -> Floats:
    """Cut a waveform of n samples into overlapping frames, frame i centred on sample i * hop: shape (ceil(n / hop), length)."""
    padded = np.pad(waveform.astype(np.float64), (length // 2, length))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[: len(waveform) : hop]


def track_pitch(waveform: npt.NDArray[np.float32], sample_rate_hz: int) -> PitchTrack:
    """Follow F0 between ``FLOOR_HZ`` and ``CEILING_HZ``.

    Args:
        waveform: mono samples, shape (n,), n > 0.
        sample_rate_hz: sampling rate, at least 4 kHz.
    """
    frames = frames_of(waveform, round(3 * sample_rate_hz / FLOOR_HZ), round(HOP_S * sample_rate_hz))
    frames = frames - frames.mean(axis=1, keepdims=True)
    lags, periodicity = _peaks(normalised_autocorrelation(frames, int(sample_rate_hz / FLOOR_HZ) + 2), sample_rate_hz)
    f0 = np.divide(sample_rate_hz * OVERSAMPLING, lags, out=np.zeros_like(lags), where=lags > 0)

    octaves = np.log2(np.where(f0 > 0, f0, FLOOR_HZ) / FLOOR_HZ)
    strength = np.where(f0 > 0, periodicity + _OCTAVE_COST * octaves, -np.inf)
    peak = np.abs(frames).max(axis=1)
    relative = peak / max(float(peak.max()), np.finfo(np.float64).tiny)
    strength[:, 0] = _VOICING_THRESHOLD + np.maximum(0.0, 2.0 - relative * (1.0 + _VOICING_THRESHOLD) / _SILENCE_THRESHOLD)

    rows, chosen = np.arange(len(f0)), _best_path(octaves, strength)
    return PitchTrack(f0_hz=f0[rows, chosen], periodicity=periodicity[rows, chosen])


def in_register(pitch: PitchTrack, voiced: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the voiced frames without those outside the speaker's register: octave errors, and fricatives taken for a voice.

    The register is that of Hirst, "The analysis by synthesis of speech melody", Journal of Speech Sciences 1 (2011), for
    expressive speech: from 0.75 times the first to 2.5 times the third quartile.
    """
    if not voiced.any():
        return voiced
    first, third = np.percentile(pitch.f0_hz[voiced], [25, 75])
    lowest, highest = 0.75 * float(first), 2.5 * float(third)
    return voiced & (pitch.f0_hz >= lowest) & (pitch.f0_hz <= highest)


def normalised_autocorrelation(frames: Floats, lags: int) -> Floats:
    """Return the autocorrelation of each frame, freed of the window's own: shape (frames, lags * OVERSAMPLING).

    Args:
        frames: shape (frames, length).
        lags: how many samples of lag to cover; column i is a lag of i / OVERSAMPLING samples.
    """
    length = frames.shape[1]
    size = 128 * -(-(length + lags) // 128)
    window = np.hanning(length)
    of_window = _autocorrelation(window[None, :], size, lags)[0]
    out = np.zeros((len(frames), lags * OVERSAMPLING))
    for start in range(0, len(frames), _BLOCK):
        of_frames = _autocorrelation(frames[start : start + _BLOCK] * window, size, lags)
        energy = of_frames[:, :1]
        np.divide(of_frames, energy * (of_window / of_window[0]), out=out[start : start + _BLOCK], where=energy > 0)
    return out


def _autocorrelation(frames: Floats, size: int, lags: int) -> Floats:
    spectrum = np.fft.rfft(frames, size)
    correlation: Floats = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size * OVERSAMPLING)
    return correlation[:, : lags * OVERSAMPLING]


def _peaks(correlation: Floats, sample_rate_hz: int) -> tuple[Floats, Floats]:
    """Return lag in grid steps (0 = none) and height of each frame's peaks, highest first, after an empty column."""
    shortest = max(2, int(np.ceil(OVERSAMPLING * sample_rate_hz / CEILING_HZ)))
    before, here, after = (correlation[:, shortest + shift : correlation.shape[1] - 1 + shift] for shift in (-1, 0, 1))
    curvature = before - 2 * here + after
    is_peak = (here > before) & (here >= after) & (here > 0.5 * _VOICING_THRESHOLD)
    offset = np.divide(0.5 * (before - after), curvature, out=np.zeros_like(here), where=is_peak & (curvature < 0))
    height = here - 0.25 * (before - after) * offset
    # A pure tone may reach 1 and, by interpolation, pass it; Boersma mirrors such values.
    height = np.where(height > 1.0, 1.0 / np.maximum(height, 1.0), height)
    best = np.argsort(np.where(is_peak, -height, np.inf), axis=1, kind="stable")[:, :_CANDIDATES]
    found = np.take_along_axis(is_peak, best, axis=1)
    lags = np.take_along_axis(np.arange(shortest, shortest + here.shape[1]) + offset, best, axis=1)
    empty = np.zeros((len(correlation), 1))
    return (
        np.concatenate([empty, np.where(found, lags, 0.0)], axis=1),
        np.concatenate([empty, np.where(found, np.take_along_axis(height, best, axis=1), 0.0)], axis=1),
    )


def _best_path(octaves: Floats, strength: Floats) -> npt.NDArray[np.intp]:
    """Choose one candidate of each frame (column 0 = unvoiced) by dynamic programming: shape (frames,)."""
    frames, width = strength.shape
    came_from = np.zeros((frames, width), dtype=np.intp)
    total = strength[0]
    for frame in range(1, frames):
        cost = _OCTAVE_JUMP_COST * np.abs(octaves[frame - 1][:, None] - octaves[frame][None, :])
        cost[0, :] = cost[:, 0] = _VOICING_CHANGE_COST
        cost[0, 0] = 0.0
        score = total[:, None] - cost
        came_from[frame] = score.argmax(axis=0)
        total = score.max(axis=0) + strength[frame]
    chosen = np.empty(frames, dtype=np.intp)
    chosen[-1] = total.argmax()
    for frame in range(frames - 1, 0, -1):
        chosen[frame - 1] = came_from[frame, chosen[frame]]
    return chosen
