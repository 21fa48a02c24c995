"""FAD with a spectrum in VGGish's place, and with the real VGGish where its package is installed."""

import dataclasses

import numpy as np
import pytest
import soundfile
from scipy.linalg import sqrtm

from contracts.errors import SetupError
from contracts.jobs import Failure
from scoring.metric import MetricRequest
from scoring.metrics.fad import RATE_HZ, SHORTEST, Fad, FadSession, background_of

FRAME = 96 * 160


def spectrum(waveform):
    """Log energies of five bands, one embedding for each 0.96 s that is whole, as VGGish has."""
    frames = waveform.astype(np.float64)[: max(1, (len(waveform) - 240) // FRAME) * FRAME].reshape(-1, FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    return np.log(1e-6 + np.stack([band.mean(axis=1) for band in np.array_split(power, 5, axis=1)], axis=1))


def clip(seconds, *, seed=0, reference=None, colour=1.0):
    noise = np.random.default_rng(seed).normal(size=round(seconds * RATE_HZ)) * 0.1
    waveform = np.convolve(noise, colour ** np.arange(64), "same") if colour != 1.0 else noise
    return MetricRequest(sample_id=str(seed), waveform=waveform.astype(np.float32), sample_rate_hz=RATE_HZ, text="",
                         language="en", reference=reference, reference_rate_hz=RATE_HZ if reference is not None else None)  # fmt: skip


def session(background=None):
    return FadSession(spectrum, model_version="1", background=background)


def measured(answer):
    return answer.values["fad"]


def by_definition(one, other):
    """FAD as it is printed."""
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = np.real(sqrtm(first @ second))
    return np.sum((one.mean(0) - other.mean(0)) ** 2) + np.trace(first + second - 2 * root)


def test_against_the_prompts_speech():
    """The distance of embeddings of the clip and of the prompt, each clip by itself, in any order."""
    prompt = clip(20, seed=9).waveform
    requests = [clip(15, seed=1, reference=prompt), clip(18, seed=2, reference=prompt, colour=0.9)]
    alike, other = session().measure(requests)
    for request, answer in zip(requests, (alike, other), strict=True):
        assert measured(answer) == pytest.approx(by_definition(spectrum(request.waveform), spectrum(prompt)), rel=1e-6)
    assert measured(alike) < measured(other), "another colour of noise is further away"
    assert list(session().measure(requests[::-1])) == [other, alike]


def test_what_has_no_two_embeddings_fails():
    """Clip or prompt; a prompt that is not there."""
    prompt = clip(3, seed=9).waveform
    long_enough = (SHORTEST + FRAME) / RATE_HZ
    requests = [clip(long_enough, reference=prompt), clip(long_enough - 0.01, reference=prompt), clip(0, reference=prompt),
                clip(3, reference=prompt[:SHORTEST]), clip(3)]  # fmt: skip
    fine, *failures = session().measure(requests)
    assert measured(fine) > 0
    assert [failure.reason for failure in failures] == ["too_short", "too_short", "reference_too_short", "no_reference"]


def write(path, request, rate=RATE_HZ):
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, request.waveform, rate, subtype="PCM_16")


def test_against_a_folder_of_recordings(tmp_path):
    """All its recordings are one set, in folders of folders; other files and too short ones are none; prompts are not heard."""
    recordings = [clip(8, seed=1), clip(12, seed=2), clip(0.5, seed=3)]
    write(tmp_path / "a.wav", recordings[0])
    write(tmp_path / "deeper" / "b.FLAC", recordings[1])
    write(tmp_path / "c.wav", recordings[2])
    (tmp_path / "notes.txt").write_text("not audio")
    background, digest = background_of(tmp_path, spectrum)
    request = clip(10, seed=4, reference=np.zeros(10, np.float32))
    (answer,) = session(background).measure([request])
    of_all = np.concatenate([spectrum(recording.waveform) for recording in recordings[:2]])
    assert measured(answer) == pytest.approx(by_definition(spectrum(request.waveform), of_all), rel=1e-3), "16 bits a sample"

    write(tmp_path / "a.wav", clip(8, seed=5))
    assert background_of(tmp_path, spectrum)[1] != digest


def test_a_folder_without_speech_or_with_a_damaged_file_is_refused(tmp_path):
    with pytest.raises(SetupError, match="less speech"):
        background_of(tmp_path, spectrum)
    write(tmp_path / "one.wav", clip(1.5))
    with pytest.raises(SetupError, match="less speech"):
        background_of(tmp_path, spectrum)
    (tmp_path / "two.wav").write_bytes(b"no audio")
    with pytest.raises(SetupError, match=r"two\.wav"):
        background_of(tmp_path, spectrum)


def test_a_folder_takes_the_prompts_place(tmp_path):
    """The metric then needs no reference, and which recordings lie there only an open session knows."""
    assert Fad().needs_reference
    compared = Fad(background=str(tmp_path))
    assert not compared.needs_reference
    assert not dataclasses.replace(compared, device="cpu").needs_reference
    assert compared.installed_version() is None
    assert str(tmp_path / "none") in Fad(background=str(tmp_path / "none")).missing()
    with pytest.raises(SetupError, match="is no folder"):
        Fad(background=str(tmp_path / "none"), device="cpu").open()


@pytest.mark.slow
def test_vggish_of_the_package_with_untrained_weights(tmp_path, monkeypatch):
    """The package reads them where they are looked for, and gives an embedding for each 0.96 s."""
    torchvggish = pytest.importorskip("torchvggish")
    pytest.importorskip("resampy")
    import torch

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    metric = Fad(device="cpu")
    (weights,) = metric.downloads()
    weights.path.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(torchvggish.torchvggish.VGG(torchvggish.torchvggish.make_layers(), postprocess=False).state_dict(), weights.path)
    opened = metric.open()
    assert opened.model_version == metric.installed_version()
    assert [len(opened._embed(clip(seconds).waveform)) for seconds in (SHORTEST / RATE_HZ, 2, 9.7)] == [1, 2, 10]
    assert opened._embed(clip(2).waveform).min() < 0, "before the last activation"
    prompt = clip(5, seed=9).waveform
    near, same, short = opened.measure(
        [clip(4, reference=prompt), clip(5, seed=9, reference=prompt), clip(1, reference=prompt)]
    )
    assert measured(near) > 0
    assert measured(same) == pytest.approx(0, abs=1e-6)
    assert isinstance(short, Failure)
