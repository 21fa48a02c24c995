"""DNSMOS against the package that it comes from."""

from functools import partial

import numpy as np
import onnxruntime
import pytest

from scoring.mel import mel_filters
from scoring.metric import MetricRequest
from scoring.metrics.dnsmos import log_mel, windows


@pytest.fixture
def session(opened):
    return opened("dnsmos")


def _values(session, waveform):
    request = MetricRequest(sample_id="x", waveform=waveform, sample_rate_hz=16000, text="", language="en")
    (answer,) = session.measure([request])
    return answer.values


@pytest.mark.parametrize("seconds", [3, 11])
def test_scores_are_those_of_speechmos(session, reader, monkeypatch, seconds):
    """Same numbers as the package's own code for one window and for several."""
    dnsmos = pytest.importorskip("speechmos.dnsmos")
    one_thread = onnxruntime.SessionOptions()
    one_thread.intra_op_num_threads = 1  # more would spin while they wait for the cores that other tests have
    opening = partial(onnxruntime.InferenceSession, sess_options=one_thread)
    monkeypatch.setattr(dnsmos.ort, "InferenceSession", opening)
    waveform = np.resize(reader[1].waveform, 16000 * seconds)
    expected = dnsmos.run(np.resize(waveform, max(144160, len(waveform))), 16000)
    values = _values(session, waveform)
    assert [values[name] for name in ("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "dnsmos_p808")] == pytest.approx(
        [float(expected[name]) for name in ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")], abs=1e-3
    )


def test_features_are_librosas(reader):
    """Filters and log-mel frames equal librosa's (version 0.11's defaults) to rounding."""
    librosa = pytest.importorskip("librosa")
    waveform = reader[0].waveform
    filters = mel_filters(16000, 321, 120)
    np.testing.assert_allclose(filters, librosa.filters.mel(sr=16000, n_fft=321, n_mels=120), atol=1e-7)
    np.testing.assert_allclose(
        mel_filters(16000, 512, 24, low_hz=150, high_hz=6800),
        librosa.filters.mel(sr=16000, n_fft=512, n_mels=24, fmin=150, fmax=6800),
        atol=1e-7,
    )
    power = librosa.feature.melspectrogram(y=waveform, sr=16000, n_fft=321, hop_length=160, n_mels=120)
    expected = (librosa.power_to_db(power, ref=np.max) + 40) / 40
    features = log_mel(waveform, filters)
    np.testing.assert_allclose(features, expected.T[: len(features)], atol=1e-3)


def test_noise_lowers_the_background_score(session, reader):
    """The order of the published demonstration: the more noise, the lower background and overall."""
    clean = reader[0].waveform
    noise = np.random.default_rng(0).normal(size=len(clean)).astype(np.float32) * np.sqrt(np.mean(clean**2))
    scores = [_values(session, np.clip(clean + noise * gain, -1, 1).astype(np.float32)) for gain in (0.0, 0.1, 0.5)]
    for name in ("dnsmos_bak", "dnsmos_ovrl"):
        assert scores[0][name] > scores[1][name] > scores[2][name]


@pytest.mark.parametrize(("samples", "count"), [(1, 1), (144159, 1), (144160, 1), (175999, 1), (176000, 2), (320000, 11)])
def test_windows_are_nine_seconds_one_second_apart(samples, count):
    """The counts of the published script: int(floor(seconds) - 9.01) + 1."""
    cut = windows(np.arange(samples, dtype=np.float32))
    assert len(cut) == count
    assert all(len(window) == 144160 for window in cut)
    assert [window[0] for window in cut] == [16000.0 * i for i in range(count)]


def test_a_clip_and_its_repetition_score_alike(session, reader):
    """A short clip is repeated to the window, so repeating it beforehand changes nothing."""
    short = reader[0].waveform
    assert _values(session, short) == _values(session, np.tile(short, 2))


def test_empty_audio_is_a_failure(session):
    """No samples: a reason, not a score."""
    request = MetricRequest(sample_id="x", waveform=np.zeros(0, np.float32), sample_rate_hz=16000, text="", language="en")
    (answer,) = session.measure([request])
    assert answer.reason == "empty_audio"
