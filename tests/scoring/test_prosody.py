"""Prosody of signals whose answer is known."""

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.jobs import Failure
from scoring.metric import MetricRequest
from scoring.metrics.prosody import Prosody
from scoring.pitch import track_pitch

RATE = 16000


def harmonics(f0_hz, seconds=1.0, rate=RATE, top_hz=4000.0):
    """A pulse-like tone: harmonics of equal strength up to ``top_hz``; ``f0_hz`` is a number or one value per sample."""
    f0 = np.broadcast_to(np.asarray(f0_hz, float), round(seconds * rate))
    phase = 2 * np.pi * np.cumsum(f0) / rate
    count = int(top_hz / f0.max())
    return (0.05 * sum(np.cos(k * phase) for k in range(1, count + 1))).astype(np.float32)


def measure(waveform, text="one two three", language="en", rate=RATE):
    request = MetricRequest(
        sample_id="x", waveform=waveform.astype(np.float32), sample_rate_hz=rate, text=text, language=language
    )
    (answer,) = Prosody().open().measure([request])
    return answer if isinstance(answer, Failure) else answer.values


@settings(max_examples=25, deadline=None)
@given(st.floats(min_value=75, max_value=420))
def test_f0_of_a_tone(f0_hz):
    """A harmonic tone has its own F0, no melody and no breath."""
    values = measure(harmonics(f0_hz))
    assert values["f0_median_hz"] == pytest.approx(f0_hz, rel=2e-3)
    assert values["f0_std_semitones"] < 0.1
    assert values["f0_range_semitones"] < 0.2
    assert values["voiced_share"] > 0.95


@pytest.mark.parametrize("rate", [8000, 22050, 24000, 48000])
def test_f0_does_not_depend_on_the_sampling_rate(rate):
    """The tracker itself works at any rate."""
    track = track_pitch(harmonics(150.0, rate=rate, top_hz=3500), rate)
    assert np.median(track.f0_hz[track.voiced]) == pytest.approx(150.0, rel=2e-3)


def test_f0_agrees_with_another_tracker(reader):
    """On real speech, torchaudio's correlation tracker finds the same F0, within a semitone, in nearly all steady frames."""
    for recording in reader:
        track = track_pitch(recording.waveform, RATE)
        waveform = torch.from_numpy(recording.waveform)[None]
        options = {"frame_time": 0.01, "win_length": 5, "freq_low": 60, "freq_high": 500}
        other = torchaudio.functional.detect_pitch_frequency(waveform, RATE, **options)[0].numpy()
        voiced = np.flatnonzero(track.voiced[: len(other)])[5:-5]
        steady = voiced[track.periodicity[voiced] > 0.9]
        ratio = track.f0_hz[steady] / other[steady]
        assert len(steady) > 50
        assert np.mean(np.abs(np.log2(ratio)) < 1 / 12) > 0.85


def test_vibrato_has_the_range_and_slope_that_were_put_in():
    """F0 = 150 Hz times 2^(sin(2 pi 2 t) / 4), 3 semitones up and down: both are analytic.

    The 5th to 95th percentile of 3 sin spans 2 * 3 * sin(0.45 pi) semitones, the mean absolute slope is 3 * 2 pi 2 * 2 / pi.
    """
    t = np.arange(4 * RATE) / RATE
    values = measure(harmonics(150.0 * 2 ** (np.sin(2 * np.pi * 2 * t) / 4), seconds=4))
    assert values["f0_range_semitones"] == pytest.approx(6 * np.sin(0.45 * np.pi), rel=0.05)
    assert values["f0_slope_semitones_per_s"] == pytest.approx(24.0, rel=0.1)
    assert values["f0_std_semitones"] == pytest.approx(3 / np.sqrt(2), rel=0.05)


def test_pauses_have_the_length_that_was_put_in():
    """Tone 1 s, silence 0.6 s, tone 1 s, gap 0.1 s, tone 0.5 s, silence outside: one pause of 0.6 s in 3.2 s."""
    tone, hush = harmonics(150.0), np.zeros(RATE, np.float32)
    values = measure(np.concatenate([hush, tone, hush[:9600], tone, hush[:1600], tone[:8000], hush]), text="a b c d e")
    assert values["longest_pause_s"] == pytest.approx(0.6, abs=0.04)
    assert values["pause_share"] == pytest.approx(0.6 / 3.2, abs=0.015)
    assert values["speaking_rate_wps"] == pytest.approx(5 / 2.6, rel=0.03)


def test_chinese_counts_characters():
    """Speaking rate of Chinese is characters per second."""
    values = measure(harmonics(150.0, seconds=2), text="今天天气很好。", language="zh")
    assert values["speaking_rate_wps"] == pytest.approx(6 / 2, rel=0.03)


def test_level_of_an_amplitude_modulated_tone():
    """A tone that alternates between two levels 12 dB apart every 0.2 s has a deviation of 6 dB."""
    gain = np.where(np.arange(4 * RATE) // 3200 % 2 == 0, 1.0, 10 ** (-12 / 20))
    values = measure(harmonics(150.0, seconds=4) * gain)
    assert values["energy_std_db"] == pytest.approx(6.0, abs=0.5)
    assert values["longest_pause_s"] == 0.0


@pytest.mark.parametrize("hnr_db", [5.0, 10.0, 20.0])
def test_hnr_is_the_ratio_that_was_mixed(hnr_db):
    """Tone plus white noise at a known ratio (the definition of Boersma 1993)."""
    tone = harmonics(150.0, seconds=3, top_hz=7500)
    noise = np.random.default_rng(1).normal(size=len(tone)) * np.sqrt(np.mean(tone**2)) * 10 ** (-hnr_db / 20)
    assert measure(tone + noise)["hnr_db"] == pytest.approx(hnr_db, abs=1.0)


def test_buzz_above_and_breath_above():
    """Harmonics up to 6.5 kHz are a buzz; noise in their place is breath."""
    low, full = harmonics(150.0, seconds=2, top_hz=1500), harmonics(150.0, seconds=2, top_hz=6500)
    breath = np.random.default_rng(2).normal(size=len(low)) * 0.02
    assert measure(full)["high_band_periodicity"] > 0.9
    assert measure(low + breath)["high_band_periodicity"] < 0.4


def test_held_sounds_have_a_low_flux_floor():
    """Vowel-like sounds that are held and then switched are stiller in their stillest frames than sounds that drift all along."""
    t = np.arange(4 * RATE) / RATE
    held = np.concatenate(
        [harmonics(f, seconds=0.5, top_hz=top) for f, top in zip([120, 150] * 4, [3000, 1500] * 4, strict=True)]
    )
    drifting = harmonics(120 * 2 ** (np.sin(2 * np.pi * 3 * t) / 2), seconds=4)
    noise = np.random.default_rng(3).normal(size=len(t)) * 1e-3
    assert measure(held + noise)["flux_floor_ratio"] < measure(drifting + noise)["flux_floor_ratio"]


def test_noise_has_no_melody():
    """White noise has no voiced frame: melody is null, level and pauses are numbers."""
    values = measure(np.random.default_rng(0).normal(size=2 * RATE) * 0.1)
    melodic = [name for name in values if name.startswith("f0_")] + ["hnr_db", "high_band_periodicity"]
    assert all(values[name] is None for name in melodic)
    assert values["voiced_share"] == 0.0
    assert values["energy_std_db"] < 2


def test_silence_has_no_values_and_a_blip_fails():
    """Digital silence measures nothing; a clip of less than a frame cannot be measured."""
    assert set(measure(np.zeros(RATE)).values()) == {None}
    assert measure(np.zeros(399)).reason == "too_short"


@settings(max_examples=10, deadline=None)
@given(gain=st.floats(min_value=0.05, max_value=3.0))
def test_gain_changes_nothing(gain):
    """How loud a clip is played is no property of its prosody."""
    t = np.arange(RATE) / RATE
    clip = harmonics(150.0 * 2 ** (np.sin(2 * np.pi * 3 * t) / 4)) * np.where(t % 0.5 < 0.4, 1, 0.1)
    reference, scaled = measure(clip), measure(clip * gain)
    for name, value in reference.items():
        assert scaled[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name


def test_human_speech_is_in_the_range_of_humans(reader, speaker):
    """A male reader and a female speaker: F0, rate and range of ordinary speech (Baken 1987: 85-155 and 165-255 Hz)."""
    man, woman = (measure(recordings[1].waveform, recordings[1].text) for recordings in (reader, speaker))
    assert 75 < man["f0_median_hz"] < 155 < woman["f0_median_hz"] < 255
    for values in (man, woman):
        assert 1.5 < values["speaking_rate_wps"] < 5.5
        assert 3 < values["f0_range_semitones"] < 25
        assert 0.4 < values["voiced_share"] < 1


def test_without_a_text_the_rate_is_not_known():
    """An unknown text is no text of no words; everything else is measured."""
    values = measure(harmonics(150.0), text="")
    assert values["speaking_rate_wps"] is None
    assert values["f0_median_hz"] is not None
