"""Mel filter bank with Slaney's scale and area normalisation, the one that librosa and most trained models use.

M. Slaney, Auditory Toolbox, Technical Report 1998-010, Interval Research: linear below 1 kHz, logarithmic above, every
triangle of unit area.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

_HZ_PER_MEL: Final = 200.0 / 3.0
_BREAK_HZ: Final = 1000.0
_BREAK_MEL: Final = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP: Final = float(np.log(6.4)) / 27.0


def mel_filters(
    sample_rate_hz: int, fft_size: int, bands: int, *, low_hz: float = 0.0, high_hz: float | None = None
) -> npt.NDArray[np.float64]:
    """Return triangular filters over the bins of a real FFT: shape (bands, fft_size // 2 + 1).

    Args:
        sample_rate_hz: sampling rate of the analysed signal.
        fft_size: length of the FFT.
        bands: number of filters.
        low_hz: lower edge of the first filter.
        high_hz: upper edge of the last filter; None = half the sampling rate.
    """
    top = sample_rate_hz / 2 if high_hz is None else high_hz
    edges = _mel_to_hz(np.linspace(_hz_to_mel(low_hz), _hz_to_mel(top), bands + 2))
    bins = np.fft.rfftfreq(fft_size, 1.0 / sample_rate_hz)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]


def _hz_to_mel(hz: float) -> float:
    return hz / _HZ_PER_MEL if hz < _BREAK_HZ else _BREAK_MEL + float(np.log(hz / _BREAK_HZ)) / _LOG_STEP


def _mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL)))
