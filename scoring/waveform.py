"""Waveforms at the rate that a model wants."""

from math import gcd

import numpy as np
import numpy.typing as npt


def resampled(waveform: npt.NDArray[np.float32], from_hz: int, to_hz: int) -> npt.NDArray[np.float32]:
    """Return mono samples at another rate, shape (ceil(n * to_hz / from_hz),), by polyphase filtering; the same array if equal.

    Args:
        waveform: samples, shape (n,).
        from_hz: their rate.
        to_hz: the rate wanted.
    """
    if from_hz == to_hz:
        return waveform
    from scipy.signal import resample_poly

    common = gcd(from_hz, to_hz)
    out: npt.NDArray[np.float64] = resample_poly(waveform.astype(np.float64), to_hz // common, from_hz // common)
    return out.astype(np.float32)
