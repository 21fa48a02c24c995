"""When a clip is speech: the frames, their levels, and the pauses between them.

Speech is what lies within 25 dB of the loud frames (Praat's silence threshold), a pause is at least 0.25 s without it inside
the utterance (Goldman-Eisler, "Psycholinguistics", 1968). Everything is computed at 16 kHz.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from scoring.pitch import HOP_S, Floats, frames_of

RATE_HZ: Final = 16000
HOP: Final = round(HOP_S * RATE_HZ)
WINDOW: Final = 400
FFT: Final = 512

_SPEECH_BELOW_LOUD_DB: Final = 25.0
_PAUSE_S: Final = 0.25
_SILENT_DBFS: Final = -90.0

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class SpeechActivity:
    """The frames of a clip, one every ``HOP_S`` seconds, the first centred on its first sample.

    Attributes:
        power: power spectra, shape (frames, FFT // 2 + 1).
        level_db: mean square of each frame in dB, shape (frames,); a full-scale sine has -3 dB.
        speech: frames of speech, shape (frames,).
        inside: frames from the first to the last one of speech.
        pauses: frames of pauses.
    """

    power: Floats
    level_db: Floats
    speech: Mask
    inside: Mask
    pauses: Mask

    @property
    def spoken(self) -> Mask:
        """Frames from first to last without pauses: gaps too short for a pause are spoken."""
        return self.inside & ~self.pauses

    @property
    def spoken_s(self) -> float:
        """Seconds of speech without pauses."""
        return float(self.spoken.sum() * HOP_S)

    @property
    def pause_s(self) -> list[float]:
        """Seconds of each pause."""
        return [(stop - start) * HOP_S for start, stop in runs(self.pauses)]


def speech_activity(waveform: npt.NDArray[np.float32]) -> SpeechActivity | None:
    """Return the frames of a clip; None if there is no sound in it.

    Args:
        waveform: mono samples at ``RATE_HZ``, shape (n,), n > 0.
    """
    power = np.abs(np.fft.rfft(frames_of(waveform, WINDOW, HOP) * np.hanning(WINDOW), FFT)) ** 2
    level_db = 10 * np.log10(power.sum(axis=1) * 2 / (FFT * np.sum(np.hanning(WINDOW) ** 2)) + 1e-12)
    loud_db = np.percentile(level_db, 95)
    if loud_db < _SILENT_DBFS:
        return None
    speech = level_db > loud_db - _SPEECH_BELOW_LOUD_DB
    inside, pauses = _span_and_pauses(speech)
    return SpeechActivity(power=power, level_db=level_db, speech=speech, inside=inside, pauses=pauses)


def runs(mask: Mask) -> list[tuple[int, int]]:
    """Return start and stop of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _span_and_pauses(speech: Mask) -> tuple[Mask, Mask]:
    """Return which frames lie between the first and the last of speech, and which of those lie in a pause."""
    first, last = np.flatnonzero(speech)[[0, -1]]
    inside = np.zeros_like(speech)
    inside[first : last + 1] = True
    pauses = np.zeros_like(speech)
    for start, stop in runs(inside & ~speech):
        pauses[start:stop] = (stop - start) * HOP_S >= _PAUSE_S
    return inside, pauses
