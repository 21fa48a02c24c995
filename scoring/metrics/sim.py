"""SIM: how much a clip sounds like the speaker of the reference, the cosine of two speaker embeddings.

SpeechJudge (App. C) takes WavLM embeddings; Resemblyzer's encoder is the small one that runs everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from contracts.bounds import Gpus
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from scoring.metric import Better, Measurement, MetricRequest, Waveform, absent
from scoring.references import RememberedReferences
from scoring.speaker import (
    RATE_HZ,
    Embedding,
    ResemblyzerEncoder,
    SpeakerEncoder,
    WavlmEncoder,
    resemblyzer_version,
    wavlm_version,
)
from storage.downloads import HubFile
from synth.resampling import resample


class SimSession:
    """A loaded encoder and the last references that it embedded: all samples of a prompt share one."""

    def __init__(self, encoder: SpeakerEncoder) -> None:
        self._encoder = encoder
        self._references = RememberedReferences(self._embed)
        self.model = encoder.model
        self.model_version = encoder.model_version

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Compare each clip with its reference."""
        for request in requests:
            yield self._measure(request)

    def _measure(self, request: MetricRequest) -> Measurement | Failure:
        if request.reference is None or request.reference_rate_hz is None:
            return Failure(reason="no_reference", message="there is no reference speech to compare the voice with")
        reference = self._references.of(request.reference, request.reference_rate_hz)
        if reference is None:
            return Failure(reason="reference_without_speech", message="the reference holds too little speech for an embedding")
        clip = self._embed(request.waveform, request.sample_rate_hz)
        if clip is None:
            return Failure(reason="no_speech", message="the clip holds too little speech for a speaker embedding")
        return Measurement(values={"sim": float(np.sum(clip * reference))})

    def _embed(self, waveform: Waveform, rate_hz: int) -> Embedding | None:
        return self._encoder.embed(resample(waveform, rate_hz, RATE_HZ))


@dataclass(frozen=True, kw_only=True)
class Sim:
    """Speaker similarity.

    Values: ``sim``, the cosine in [-1, 1]; Resemblyzer's is never negative.

    Attributes:
        encoder: ``resemblyzer`` (embedded) or ``wavlm``.
        model_path: WavLM's folder, or a Hub id that is fetched on first use.
        device: device of WavLM, ``cpu``, ``cuda`` or ``cuda:<n>``; Resemblyzer runs on the CPU.
        gpus: share of a GPU that a WavLM session asks for.
    """

    value_names: ClassVar[tuple[str, ...]] = ("sim",)
    cpu_s_per_audio_s: ClassVar[float | None] = 0.1
    better: ClassVar[Mapping[str, Better]] = {"sim": "higher"}
    needs_reference: ClassVar[bool] = True

    encoder: Literal["resemblyzer", "wavlm"] = "resemblyzer"
    model_path: str = "microsoft/wavlm-base-plus-sv"
    device: str = "cpu"
    gpus: Gpus = 0.1

    def __post_init__(self) -> None:
        if self.encoder == "resemblyzer" and self.device != "cpu":
            raise ValueError("resemblyzer runs on the CPU: leave device out")

    @property
    def resources(self) -> Resources:
        """One core, or a share of a GPU."""
        return Resources(gpus=self.gpus if self.device.startswith("cuda") else 0.0, batch_size=16)

    def missing(self) -> str | None:
        """Return what to install, or that WavLM's folder is not there."""
        if self.encoder == "resemblyzer":
            packages = "webrtcvad-wheels librosa && pip install --no-deps Resemblyzer==0.1.4"
            return absent("resemblyzer", "torch", "torchaudio", "webrtcvad", "librosa", install=packages)
        if Path(self.model_path).is_absolute() and not Path(self.model_path).is_dir():
            return f"{self.model_path} is not there: download microsoft/wavlm-base-plus-sv, or leave model_path out"
        return absent("transformers", "torch", install="transformers torch")

    def downloads(self) -> tuple[HubFile, ...]:
        """Return WavLM's weights, unless its folder is here."""
        if self.encoder == "resemblyzer" or Path(self.model_path).is_dir():
            return ()
        return (HubFile(repo=self.model_path, names=("pytorch_model.bin", "model.safetensors")),)

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return resemblyzer_version() if self.encoder == "resemblyzer" else wavlm_version()

    def open(self) -> SimSession:
        """Load the encoder."""
        if problem := self.missing():
            raise SetupError(problem)
        return SimSession(ResemblyzerEncoder() if self.encoder == "resemblyzer" else WavlmEncoder(self.model_path, self.device))


PLUGIN = Sim
