"""The loudness meter against the standard's own numbers and against torchaudio's meter."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from synth.loudness import integrated_loudness


def sine(dbfs: float, frequency: float, rate: int, seconds: float = 5.0) -> np.ndarray:
    """A sine of a given peak level."""
    return 10 ** (dbfs / 20) * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [16000, 22050, 48000])
def test_full_scale_sine_reads_minus_3_01(rate):
    """BS.1770-4, annex 1: a 0 dBFS sine of 997 Hz in one channel reads -3.01 LKFS."""
    assert integrated_loudness(sine(0, 997, rate), rate) == pytest.approx(-3.01, abs=0.02)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),  # EBU Tech 3341, case 3
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),  # case 4
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),  # case 5
    ],
)
def test_gating_follows_the_ebu_test_cases(levels, expected):
    """EBU Tech 3341, table 1: stereo sines of 1 kHz; one of two equal channels reads 3.01 LU less."""
    signal = np.concatenate([sine(dbfs, 1000, 48000, seconds) for dbfs, seconds in levels])
    assert integrated_loudness(signal, 48000) + 10 * math.log10(2) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 32000, 44100])
def test_speech_like_noise_agrees_with_torchaudio(rate):
    """torchaudio.functional.loudness within 0.1 LU."""
    torch = pytest.importorskip("torch")
    torchaudio = pytest.importorskip("torchaudio")
    t = np.arange(4 * rate) / rate
    hiss = np.random.default_rng(3).standard_normal(len(t)) * np.sin(2 * np.pi * 1.5 * t) ** 2 * 0.05
    signal = lfilter([1.0], [1.0, -0.9], hiss)
    expected = torchaudio.functional.loudness(torch.from_numpy(signal)[None], rate).item()
    assert integrated_loudness(signal, rate) == pytest.approx(expected, abs=0.1)


def test_signals_shorter_than_a_block_are_one_block():
    """0.3 s of a steady sine read what 5 s of it read."""
    assert integrated_loudness(sine(-20, 997, 16000, 0.3), 16000) == pytest.approx(
        integrated_loudness(sine(-20, 997, 16000, 5.0), 16000), abs=0.1
    )


@pytest.mark.parametrize("signal", [np.zeros(0), np.zeros(100), np.zeros(48000), sine(-100, 997, 16000)])
def test_silence_has_no_loudness(signal):
    """Nothing passes the gate at -70 LUFS."""
    assert integrated_loudness(signal, 16000) == -math.inf
