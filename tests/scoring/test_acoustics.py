"""Acoustic features of signals whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.jobs import Failure
from scoring.metric import MetricRequest
from scoring.metrics.acoustics import Acoustics
from tests.scoring.test_prosody import RATE, harmonics


def measure(waveform, rate=RATE):
    request = MetricRequest(
        sample_id="x", waveform=waveform.astype(np.float32), sample_rate_hz=rate, text="one two", language="en"
    )
    (answer,) = Acoustics().open().measure([request])
    return answer if isinstance(answer, Failure) else answer.values


def voice(periods_s, amplitudes):
    """A pulse train through one resonance that dies away within a period, sampled at times that need not be whole samples."""
    starts = np.concatenate([[0.05], 0.05 + np.cumsum(periods_s)])
    waveform = np.zeros(round((starts[-1] + 0.1) * RATE))
    for start, amplitude in zip(starts, amplitudes, strict=True):
        t = np.arange(int(np.ceil(start * RATE)), min(len(waveform), int((start + 0.03) * RATE))) / RATE - start
        waveform[round((t[0] + start) * RATE) :][: len(t)] += amplitude * np.exp(-t / 0.001) * np.sin(2 * np.pi * 700 * t)
    return 0.3 * waveform


def mean_difference(values):
    return np.mean(np.abs(np.diff(values))) / np.mean(values)


@pytest.mark.parametrize("f0_hz", [100, 180])
@pytest.mark.parametrize("deviation", [0.0, 0.01, 0.02])
def test_jitter_is_what_was_put_in(f0_hz, deviation):
    """Periods that differ at random by a known deviation."""
    rng = np.random.default_rng(1)
    periods = (1 + deviation * rng.normal(size=2 * f0_hz)) / f0_hz
    values = measure(voice(periods, np.ones(len(periods) + 1)))
    assert values["jitter_percent"] == pytest.approx(100 * mean_difference(periods), rel=0.1, abs=0.1)
    assert values["shimmer_percent"] < 4


@pytest.mark.parametrize("f0_hz", [100, 180])
@pytest.mark.parametrize("deviation", [0.0, 0.03, 0.08])
def test_shimmer_is_what_was_put_in(f0_hz, deviation):
    """Amplitudes that differ at random by a known deviation."""
    rng = np.random.default_rng(2)
    amplitudes = 1 + deviation * rng.normal(size=2 * f0_hz + 1)
    values = measure(voice(np.full(2 * f0_hz, 1 / f0_hz), amplitudes))
    assert values["shimmer_percent"] == pytest.approx(100 * mean_difference(amplitudes), rel=0.1, abs=0.6)
    assert values["jitter_percent"] < 0.5


@pytest.mark.parametrize("slope_db", [0.0, -3.0, -6.0, -12.0])
def test_tilt_of_noise_with_a_known_slope(slope_db):
    """Noise whose amplitude falls as a power of frequency."""
    spectrum = np.fft.rfft(np.random.default_rng(3).normal(size=4 * RATE))
    frequencies = np.maximum(np.fft.rfftfreq(4 * RATE, 1 / RATE), 50.0)
    noise = np.fft.irfft(spectrum * frequencies ** (slope_db / 20 / np.log10(2)))
    # An edge would be a click, with a slope of its own.
    faded = noise / np.abs(noise).max() * np.hanning(len(noise))
    values = measure(0.1 * faded)
    assert values["spectral_tilt_db_per_octave"] == pytest.approx(slope_db, abs=0.2)


@pytest.mark.parametrize("rate", [16000, 24000, 48000])
@pytest.mark.parametrize("edge_hz", [3400.0, 7000.0])
def test_bandwidth_is_where_a_steep_filter_cuts(rate, edge_hz):
    """White noise without anything above an edge; the window's own width adds a band or two."""
    spectrum = np.fft.rfft(np.random.default_rng(4).normal(size=2 * rate))
    spectrum[np.fft.rfftfreq(2 * rate, 1 / rate) > edge_hz] = 0
    assert measure(0.05 * np.fft.irfft(spectrum), rate)["bandwidth_hz"] == pytest.approx(edge_hz, abs=200)


@pytest.mark.parametrize("snr_db", [5.0, 10.0, 20.0, 30.0])
def test_snr_is_the_ratio_that_was_mixed(reader, snr_db):
    """Real speech with pauses and white noise; the ratio is that of the power while somebody speaks."""
    speech = np.concatenate([np.zeros(RATE // 2), reader[0].waveform, np.zeros(RATE // 2)])
    frames = np.lib.stride_tricks.sliding_window_view(speech**2, 400)[::160].mean(axis=1)
    power = frames[frames > frames.max() * 10**-2.5].mean()
    noise = np.random.default_rng(5).normal(size=len(speech)) * np.sqrt(power * 10 ** (-snr_db / 10))
    assert measure(speech + noise)["snr_db"] == pytest.approx(snr_db, abs=2.5)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1])
def test_clipping_is_the_share_of_flattened_samples(reader, share):
    """Real speech, cut at the level above which a known share of samples lies."""
    speech = reader[1].waveform
    limit = np.quantile(np.abs(speech), 1 - share)
    cut = np.round(np.clip(speech, -limit, limit) * 32768 * 0.5 / limit) / 32768
    values = measure(cut)
    # Tops of one or two samples are not told from ordinary ones.
    assert values["clipped_percent"] == pytest.approx(100 * share, rel=0.25, abs=0.01)


def test_quiet_clips_have_no_clipping_and_digital_silence_no_noise():
    """What cannot be measured is null."""
    tone = harmonics(150.0)
    values = measure(np.concatenate([np.zeros(RATE), 0.01 * tone, np.zeros(RATE)]))
    assert values["clipped_percent"] is None
    assert values["snr_db"] is None
    assert values["mean_pause_s"] is None
    assert values["pause_count"] == 0


def test_pauses_and_syllables_are_counted():
    """Three groups of tones of 0.12 s with dips of 0.08 s: five syllables a second, two pauses of 0.5 s."""
    t = np.arange(RATE) / RATE
    group = harmonics(150.0) * np.where(t % 0.2 < 0.12, 1.0, 0.1)
    hush = np.zeros(RATE // 2)
    values = measure(np.concatenate([group, hush, group, hush, group]))
    assert values["pause_count"] == 2
    assert values["mean_pause_s"] == pytest.approx(0.5, abs=0.1)
    assert values["syllable_rate_per_s"] == pytest.approx(5.0, rel=0.1)


@pytest.mark.parametrize("trend", [-3.0, 0.0, 5.0])
def test_trend_of_a_gliding_tone(trend):
    """F0 that rises by a known number of semitones a second."""
    t = np.arange(2 * RATE) / RATE
    values = measure(harmonics(150.0 * 2 ** (trend * (t - 1) / 12), seconds=2))
    assert values["f0_trend_semitones_per_s"] == pytest.approx(trend, abs=0.1)


def test_level_of_a_tone():
    """A sine of amplitude 0.1 is at -23 dB."""
    tone = 0.1 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    assert measure(tone)["speech_level_db"] == pytest.approx(-23.0, abs=0.2)


def test_noise_has_no_voice_and_silence_nothing():
    """White noise has no pulses; digital silence measures nothing; a blip fails."""
    values = measure(np.random.default_rng(0).normal(size=2 * RATE) * 0.1)
    assert {values[name] for name in ("jitter_percent", "shimmer_percent", "f0_trend_semitones_per_s")} == {None}
    assert set(measure(np.zeros(RATE)).values()) == {None}
    assert measure(np.zeros(399)).reason == "too_short"


@settings(max_examples=10, deadline=None)
@given(gain=st.floats(min_value=0.2, max_value=2.0))
def test_gain_moves_the_level_alone(gain):
    """How loud a clip is played changes its level by so many dB, and nothing else."""
    t = np.arange(RATE) / RATE
    clip = harmonics(150.0 * 2 ** (np.sin(2 * np.pi * 3 * t) / 4)) * (1.1 + np.sin(2 * np.pi * 4 * t) + 0.1 * t)
    reference, scaled = measure(clip), measure(clip * gain)
    assert scaled.pop("speech_level_db") - reference.pop("speech_level_db") == pytest.approx(20 * np.log10(gain), abs=1e-3)
    assert scaled.pop("mean_pause_s") is reference.pop("mean_pause_s") is None
    for name, value in reference.items():
        assert scaled[name] == pytest.approx(value, rel=1e-3, abs=1e-3), name
