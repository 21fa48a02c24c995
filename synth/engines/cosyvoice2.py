"""CosyVoice 2 (Du et al. 2024, arXiv 2412.10117): speech-token language model, flow matching, HiFT vocoder; 24 kHz.

Code and weights Apache-2.0, https://github.com/FunAudioLLM/CosyVoice. It is no package: clone it with its submodules and put
both source folders on PYTHONPATH (``missing`` gives the lines). The environment holds what the sources import, in the versions
of their requirements.txt; openai-whisper is a newer one, because theirs does not build any more.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from contracts.bounds import BatchSize, Factor, Gpus
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from contracts.plugin_environment import Environment
from storage.downloads import HubFile
from synth.cloning import imitate, missing, published, reference_voice, require_device
from synth.engine import Reference, RenderRequest, TakeSetting, Voice, Waveform
from synth.text_frontend import Control

_RATE_HZ: Final = 24000
_INSTALL: Final = (
    "git clone --recursive https://github.com/FunAudioLLM/CosyVoice && "
    "export PYTHONPATH=$PWD/CosyVoice:$PWD/CosyVoice/third_party/Matcha-TTS"
)


@dataclass(frozen=True, kw_only=True)
class CosyVoice2:
    """Configuration of CosyVoice 2.

    Attributes:
        model: Hub id of the weights, which rows record.
        model_path: folder that holds them already; None downloads them.
        fp16: half precision.
        text_frontend: its own text normalisation.
        speed: above 1 is faster.
        device: cuda or cpu.
        batch_size: requests per batch.
        gpus: GPUs that a session takes; 0.25 puts four of them on one, if its memory has room.
    """

    architecture: ClassVar[str] = "speech-token LM and flow matching"
    languages: ClassVar[tuple[str, ...]] = ("en", "zh", "mixed")
    clones_voice: ClassVar[bool] = True
    max_reference_s: ClassVar[float] = 30.0  # its speech tokeniser asserts this
    varies_by: ClassVar[tuple[TakeSetting, ...]] = ("seed", "duration_factor")
    ascii_only: ClassVar[bool] = False
    # Its tokenizer's special tokens: [breath] and others in brackets, <strong>, <laughter>, and <|endofprompt|>, which also
    # switches its text normalisation off.
    controls: ClassVar[tuple[Control, ...]] = (
        Control(pattern=r"[\[\]]"),
        Control(pattern=r"<(?=\||/?(?:strong|laughter)>)", replacement="< "),
    )

    environment: ClassVar[Environment] = Environment(
        requirements=(
            "conformer==0.3.2",
            "diffusers==0.29.0",
            "gdown==5.1.0",
            "hydra-core==1.3.2",
            "HyperPyYAML==1.2.3",
            "inflect==7.3.1",
            "librosa==0.10.2",
            "lightning==2.2.4",
            "matplotlib==3.7.5",
            "modelscope==1.20.0",
            "numpy==1.26.4",
            "omegaconf==2.3.0",
            "onnxruntime-gpu==1.18.0",
            "openai-whisper==20250625",
            "pyworld==0.3.4",
            "torch==2.3.1",
            "torchaudio==2.3.1",
            "transformers==4.51.3",
            "wetext==0.0.4",
            "wget==3.2",
            "x-transformers==2.11.24",
        )
    )
    session_modules: ClassVar[tuple[str, ...]] = ("cosyvoice.cli.cosyvoice",)

    model: str = "FunAudioLLM/CosyVoice2-0.5B"
    model_path: str | None = None
    fp16: bool = False
    text_frontend: bool = True
    speed: Factor = 1.0
    device: str = "cuda"
    batch_size: BatchSize = 16
    gpus: Gpus = 1.0

    @property
    def resources(self) -> Resources:
        """One GPU and the CPU that feeds it."""
        return Resources(cpus=1, gpus=self.gpus if self.device.startswith("cuda") else 0.0, batch_size=self.batch_size)

    def voices(self) -> tuple[Voice, ...]:
        """Return the one voice: that of the reference."""
        return reference_voice(self.model, "Apache-2.0", self.architecture, _RATE_HZ)

    def missing(self) -> str | None:
        """Return what to install, download or change."""
        modules = ["cosyvoice", "matcha", "modelscope", "hyperpyyaml", "huggingface_hub", "torch"]
        return missing(modules, _INSTALL, self.device, self.model_path, holds=["cosyvoice2.yaml"])

    def downloads(self) -> tuple[HubFile, ...]:
        """Return the weights, unless their folder is given."""
        return published(self.model, self.model_path, "cosyvoice2.yaml")

    def installed_version(self) -> str | None:
        """Return what a session here reports as its version; None for a model that is yet to be downloaded."""
        return _version(self.model_path) if self.model_path else None

    def params(self) -> dict[str, object]:
        """Return the model, precision, text normalisation and speed."""
        return {"model": self.model, "fp16": self.fp16, "text_frontend": self.text_frontend, "speed": self.speed}

    def open(self) -> "CosyVoice2Session":
        """Load the network onto the device."""
        if problem := self.missing():
            raise SetupError(problem)
        require_device(self.device)
        return CosyVoice2Session(self)


class CosyVoice2Session:
    """A loaded model."""

    def __init__(self, engine: CosyVoice2) -> None:
        import huggingface_hub
        from cosyvoice.cli.cosyvoice import CosyVoice2 as Model

        self._engine = engine
        folder = engine.model_path or huggingface_hub.snapshot_download(engine.model)
        self._model: Any = Model(folder, load_jit=False, load_trt=False, fp16=engine.fp16)
        self.version = _version(folder)

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order."""
        yield from imitate(requests, self._engine, int(self._model.sample_rate), self._speak)

    def _speak(self, request: RenderRequest, reference: Reference, path: str) -> np.ndarray[Any, Any]:
        speed = request.slowed(self._engine.speed)
        options = {"stream": False, "speed": speed, "text_frontend": self._engine.text_frontend}
        if (reference.text or "").strip():
            pieces = self._model.inference_zero_shot(request.text, reference.text, path, **options)
        else:
            pieces = self._model.inference_cross_lingual(request.text, path, **options)
        return np.concatenate([piece["tts_speech"].cpu().numpy().ravel() for piece in pieces])


def _version(folder: str) -> str:
    # The checkout has no version; the model's own configuration tells releases of the weights apart.
    configuration = hashlib.sha256(Path(folder, "cosyvoice2.yaml").read_bytes()).hexdigest()
    return f"cosyvoice2.yaml sha256:{configuration[:16]}"


PLUGIN = CosyVoice2
