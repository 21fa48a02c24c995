"""Real human speech of two speakers, from Debian packages."""

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from contracts import plugins
from scoring.metric import MetricRequest, Waveform
from storage.downloads import to_fetch

LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
ASTERISK = Path("/usr/share/asterisk/sounds/en_US_f_Allison")

READER = {
    "0880": "he was not an ill disposed young man",
    "0930": "he might even have been made amiable himself",
}
PROMPTS = {
    "conf-onlyone": "There is currently one other participant in the conference.",
    "vm-intro": "Please leave your message after the tone. When done, hang up, or press the pound key.",
}


@dataclass(frozen=True, eq=False)
class Recording:
    waveform: Waveform
    text: str

    def request(self, reference: "Recording | None" = None) -> MetricRequest:
        return MetricRequest(
            sample_id=self.text,
            waveform=self.waveform,
            sample_rate_hz=16000,
            text=self.text,
            language="en",
            reference=reference.waveform if reference else None,
            reference_rate_hz=16000 if reference else None,
        )


@pytest.fixture(scope="session")
def opened():
    """Open a metric with its defaults on the CPU, once for all tests; skips where something is missing or would be fetched."""

    @functools.cache
    def open_metric(name):
        has_device = any(option.name == "device" for option in dataclasses.fields(plugins.load("metric", name)))
        metric = plugins.configure("metric", name, {"device": "cpu"} if has_device else {})
        if problem := metric.missing():
            pytest.skip(problem)
        if weights := to_fetch(metric):
            pytest.skip(f"not on this machine: {weights[0]}")
        return metric.open()

    return open_metric


@pytest.fixture(scope="session")
def reader() -> list[Recording]:
    """Two sentences of one LibriVox reader."""
    if not LIBRIVOX.is_dir():
        pytest.skip("apt-get install pocketsphinx-testdata")
    paths = [LIBRIVOX / f"sense_and_sensibility_01_austen_64kb-{number}.wav" for number in READER]
    return [
        Recording(soundfile.read(path, dtype="float32")[0], text) for path, text in zip(paths, READER.values(), strict=True)
    ]


@pytest.fixture(scope="session")
def speaker() -> list[Recording]:
    """Two prompts of the Asterisk speaker."""
    av = pytest.importorskip("av")
    if not ASTERISK.is_dir():
        pytest.skip("apt-get install asterisk-core-sounds-en-g722")
    recordings = []
    for name, text in PROMPTS.items():
        with av.open(str(ASTERISK / f"{name}.g722"), format="g722") as container:
            pcm = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
        recordings.append(Recording((pcm / 32768.0).astype(np.float32), text))
    return recordings
