"""Raw clips that must not enter a data set, and sane ones that must."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.dsp import AudioFormat, normalise
from synth.engine import Waveform
from synth.sanity import duration_bounds, inspect

AUDIO = AudioFormat()
TEXT = "The quick brown fox jumps over the lazy dog."


def tone(seconds: float, rate: int = 22050, gain: float = 0.5) -> np.ndarray:
    """A vowel-like sound: 220 Hz, four syllables a second, loudest in the middle, as speech is seldom at its peak."""
    t = np.arange(round(seconds * rate)) / rate
    shape = np.sin(2 * np.pi * 2 * t) ** 2 * np.exp(-((t - seconds / 2) ** 2))
    return (gain * shape / shape.max(initial=1e-9) * np.sin(2 * np.pi * 220 * t)).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "rate", "reason"),
    [
        (tone(0), 22050, "empty"),
        (np.concatenate([tone(2), [np.nan]]).astype(np.float32), 22050, "not_finite"),
        (np.concatenate([tone(2), [np.inf]]).astype(np.float32), 22050, "not_finite"),
        (tone(3), 24000, "wrong_rate"),
        (tone(3) * 1e-4, 22050, "silent"),
        (np.clip(tone(3, gain=1.5), -1, 1), 22050, "clipped"),
        (tone(0.3), 22050, "too_short"),
        (tone(30), 22050, "too_long"),
    ],
)
def test_each_fault_is_named(samples, rate, reason):
    """One broken clip per reason."""
    problem = inspect(Waveform(samples, rate), TEXT, AUDIO, 22050)
    assert problem is not None
    assert problem.reason == reason


def silence(seconds: float = 3.0, noise: float = 0.0) -> np.ndarray:
    """Nothing, or the noise of a converter."""
    return (np.random.default_rng(3).standard_normal(round(seconds * 22050)) * noise).astype(np.float32)


def high_tone(rate: int, frequency_hz: float) -> Waveform:
    """A loud tone where no clip can carry it."""
    t = np.arange(3 * rate) / rate
    return Waveform((0.5 * np.sin(2 * np.pi * frequency_hz * t)).astype(np.float32), rate)


@pytest.mark.parametrize("offset", [0.0, 1e-4, 0.001, 0.01, -0.01, 0.3, -0.5, 1.0])
@pytest.mark.parametrize("noise", [0.0, 1e-4])
def test_an_offset_is_no_sound(offset, noise):
    """Silence on another level is silence; no filter's ringing at its ends is taken for speech."""
    problem = inspect(Waveform(silence(noise=noise) + np.float32(offset), 22050), TEXT, AUDIO)
    assert problem is not None
    assert problem.reason == "silent"


@pytest.mark.parametrize("offset", [0.01, 0.3, -0.5])
@pytest.mark.parametrize("gain", [0.005, 0.4])
def test_speech_on_an_offset_passes_and_gives_the_same_clip(offset, gain):
    """Quiet speech, too: the offset may be a hundred times as large."""
    speech = tone(3, gain=gain)
    shifted = Waveform(speech + np.float32(offset), 22050)
    assert inspect(shifted, TEXT, AUDIO) is None
    clip, plain = normalise(shifted, AUDIO), normalise(Waveform(speech, 22050), AUDIO)
    assert len(clip.pcm) == len(plain.pcm)
    assert np.abs(clip.pcm.astype(int) - plain.pcm).max() <= 3


@pytest.mark.parametrize(("rate", "frequency_hz"), [(16000, 7950), (22050, 10900), (48000, 23500), (48000, 9000), (22050, 5)])
def test_what_no_clip_can_carry_is_silence(rate, frequency_hz):
    """A tone near half the rate, or rumble, would be filtered to nothing."""
    problem = inspect(high_tone(rate, frequency_hz), TEXT, AUDIO)
    assert problem is not None
    assert problem.reason == "silent"


@pytest.mark.parametrize("offset", [0.0, 0.2, -0.3])
@pytest.mark.parametrize("before", [True, False])
def test_clipping_is_seen_beside_an_offset(offset, before):
    """Whether the offset came before the clipping, so that one side is flat, or after it, so that neither is at 1."""
    loud, offset = tone(3, gain=1.5), np.float32(offset)
    samples = np.clip(loud + offset, -1, 1) if before else np.clip(loud, -1, 1) + offset
    problem = inspect(Waveform(samples, 22050), TEXT, AUDIO)
    assert problem is not None
    assert problem.reason == "clipped"


def test_a_rate_that_cannot_carry_the_band_is_refused():
    """A telephone recording would sound duller than every other candidate."""
    problem = inspect(Waveform(tone(3, 8000), 8000), TEXT, AUDIO)
    assert problem is not None
    assert problem.reason == "narrow_band"
    assert inspect(Waveform(tone(3, 8000), 8000), TEXT, AudioFormat(bandwidth_hz=3400)) is None


@pytest.mark.parametrize("gain", [0.01, 0.5, 0.999, 1.3])
def test_sane_clips_pass(gain):
    """Quiet, loud, and float samples above full scale (which an engine's float output may have) are no faults."""
    assert inspect(Waveform(tone(3, gain=gain), 22050), TEXT, AUDIO, 22050) is None


@pytest.mark.parametrize(
    ("text", "fastest", "slowest"),
    [
        ("Mr. Smith paid $1,234.56 on 12/03/2021.", 7.39, 8.57),
        ("WWW", 1.46, 2.16),
        ("7", 0.50, 0.94),
        ("100%", 1.24, 1.70),
        ("\u4f60\u597d\uff0c\u4eca\u5929\u5929\u6c14\u600e\u4e48\u6837\uff1f", 4.24, 4.24),
        ("I", 0.43, 0.75),
        ("Supercalifragilisticexpialidocious", 2.36, 3.16),
    ],
)
def test_measured_readings_lie_inside_the_bounds(text, fastest, slowest):
    """Seconds that espeak-ng, Flite, Festival and Piper took for awkward texts (the Chinese one: espeak-ng), with room to spare."""
    shortest, longest = duration_bounds(text)
    assert shortest < fastest / 1.5
    assert longest > slowest * 1.3


def test_unknown_text_allows_any_length():
    """Without a transcript nothing is too long."""
    assert inspect(Waveform(tone(60), 22050), None, AUDIO) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_more_text_never_narrows_the_bounds(text, more):
    """Both bounds grow with the text."""
    assert duration_bounds(text)[0] <= duration_bounds(text + more)[0]
    assert duration_bounds(text)[1] <= duration_bounds(text + more)[1]
