"""Simulated emotions: five known changes of the prosody of neutral speech. No person and no network acts.

Which way each goes is what studies of acted emotions agree on (Murray & Arnott, JASA 93, 1993; Banse & Scherer, J. Pers. Soc.
Psychol. 70, 1996): anger and joy are fast, high, lively and bright, sadness is slow, low, flat and dull, surprise is high, and
rises. How far it goes is ours. WORLD makes the changes (``synth.world_vocoder``), of neutral speech as well, which so sounds no
less processed than the others.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from synth.engine import Samples
from synth.world_vocoder import RATE_HZ, Signal, Speech, synthesis

_TILT_FROM_HZ: Final = 500.0
_LOWEST_HZ: Final = 70.0
_HIGHEST_HZ: Final = 480.0


@dataclass(frozen=True, kw_only=True)
class Prosody:
    """What is changed of speech.

    Attributes:
        rate: factor on the speaking rate.
        pitch_semitones: added to F0.
        range_factor: on the distance of log F0 from its median.
        rise_semitones: added to F0 at the end, growing over the last third.
        tilt_db: added to the spectrum per octave above 500 Hz: a voice that is raised is brighter.
        gain_db: added to the level.
    """

    rate: float = 1.0
    pitch_semitones: float = 0.0
    range_factor: float = 1.0
    rise_semitones: float = 0.0
    tilt_db: float = 0.0
    gain_db: float = 0.0


EMOTIONS: Final = {
    "Neutral": Prosody(),
    "Angry": Prosody(rate=1.2, pitch_semitones=2.0, range_factor=1.5, tilt_db=3.0, gain_db=6.0),
    "Happy": Prosody(rate=1.1, pitch_semitones=4.0, range_factor=1.9, tilt_db=1.0, gain_db=3.0),
    "Sad": Prosody(rate=0.8, pitch_semitones=-2.0, range_factor=0.4, tilt_db=-3.0, gain_db=-6.0),
    "Surprise": Prosody(rate=0.95, pitch_semitones=5.0, range_factor=1.4, rise_semitones=8.0, gain_db=2.0),
}
"""Emotion, as ESD names its own -> prosody."""


def spoken_with(speech: Speech, prosody: Prosody) -> Samples:
    """Return speech with a changed prosody, 16 kHz, in [-1, 1]; one that would be clipped is as loud as it can be.

    Args:
        speech: what WORLD took apart (``synth.world_vocoder.analysis``).
        prosody: the changes.
    """
    frames = np.round(np.arange(0, len(speech.f0_hz) - 1, prosody.rate)).astype(int)
    f0, envelope = speech.f0_hz[frames], speech.envelope[frames]
    octaves = np.log2(np.maximum(np.linspace(0, RATE_HZ / 2, envelope.shape[1]) / _TILT_FROM_HZ, 1))
    tilted = envelope * 10 ** (prosody.tilt_db * octaves / 10)
    # The tilt changes the colour only; the level is changed by the gain.
    tilted *= envelope.sum() / tilted.sum()
    sound = synthesis(Speech(_melody(f0, prosody), tilted, speech.aperiodicity[frames])) * 10 ** (prosody.gain_db / 20)
    loudest: Samples = (sound / max(1.0, float(np.abs(sound).max()))).astype(np.float32)
    return loudest


def _melody(f0: Signal, prosody: Prosody) -> Signal:
    voiced = f0 > 0
    if not voiced.any():
        return f0
    semitones = 12 * np.log2(np.where(voiced, f0, 1.0))
    median = np.median(semitones[voiced])
    place = np.linspace(0, 1, len(f0))
    rise = prosody.rise_semitones * np.clip(3 * place - 2, 0, 1)
    moved = median + prosody.pitch_semitones + prosody.range_factor * (semitones - median) + rise
    changed: Signal = np.where(voiced, np.clip(2 ** (moved / 12), _LOWEST_HZ, _HIGHEST_HZ), 0.0)
    return changed
