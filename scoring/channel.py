"""What a recording's way to the file left in it: bandwidth, noise and clipping."""

from typing import Final

import numpy as np
import numpy.typing as npt

from scoring.pitch import HOP_S, Floats, frames_of
from scoring.speech_activity import Mask, runs

_BAND_HZ: Final = 100.0
_WINDOW_S: Final = 0.025
# Side lobes below -70 dB, so that what stands above the band is not the window's.
_KAISER: Final = 10.0
_REACH_DB: Final = 60.0
_LOUD_PERCENTILE: Final = 95

_NOISE_PERCENTILE: Final = 10
# The rounding to 16 bits has a twelfth of the square of a step: -101 dB. What is not above that is digital silence.
_ROUNDING_DB: Final = -98.0

_STEP: Final = 2.0**-15
_FLAT_SAMPLES: Final = 3
# Below, the top of a slow wave is flat for some samples because of the rounding to 16 bits alone.
_SMALLEST_PEAK: Final = 0.1


def bandwidth_hz(waveform: npt.NDArray[np.float32], sample_rate_hz: int, spoken: Mask) -> float:
    """Return the upper end of the highest band of 100 Hz in which speech is at most 60 dB below its strongest band.

    The level of a band is that of its loudest twentieth of frames: what reaches high are fricatives, and they are few.

    Args:
        waveform: mono samples at the clip's own rate, shape (n,).
        sample_rate_hz: that rate.
        spoken: the frames that count, one every ``HOP_S`` seconds, at least one.
    """
    length = round(_WINDOW_S * sample_rate_hz)
    frames = frames_of(waveform, length, round(HOP_S * sample_rate_hz))
    frames = frames[: len(spoken)][spoken[: len(frames)]]
    power = np.abs(np.fft.rfft(frames * np.kaiser(length, _KAISER))) ** 2
    bands = (np.fft.rfftfreq(length, 1 / sample_rate_hz) // _BAND_HZ).astype(int)
    count = int(sample_rate_hz / 2 // _BAND_HZ)
    levels = np.array([np.percentile(power[:, bands == band].sum(axis=1), _LOUD_PERCENTILE) for band in range(count)])
    reached = np.flatnonzero(levels >= levels.max() * 10 ** (-_REACH_DB / 10))
    return float((reached[-1] + 1) * _BAND_HZ)


def snr_db(level_db: Floats, speech: Mask) -> float | None:
    """Return the power of speech over that of the noise beneath it.

    The noise is what the quietest tenth of the frames has at most: pauses, closures of plosives. In speech without any it is
    overrated, so that a clean clip reads some 30 to 40 dB.

    Args:
        level_db: mean square of each frame in dB, shape (frames,).
        speech: frames of speech.

    Returns:
        None where the quietest frames are digital silence: noise that a gate cut out cannot be measured; or where there is no
        more than noise.
    """
    noise_db = float(np.percentile(level_db, _NOISE_PERCENTILE))
    noise = 10 ** (noise_db / 10)
    signal = float(np.mean(10 ** (level_db[speech] / 10))) - noise
    return float(10 * np.log10(signal / noise)) if noise_db > _ROUNDING_DB and signal > 0 else None


def clipped_share(waveform: npt.NDArray[np.float32]) -> float | None:
    """Return the share of samples that lie in flat tops: three or more in a row at the clip's highest or lowest value.

    A clip that was resampled or coded after it clipped has no flat tops any more.

    Args:
        waveform: mono samples as they lie in the file, shape (n,), n > 0.

    Returns:
        None for a peak below -20 dB of full scale.
    """
    highest, lowest = float(waveform.max()), float(waveform.min())
    if max(highest, -lowest) < _SMALLEST_PEAK:
        return None
    flat = 0
    for at_extreme in (waveform >= highest - _STEP / 2, waveform <= lowest + _STEP / 2):
        flat += sum(stop - start for start, stop in runs(at_extreme) if stop - start >= _FLAT_SAMPLES)
    return flat / len(waveform)
