"""Integrated loudness after ITU-R BS.1770-4, in LUFS (which the standard calls LKFS), for mono signals."""

import math
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

_RATE_HZ: Final = 48000
_BLOCK: Final = round(0.4 * _RATE_HZ)
_STEP: Final = round(0.1 * _RATE_HZ)
_OFFSET_DB: Final = -0.691
ABSOLUTE_GATE_LUFS: Final = -70.0
"""Blocks below it do not count: what is quieter all through has no loudness."""
_RELATIVE_GATE_LU: Final = -10.0

# Annex 1, tables 1 and 2: the shelf of the head and the high-pass, as second-order sections. They hold at 48 kHz. The same
# analogue filters transformed for 16 kHz bend near the band edge and were seen to read 0.1 to 0.3 LU high, so the signal is
# brought to 48 kHz instead.
_K_WEIGHTING: Final = np.array(
    [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
)


def integrated_loudness(signal: npt.NDArray[np.float64], rate_hz: int) -> float:
    """Return the gated loudness of a signal of shape (n,); minus infinity if no block passes the gates.

    Below 0.4 s, where the standard has no block, the whole signal is one block without gates.
    """
    from scipy.signal import resample_poly, sosfilt

    if len(signal) == 0:
        return -math.inf
    ratio = Fraction(_RATE_HZ, rate_hz)
    squared = sosfilt(_K_WEIGHTING, resample_poly(signal, ratio.numerator, ratio.denominator)) ** 2
    if len(squared) < _BLOCK:
        return _level(float(squared.mean()))
    sums = np.concatenate([[0.0], np.cumsum(squared)])
    starts = np.arange(0, len(squared) - _BLOCK + 1, _STEP)
    powers = (sums[starts + _BLOCK] - sums[starts]) / _BLOCK
    powers = powers[powers > 10 ** ((ABSOLUTE_GATE_LUFS - _OFFSET_DB) / 10)]
    if len(powers) == 0:
        return -math.inf
    powers = powers[powers > powers.mean() * 10 ** (_RELATIVE_GATE_LU / 10)]
    return _level(float(powers.mean()))


def _level(power: float) -> float:
    return _OFFSET_DB + 10 * math.log10(power) if power > 0 else -math.inf
