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
        import torch
        from torchaudio.transforms import MelSpectrogram

        torch.set_num_threads(1)
        self._preprocess = resemblyzer.preprocess_wav
        self._encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)
        # The package's own features are librosa's, whose first call compiles for up to half a minute in every process.
        self._mel = MelSpectrogram(
            RATE_HZ, n_fft=400, hop_length=160, n_mels=40, pad_mode="constant", norm="slaney", mel_scale="slaney"
        )
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
        return _unit(self._mean_embedding(speech))

    def _mean_embedding(self, speech: Waveform) -> npt.NDArray[np.float32]:
        """Return the mean embedding of overlapping windows, as the package's ``embed_utterance`` with its defaults."""
        import torch

        of_samples, of_frames = self._encoder.compute_partial_slices(len(speech), rate=1.3, min_coverage=0.75)
        padded = np.pad(speech, (0, max(0, of_samples[-1].stop - len(speech))))
        with torch.inference_mode():
            mel = self._mel(torch.as_tensor(padded, dtype=torch.float32)).T
            mean: npt.NDArray[np.float32] = self._encoder(torch.stack([mel[part] for part in of_frames])).mean(dim=0).numpy()
        return mean


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
