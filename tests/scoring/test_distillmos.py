"""DistillMOS against the package that it comes from, and against orders that are known."""

import numpy as np
import pytest

from contracts.jobs import Failure
from scoring.metric import MetricRequest
from scoring.metrics.distillmos import DistillMos


@pytest.fixture
def session(opened):
    return opened("distillmos")


def _answer(session, waveform, rate_hz=16000):
    request = MetricRequest(sample_id="x", waveform=waveform, sample_rate_hz=rate_hz, text="", language="en")
    (answer,) = session.measure([request])
    return answer


def _score(session, waveform):
    return _answer(session, waveform).values["distillmos"]


@pytest.mark.parametrize("seconds", [2, 11])
def test_scores_are_those_of_the_package(session, reader, seconds):
    """Same numbers as the package's own model for one window and for several."""
    distillmos = pytest.importorskip("distillmos")
    import torch

    waveform = np.resize(reader[1].waveform, 16000 * seconds)
    model = distillmos.ConvTransformerSQAModel()
    model.eval()
    with torch.no_grad():
        expected = float(model(torch.from_numpy(waveform)[None, :]))
    assert _score(session, waveform) == pytest.approx(expected, abs=1e-5)


def test_loading_prints_no_path(capfd):
    """The package prints where its weights lie; the output of a worker names no folder of this machine."""
    if problem := DistillMos().missing():
        pytest.skip(problem)
    DistillMos().open()
    assert capfd.readouterr() == ("", "")


def test_noise_lowers_the_score(session, reader):
    """The more noise, the worse: speech at 20, 10 and 0 dB signal-to-noise ratio below the clean recording."""
    clean = reader[0].waveform
    noise = np.random.default_rng(0).normal(size=len(clean)).astype(np.float32) * np.sqrt(np.mean(clean**2))
    scores = [_score(session, (clean + noise * gain).astype(np.float32)) for gain in (0.0, 0.1, 0.316, 1.0)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[-1] > 1


def test_level_does_not_count(session, reader):
    """The network sees every window at full scale."""
    waveform = reader[0].waveform
    assert _score(session, waveform * np.float32(0.25)) == pytest.approx(_score(session, waveform), abs=1e-4)


def test_empty_audio_is_a_failure(session):
    """No samples: a reason, not a score."""
    answer = _answer(session, np.zeros(0, np.float32))
    assert isinstance(answer, Failure)
    assert answer.reason == "empty_audio"


@pytest.mark.parametrize("samples", [1, 160, 4000])
def test_the_shortest_clips_are_scored(session, samples):
    """A clip is padded to one window, so any length above zero has a finite score."""
    assert 0 < _score(session, np.full(samples, 0.1, np.float32)) < 6
