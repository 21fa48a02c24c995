"""Clips for gold items whose answer is beyond doubt by construction: a clip against the same clip made worse."""

from typing import Literal

import numpy as np

from contracts.rng import generator_for
from synth.degraded_speech import degraded
from synth.dsp import AudioFormat, Clip, ClipFormat, normalise, original_clip
from synth.engine import Waveform

Harm = Literal["noise", "cut"]
"""``noise`` = white noise as loud as the speech (0 dB signal-to-noise ratio) is added; ``cut`` = the second half is missing."""


def harmed(waveform: Waveform, harm: Harm, audio: ClipFormat, *, seed: int, key: str) -> Clip:
    """Return the worse one of a gold item's two clips, in the data set's format.

    Args:
        waveform: a clip of the data set.
        harm: what is done to it.
        audio: format of the data set's clips.
        seed: decides the noise, with ``key``.
        key: id of the gold item.

    Raises:
        DataError: the clip is empty, silent or not finite.
    """
    sound = waveform.samples.astype(np.float64)
    if harm == "noise":
        drawn = int(generator_for(seed, "gold_noise", key).integers(2**32))
        sound = degraded(sound, waveform.sample_rate_hz, "noise 0 dB", drawn)
    else:
        sound = sound[: len(sound) // 2]
    worse = Waveform(sound.astype(np.float32), waveform.sample_rate_hz)
    return normalise(worse, audio) if isinstance(audio, AudioFormat) else original_clip(worse, audio)
