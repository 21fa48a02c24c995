"""Audiobox Aesthetics with a predictor of the package's form, and with the real package where it is installed."""

import numpy as np
import pytest

from contracts.errors import SetupError
from scoring.metric import MetricRequest
from scoring.metrics.audiobox import Audiobox, AudioboxSession


class Predictor:
    """Signature of the package's ``AesPredictor.forward``: clips (1, n) with their rates -> a score per axis."""

    def forward(self, batch):
        assert all(item["path"].ndim == 2 and item["sample_rate"] == 16000 for item in batch)
        levels = [float(item["path"].abs().mean()) for item in batch]
        return [{"CE": 5 + level, "CU": 6 + level, "PC": 2 + level, "PQ": 7 + level} for level in levels]


def request(samples, rate=16000, level=0.5):
    waveform = np.full(samples, level, np.float32)
    return MetricRequest(sample_id="x", waveform=waveform, sample_rate_hz=rate, text="", language="en")


def test_axes_become_values():
    """Each axis under its name, at 16 kHz, and a failure for a clip of nothing."""
    session = AudioboxSession(Predictor(), model="m", model_version="1")
    one, none, other = session.measure([request(16000), request(100), request(48000, rate=48000, level=0.0)])
    assert one.values == {"audiobox_ce": 5.5, "audiobox_cu": 6.5, "audiobox_pc": 2.5, "audiobox_pq": 7.5}
    assert none.reason == "too_short"
    assert other.values == {"audiobox_ce": 5.0, "audiobox_cu": 6.0, "audiobox_pc": 2.0, "audiobox_pq": 7.0}


def test_a_checkpoint_is_a_file_and_fetches_nothing(tmp_path):
    gone = Audiobox(checkpoint=str(tmp_path / "checkpoint.pt"), device="cpu")
    assert str(tmp_path) in gone.missing()
    with pytest.raises(SetupError, match="is not there"):
        gone.open()
    assert gone.downloads() == ()
    assert [file.names[0] for file in Audiobox().downloads()] == ["model.safetensors", "config.json"]


@pytest.mark.slow
def test_the_package_with_untrained_weights(tmp_path):
    """A checkpoint as the package reads one: scores of the clip alone, on the four axes."""
    pytest.importorskip("audiobox_aesthetics")
    path = tmp_path / "checkpoint.pt"
    metric = Audiobox(checkpoint=str(path), device="cpu")
    path.touch()
    if problem := metric.missing():
        pytest.skip(problem)
    import torch
    from audiobox_aesthetics.model.aes import AXES_NAME, AesMultiOutput

    torch.manual_seed(0)
    names = ("proj_num_layer", "proj_ln", "proj_act_fn", "proj_dropout", "nth_layer", "use_weighted_layer_sum", "precision",
             "normalize_embed", "output_dim")  # fmt: skip
    model = AesMultiOutput()
    torch.save(
        {
            "state_dict": {f"model.{name}": weight for name, weight in model.state_dict().items()},
            "model_cfg": {name: getattr(model, name) for name in names} | {"precision": "32"},
            "target_transform": {axis: {"mean": 5.0, "std": 1.0} for axis in AXES_NAME},
        },
        path,
    )
    session = metric.open()
    assert session.model == "checkpoint"
    assert session.model_version == metric.installed_version()
    clips = [request(16000, level=0.1), request(240000), request(10)]
    one, other, short = session.measure(clips)
    assert set(one.values) == set(metric.value_names)
    assert all(np.isfinite(value) for value in one.values.values())
    assert one.values != other.values
    assert short.reason == "too_short"
    assert list(session.measure(clips[:1])) == [one]
