"""Raw clips that must not enter a data set, and sane ones that must."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.dsp import AudioFormat, format_literals, normalise
from synth.engine import Waveform
from synth.sanity import duration_bounds, inspect, recorded_clip, standard_clip

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


def wave(frequency_hz: float, gain: float, seconds: float = 4.0, phase: float = 0.0) -> np.ndarray:
    """A tone at 22050 Hz."""
    return gain * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * 22050)) / 22050 + phase)


def impulse(seconds: float = 4.0) -> np.ndarray:
    """One sample that is not 0."""
    return np.where(np.arange(round(seconds * 22050)) == 33075, 0.9, 0.0)


@pytest.mark.parametrize(
    "samples",
    [
        np.repeat([0.3, -0.3], 44100),
        np.tile(np.repeat([0.3, 0.0], 11025), 4),
        np.tile(np.repeat([0.5, -0.5], 2205), 20),
        np.tile(np.repeat([0.8, 0.0], [110, 2095]), 40),
        wave(30, 0.8),
        wave(50, 0.5),
        wave(60, 0.8, phase=1.5),
        wave(50, 0.5) + wave(100, 0.1),
        impulse(),
        np.r_[0.9, silence(), -0.9],
    ],
    ids=["step", "pulses", "square", "clicks", "rumble", "hum_50", "hum_60", "hum_overtone", "impulse", "ends"],
)
def test_steps_rumble_hum_and_clicks_are_no_sound(samples):
    """They pass the band of a clip, but they have no syllable above the hum of the mains."""
    problem = inspect(Waveform(samples.astype(np.float32), 22050), None, AUDIO)
    assert problem is not None
    assert problem.reason == "silent"


@pytest.mark.parametrize("phase", [0.0, 1.0, 1.57])
def test_silence_is_trimmed_below_rumble(phase):
    """Rumble that breaks off at the ends is no click there: the clip is as long as without it."""
    quiet = np.pad(tone(3, gain=0.1), 22050)
    rumble = wave(20, 0.8, 5.0, phase)[: len(quiet)]
    with_rumble = standard_clip(Waveform((quiet + rumble).astype(np.float32), 22050), None, AUDIO)
    without = standard_clip(Waveform(quiet, 22050), None, AUDIO)
    assert with_rumble.duration_s == pytest.approx(without.duration_s, abs=0.03)


CLICK = np.random.default_rng(5).choice([1.0, -1.0], 110)


@pytest.mark.parametrize("samples", [
    np.r_[CLICK, silence(1), tone(4, gain=0.005)],
    np.r_[silence(1), CLICK, silence(1), tone(4, gain=0.005)],
    np.r_[tone(4, gain=0.005), silence(1), CLICK],
])  # fmt: skip
@pytest.mark.parametrize("text", [TEXT, None])
def test_speech_behind_a_click_is_not_cut_away_as_silence(samples, text):
    """The click alone would be the clip."""
    waveform = Waveform(samples.astype(np.float32), 22050)
    assert inspect(waveform, text, AUDIO) is None
    assert standard_clip(waveform, text, AUDIO).reason == "speech_trimmed"


def test_a_click_that_cuts_nothing_away_is_none_of_our_business():
    """Loud speech beside it stays whole."""
    clip = standard_clip(Waveform(np.r_[silence(1), CLICK, tone(4)].astype(np.float32), 22050), TEXT, AUDIO)
    assert clip.duration_s > 3.5


def test_the_length_counts_without_the_silence_at_the_ends():
    """A fragment before seconds of nothing has the length of the text only as a file."""
    waveform = Waveform(np.r_[tone(0.1), silence(6.5)].astype(np.float32), 22050)
    assert inspect(waveform, TEXT, AUDIO) is None
    assert standard_clip(waveform, TEXT, AUDIO).reason == "too_short"
    assert standard_clip(waveform, None, AUDIO).duration_s == pytest.approx(0.4, abs=0.05)


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


def test_references_may_be_duller_where_the_format_says_so():
    """Speech of 16 kHz in a data set of 24 kHz and 11 kHz of band: refused as a clip, taken as a reference if the format allows."""
    wide = {"sample_rate_hz": 24000, "bandwidth_hz": 11000}
    refusing, taking = AudioFormat(**wide), AudioFormat(**wide, upsamples_references=True)
    sound = Waveform(tone(3, 16000), 16000)
    for audio, is_reference in ((refusing, True), (refusing, False), (taking, False)):
        assert inspect(sound, TEXT, audio, is_reference=is_reference).reason == "narrow_band"
    assert "audio.upsample_references" in inspect(sound, TEXT, refusing, is_reference=True).message
    clip = recorded_clip(sound, TEXT, taking, is_reference=True)
    assert (clip.sample_rate_hz, clip.native_sample_rate_hz) == (24000, 16000)
    spectrum = np.abs(np.fft.rfft(clip.pcm))
    above = np.fft.rfftfreq(len(clip.pcm), 1 / 24000) > 8500
    assert spectrum[above].max() < 0.01 * spectrum.max(), "nothing is made up above the band of the source"
    assert format_literals(refusing) == format_literals(AudioFormat(**wide))
    assert format_literals(taking) != format_literals(refusing), "a recipe that changes this asks for its recordings anew"


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
