"""Gold clips: what was done to them is measured on the result."""

import numpy as np
import pytest

from synth.dsp import AudioFormat, OriginalFormat
from synth.engine import Waveform
from synth.gold_clips import harmed
from tests.flows.small import CLIPS

RATE = 16000


@pytest.fixture(scope="module")
def speech():
    soundfile = pytest.importorskip("soundfile")
    samples, rate = soundfile.read(CLIPS[0], dtype="float32")
    return Waveform(samples, rate)


def test_the_noise_is_as_loud_as_the_speech(speech):
    """What a format that changes nothing keeps: twice the power, as speech and white noise are unrelated."""
    clip = harmed(speech, "noise", OriginalFormat(sample_rate_hz=speech.sample_rate_hz), seed=3, key="x")
    kept = clip.pcm / 32768
    noise = kept - speech.samples
    assert 10 * np.log10(np.mean(speech.samples**2) / np.mean(noise**2)) == pytest.approx(0, abs=0.1)
    assert abs(np.corrcoef(noise, speech.samples)[0, 1]) < 0.02


def test_half_is_missing_at_the_end(speech):
    clip = harmed(speech, "cut", OriginalFormat(sample_rate_hz=speech.sample_rate_hz), seed=3, key="x")
    assert len(clip.pcm) == len(speech.samples) // 2
    np.testing.assert_allclose(clip.pcm / 32768, speech.samples[: len(clip.pcm)], atol=1 / 32768)


@pytest.mark.parametrize("harm", ["noise", "cut"])
def test_clips_are_in_the_data_sets_format_and_depend_on_seed_and_key_alone(speech, harm):
    audio = AudioFormat(sample_rate_hz=RATE)
    one, again = (harmed(speech, harm, audio, seed=3, key="x") for _ in range(2))
    assert (one.sample_rate_hz, one.pcm.dtype) == (RATE, np.int16)
    assert one.loudness_lufs <= audio.loudness_lufs + 0.1
    np.testing.assert_array_equal(one.pcm, again.pcm)
    other = harmed(speech, harm, audio, seed=3, key="y")
    assert (harm == "cut") == np.array_equal(one.pcm, other.pcm)
