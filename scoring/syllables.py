"""Syllables counted by their nuclei, without a text.

N. de Jong & T. Wempe, "Praat script to detect syllable nuclei and measure speech rate automatically", Behavior Research
Methods 41 (2009): peaks of intensity within 25 dB of the loudest part that are voiced and stand at least 2 dB above the dips
beside them.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from scoring.speech_activity import HOP, RATE_HZ, Mask

# Praat's intensity for a lowest F0 of 50 Hz, the script's: a Kaiser window that is 6.4 periods of that long.
_WINDOW: Final = round(6.4 / 50 * RATE_HZ)
_KAISER: Final = 20.0
_BELOW_LOUDEST_DB: Final = 25.0
_LOUDEST_PERCENTILE: Final = 99
_DIP_DB: Final = 2.0


def syllable_nuclei(waveform: npt.NDArray[np.float32], voiced: Mask) -> int:
    """Return how many syllables a clip has.

    Args:
        waveform: mono samples at ``RATE_HZ``, shape (n,).
        voiced: voiced frames, shape (ceil(n / HOP),).
    """
    from scipy.signal import fftconvolve, find_peaks

    window = np.kaiser(_WINDOW, _KAISER)
    power = fftconvolve(waveform.astype(np.float64) ** 2, window / window.sum(), mode="same")[::HOP]
    level_db = 10 * np.log10(np.maximum(power, 1e-12))
    floor_db = np.percentile(level_db, _LOUDEST_PERCENTILE) - _BELOW_LOUDEST_DB
    peaks, _ = find_peaks(level_db, height=floor_db, prominence=_DIP_DB)
    return int(voiced[peaks].sum())
