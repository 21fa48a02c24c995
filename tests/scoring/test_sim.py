"""Speaker similarity."""

import numpy as np
import pytest

from contracts import plugins
from contracts.errors import RecipeError, SetupError
from contracts.jobs import Failure
from scoring.metric import MetricRequest
from scoring.metrics.sim import Sim, SimSession


@pytest.fixture
def session(opened):
    return opened("sim")


def _sim(session, clip, reference):
    (answer,) = session.measure([clip.request(reference)])
    return answer.values["sim"]


def test_a_voice_is_closer_to_itself(session, reader, speaker):
    """Two recordings of one speaker are closer than any two of different speakers."""
    within = [_sim(session, *reader), _sim(session, *speaker)]
    between = [_sim(session, a, b) for a in reader for b in speaker]
    assert min(within) > max(between) + 0.1
    assert _sim(session, reader[0], reader[0]) == pytest.approx(1.0)


def test_similarity_is_symmetric(session, reader, speaker):
    """Which of two clips is the reference does not matter."""
    assert _sim(session, reader[0], speaker[0]) == pytest.approx(_sim(session, speaker[0], reader[0]), abs=1e-12)


def test_the_encoder_is_that_of_the_package(session, speaker):
    """The number is the package's own: cosine of two embed_utterance vectors of speech longer than its window."""
    import resemblyzer

    encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)
    one, two = (encoder.embed_utterance(resemblyzer.preprocess_wav(clip.waveform)) for clip in speaker)
    expected = float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))
    assert _sim(session, *speaker) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.5])
def test_clips_shorter_than_the_window_work(session, speaker, seconds):
    """Half a second of speech already tells the speaker from another."""
    clip, reference = speaker
    start = 8000
    piece = type(clip)(clip.waveform[start : start + int(16000 * seconds)], clip.text)
    assert _sim(session, piece, reference) > 0.55


@pytest.mark.parametrize("clip", [np.zeros(0, np.float32), np.zeros(100, np.float32), np.zeros(48000, np.float32)])
def test_no_speech_is_a_failure(session, reader, clip):
    """Empty, tiny and silent clips have no voice, whichever side they are on."""
    silent, sounding = type(reader[0])(clip, ""), reader[0]
    (as_clip,) = session.measure([silent.request(sounding)])
    (as_reference,) = session.measure([sounding.request(silent)])
    assert (as_clip.reason, as_reference.reason) == ("no_speech", "reference_without_speech")


def test_without_reference(session, reader):
    """No reference: a failure that says so, never a zero."""
    (answer,) = session.measure([reader[0].request()])
    assert isinstance(answer, Failure)
    assert answer.reason == "no_reference"


def test_a_reference_is_embedded_once():
    """All samples of a prompt share the reference's embedding; another rate of the same samples is another clip."""

    class Counting:
        model, model_version = "counting", "1"
        calls = 0

        def embed(self, waveform):
            self.calls += 1
            return np.array([1.0, 0.0])

    encoder = Counting()
    reference = np.ones(16000, np.float32)
    requests = [
        MetricRequest(
            sample_id=str(i),
            waveform=np.full(9, i, np.float32),
            sample_rate_hz=16000,
            text="",
            language="en",
            reference=reference.copy(),
            reference_rate_hz=rate,
        )
        for i, rate in enumerate([16000, 16000, 16000, 8000])
    ]
    assert all(answer.values == {"sim": 1.0} for answer in SimSession(encoder).measure(requests))
    assert encoder.calls == 4 + 2


def test_options_are_checked():
    """An encoder that does not exist, or a device for one that has none, is a recipe error."""
    with pytest.raises(RecipeError, match="'resemblyzer' or 'wavlm'"):
        plugins.configure("metric", "sim", {"encoder": "wavlmm"})
    with pytest.raises(RecipeError, match="CPU"):
        plugins.configure("metric", "sim", {"device": "cuda"})
    assert Sim(encoder="wavlm", device="cuda").resources.gpus > 0


def test_wavlm_folder_that_is_not_there(tmp_path):
    """A folder without WavLM is named before anything is loaded."""
    metric = Sim(encoder="wavlm", model_path=str(tmp_path / "wavlm"))
    assert str(tmp_path) in metric.missing()
    with pytest.raises(SetupError):
        metric.open()


def test_wavlm_code_on_random_weights(tmp_path, speaker):
    """The real classes with a tiny untrained network: loading, shapes, unit length, short clips."""
    transformers = pytest.importorskip("transformers")
    import torch

    torch.manual_seed(0)
    tiny = transformers.WavLMConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=37,
        conv_dim=(32,) * 7,
        vocab_size=32,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        tdnn_dim=(32, 32, 32, 32, 64),
        xvector_output_dim=16,
    )
    folder = tmp_path / "wavlm-tiny"
    transformers.WavLMForXVector(tiny).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    session = Sim(encoder="wavlm", model_path=str(folder)).open()
    assert session.model == "wavlm-tiny"
    assert _sim(session, speaker[0], speaker[0]) == pytest.approx(1.0)
    assert -1 <= _sim(session, *speaker) < 1
    short = type(speaker[0])(speaker[0].waveform[8000:16000], "")
    assert _sim(session, short, speaker[0]) == _sim(session, short, speaker[0])
    (answer,) = session.measure([type(short)(short.waveform[:7999], "").request(speaker[0])])
    assert answer.reason == "no_speech"
