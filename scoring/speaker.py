"""Speaker embeddings: a vector per clip whose direction is the voice.

Clips are embedded one at a time on one thread, so that a result never depends on which clips came along.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from contracts.errors import SetupError
from scoring.metric import Waveform, accelerator_missing

RATE_HZ: Final = 16000
"""Sampling rate of all waveforms that an encoder is given."""

Embedding = npt.NDArray[np.float64]

_SHORTEST_SPEECH: Final = 4000  # 0.25 s: less says nothing of a voice
_RESEMBLYZER_WINDOW: Final = 25600  # 1.6 s
_WAVLM_SHORTEST: Final = 8000  # 0.5 s: its time-delay layers span 15 frames of 20 ms, after the front end's own


class SpeakerEncoder(Protocol):
    """A loaded speaker model."""

    @property
    def model(self) -> str:
        """Published name of the model; never a path of this machine, because it is released."""
        ...

    @property
    def model_version(self) -> str:
        """Version of the package that runs it."""
        ...

    def embed(self, waveform: Waveform) -> Embedding | None:
        """Return the unit vector of a clip, shape (d,); None if it holds too little speech.

        Args:
            waveform: 16 kHz mono samples, shape (n,).
        """
        ...


class ResemblyzerEncoder:
    """GE2E voice encoder (Wan et al., "Generalized end-to-end loss for speaker verification", ICASSP 2018) of Resemblyzer.

    Resemblyzer first cuts long silences by WebRTC's voice detector. It pads speech below its window of 1.6 s with zeros, which
    the encoder was never trained on; repeating the speech instead lifts the similarity of half a second of a speaker to
    herself from .66 to .71 and lowers that to others (36 clips).
    """

    model = "resemblyzer ge2e"

    def __init__(self) -> None:
        import resemblyzer
        import threadpoolctl
        import torch

        torch.set_num_threads(1)
        # librosa's matrix products round differently on two threads: 6e-8 in the cosine. Both limits hold for the process.
        threadpoolctl.threadpool_limits(limits=1)
        self._preprocess = resemblyzer.preprocess_wav
        self._encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)
        self.model_version = resemblyzer_version()

    def embed(self, waveform: Waveform) -> Embedding | None:
        """Return the embedding, shape (256,)."""
        if len(waveform) < _SHORTEST_SPEECH or not np.any(waveform):
            return None
        speech: Waveform = self._preprocess(waveform)
        if len(speech) < _SHORTEST_SPEECH:
            return None
        if len(speech) < _RESEMBLYZER_WINDOW:
            speech = np.resize(speech, _RESEMBLYZER_WINDOW)
        return _unit(self._encoder.embed_utterance(speech))


class WavlmEncoder:
    """WavLM with an x-vector head (Chen et al., "WavLM", IEEE JSTSP 2022), fine-tuned for speaker verification."""

    def __init__(self, model_path: str, device: str) -> None:
        if problem := accelerator_missing(device):
            raise SetupError(problem)
        import torch
        from transformers import Wav2Vec2FeatureExtractor, WavLMForXVector

        torch.set_num_threads(1)
        try:
            self._extract = Wav2Vec2FeatureExtractor.from_pretrained(model_path)
            self._network: Any = WavLMForXVector.from_pretrained(model_path).to(device).eval()
        except (OSError, ValueError) as error:
            raise SetupError(f"WavLM model {model_path} does not load: {error}") from error
        self._device = device
        self.model = Path(model_path).name
        self.model_version = wavlm_version()

    def embed(self, waveform: Waveform) -> Embedding | None:
        """Return the embedding, shape (512,) for the published model."""
        if len(waveform) < _WAVLM_SHORTEST or not np.any(waveform):
            return None
        import torch

        inputs = self._extract(waveform, sampling_rate=RATE_HZ, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            return _unit(self._network(**inputs).embeddings[0].float().cpu().numpy())


def resemblyzer_version() -> str:
    """Return the version of ``ResemblyzerEncoder``."""
    return f"Resemblyzer {version('Resemblyzer')}"


def wavlm_version() -> str:
    """Return the version of ``WavlmEncoder``."""
    return f"transformers {version('transformers')}"


def _unit(vector: npt.NDArray[np.float32]) -> Embedding:
    doubled = vector.astype(np.float64)
    return doubled / np.linalg.norm(doubled)
