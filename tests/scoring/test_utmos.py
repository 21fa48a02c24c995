"""UTMOS through the real torch.hub, on a local repository."""

import numpy as np
import pytest

from contracts.errors import SetupError
from scoring.metric import MetricRequest
from scoring.metrics.utmos import Utmos

HUBCONF = '''
dependencies = ["torch"]

import torch


class Predictor(torch.nn.Module):
    """Signature of SpeechMOS's predictor: waves (batch, time) and their rate -> scores (batch,)."""

    def forward(self, wave, sr):
        assert sr == 16000 and wave.ndim == 2 and wave.dtype == torch.float32
        return 3.0 + wave.abs().mean(dim=1)


def utmos22_strong(progress=True, pretrained=True):
    return Predictor()
'''


def test_scores_come_from_the_repository(tmp_path):
    """One score a clip, whatever its rate, and a failure for a clip of nothing."""
    (tmp_path / "hubconf.py").write_text(HUBCONF)
    metric = Utmos(repository=str(tmp_path), device="cpu", release="v1.2.0")
    assert metric.missing() is None
    session = metric.open()
    requests = [
        MetricRequest(sample_id="x", waveform=np.full(n, 0.5, np.float32), sample_rate_hz=16000, text="", language="en")
        for n in (16000, 100, 3200)
    ]
    one, none, other = session.measure(requests)
    assert one.values == other.values == {"utmos": 3.5}
    assert none.reason == "too_short"
    assert session.model_version == "SpeechMOS v1.2.0"


def test_what_is_missing_is_said(tmp_path):
    """No checkout in the folder, or no GPU: an error before anything is loaded."""
    import torch

    assert str(tmp_path) in Utmos(repository=str(tmp_path)).missing()
    assert Utmos().resources.gpus > 0
    (tmp_path / "hubconf.py").write_text(HUBCONF)
    if not torch.cuda.is_available():
        with pytest.raises(SetupError, match=r"no GPU here: set the option device to cpu \(--option device=cpu"):
            Utmos(repository=str(tmp_path)).open()


def test_a_broken_repository_is_a_setup_error(tmp_path):
    """A repository that does not import is no crash."""
    (tmp_path / "hubconf.py").write_text("import a_module_that_does_not_exist\n")
    with pytest.raises(SetupError, match="a_module_that_does_not_exist"):
        Utmos(repository=str(tmp_path), device="cpu").open()


@pytest.mark.parametrize("moved", [("TORCH_HOME", "XDG_CACHE_HOME"), ("XDG_CACHE_HOME",), ()])
def test_torch_hub_keeps_its_files_where_they_are_looked_for(monkeypatch, tmp_path, moved):
    """With and without the variables that move its cache."""
    import torch

    for variable in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for variable in moved:
        monkeypatch.setenv(variable, str(tmp_path / variable))
    assert all(str(file.path).startswith(torch.hub.get_dir()) for file in Utmos().downloads())
