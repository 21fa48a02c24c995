"""Resampling and band limits: linear-phase filters of the Kaiser design, 90 dB down in the stop band."""

from fractions import Fraction
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from synth.engine import Samples

Signal: TypeAlias = npt.NDArray[np.float64]
"""Mono samples, shape (n,)."""

LOW_CUT_HZ: Final = 50.0
LOW_CUT_WIDTH_HZ: Final = 60.0

_STOPBAND_DB: Final = 90.0
_HIGH_CUT_WIDTH_HZ: Final = 300.0


def resample(samples: Samples, rate_hz: int, target_hz: int) -> Samples:
    """Return samples at another rate, flat up to nine tenths of the lower band edge."""
    passband_hz = int(0.45 * min(rate_hz, target_hz))
    return resample_signal(samples.astype(np.float64), rate_hz, target_hz, passband_hz).astype(np.float32)


def resample_signal(signal: Signal, rate: int, target: int, passband_hz: int) -> Signal:
    """Return a signal at another rate, flat up to ``passband_hz``."""
    if rate == target:
        return signal
    from scipy.signal import resample_poly

    ratio = Fraction(target, rate)
    taps = _anti_alias(rate * ratio.numerator, min(rate, target), passband_hz)
    resampled: Signal = resample_poly(signal, ratio.numerator, ratio.denominator, window=taps)
    return resampled


@lru_cache(maxsize=32)
def _anti_alias(rate: int, narrower: int, passband_hz: int) -> Signal:
    """Return a low-pass at the common multiple of both rates; it removes what would alias into the passband, not above it."""
    stopband_hz = narrower - passband_hz
    return low_pass(rate, passband_hz, stopband_hz)


def low_pass(rate: float, passband_hz: float, stopband_hz: float) -> Signal:
    """Return the kernel of a linear-phase low-pass."""
    from scipy.signal import firwin, kaiserord

    taps, beta = kaiserord(_STOPBAND_DB, (stopband_hz - passband_hz) / (rate / 2))
    kernel: Signal = firwin(taps | 1, (passband_hz + stopband_hz) / 2, window=("kaiser", beta), fs=rate)
    return kernel


@lru_cache(maxsize=8)
def band_pass(rate: int, bandwidth_hz: int) -> Signal:
    """Return the kernel of a linear-phase band-pass that removes offset, rumble, and everything above the bandwidth."""
    low = low_pass(rate, bandwidth_hz - _HIGH_CUT_WIDTH_HZ, bandwidth_hz)
    return np.convolve(low, low_cut(rate, LOW_CUT_HZ, LOW_CUT_WIDTH_HZ))


@lru_cache(maxsize=8)
def low_cut(rate: int, frequency_hz: float, width_hz: float) -> Signal:
    """Return the kernel of a linear-phase high-pass at ``frequency_hz``."""
    high = -low_pass(rate, frequency_hz - width_hz / 2, frequency_hz + width_hz / 2)
    high[len(high) // 2] += 1
    return high


def limit_band(signal: Signal, rate: int, bandwidth_hz: int) -> Signal:
    """Return a signal filtered by ``band_pass``."""
    from scipy.signal import fftconvolve

    filtered: Signal = fftconvolve(signal, band_pass(rate, bandwidth_hz), mode="same")
    return filtered
