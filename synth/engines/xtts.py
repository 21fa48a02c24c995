"""XTTS-v2 (Casanova et al. 2024, arXiv 2406.04904): GPT over audio codes with a HiFi-GAN decoder; 24 kHz.

Code MPL-2.0 (package coqui-tts), weights under the Coqui Public Model License, which allows no commercial use. The package
wants a torch older than ours, and imports six without asking for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from contracts.bounds import BatchSize, Factor, Gpus, TopP
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from contracts.plugin_environment import Environment
from storage.downloads import HubFile
from synth.cloning import imitate, missing, package_version, published, reference_voice, require_device
from synth.engine import Reference, RenderRequest, TakeSetting, Voice, Waveform
from synth.text_frontend import Control

_RATE_HZ: Final = 24000
_LANGUAGES: Final = {"en": "en", "zh": "zh-cn"}
_INSTALL: Final = "leave environment out of the recipe, or pip install coqui-tts six 'torch<2.9' 'torchaudio<2.9'"


@dataclass(frozen=True, kw_only=True)
class Xtts:
    """Configuration of XTTS-v2.

    Attributes:
        model: Hub id of the weights, which rows record.
        model_path: folder with config.json, model.pth and vocab.json; None downloads them.
        temperature: of the audio codes.
        top_p: nucleus of the audio codes.
        top_k: candidates of the audio codes.
        repetition_penalty: against loops.
        speed: above 1 is faster.
        device: cuda or cpu.
        batch_size: requests per batch.
        gpus: GPUs that a session takes; 0.25 puts four of them on one, if its memory has room.
    """

    architecture: ClassVar[str] = "audio-code GPT and HiFi-GAN"
    languages: ClassVar[tuple[str, ...]] = tuple(_LANGUAGES)
    clones_voice: ClassVar[bool] = True
    max_reference_s: ClassVar[float] = 30.0
    varies_by: ClassVar[tuple[TakeSetting, ...]] = ("seed", "temperature", "duration_factor")
    ascii_only: ClassVar[bool] = False
    # Its tokenizer's special tokens: a language as in [en], [START], [STOP].
    controls: ClassVar[tuple[Control, ...]] = (Control(pattern=r"[\[\]]"),)

    environment: ClassVar[Environment] = Environment(
        requirements=(
            "coqui-tts==0.28.0",
            "torch==2.8.0",
            "torchaudio==2.8.0",
            "six==1.17.0",
        )
    )
    session_modules: ClassVar[tuple[str, ...]] = ("TTS.tts.models.xtts",)

    model: str = "coqui/XTTS-v2"
    model_path: str | None = None
    temperature: Annotated[float, Field(gt=0, le=2)] = 0.75
    top_p: TopP = 0.85
    top_k: Annotated[int, Field(ge=1, le=10_000)] = 50
    repetition_penalty: Annotated[float, Field(gt=0, le=100)] = 10.0
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
        return reference_voice(self.model, "LicenseRef-CPML-NonCommercial", self.architecture, _RATE_HZ)

    def missing(self) -> str | None:
        """Return what to install, download or change."""
        return missing(
            ["TTS", "huggingface_hub", "torch"],
            _INSTALL,
            self.device,
            self.model_path,
            holds=["config.json", "model.pth", "vocab.json"],
        )

    def downloads(self) -> tuple[HubFile, ...]:
        """Return the weights, unless their folder is given."""
        return published(self.model, self.model_path, "model.pth")

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return f"coqui-tts {package_version('coqui-tts')}"

    def params(self) -> dict[str, object]:
        """Return the model, the sampling settings and the speed."""
        return {
            "model": self.model,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "repetition_penalty": self.repetition_penalty,
            "speed": self.speed,
        }

    def open(self) -> "XttsSession":
        """Load the networks onto the device."""
        if problem := self.missing():
            raise SetupError(problem)
        require_device(self.device)
        return XttsSession(self)


class XttsSession:
    """A loaded model."""

    def __init__(self, engine: Xtts) -> None:
        import huggingface_hub
        from TTS.tts.configs.xtts_config import XttsConfig
        from TTS.tts.models.xtts import Xtts as Model

        self._engine = engine
        folder = engine.model_path or huggingface_hub.snapshot_download(engine.model)
        self._config: Any = XttsConfig()
        self._config.load_json(str(Path(folder, "config.json")))
        self._model: Any = Model.init_from_config(self._config)
        self._model.load_checkpoint(self._config, checkpoint_dir=folder, eval=True)
        self._model.to(engine.device)
        self.version = engine.installed_version()

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order."""
        yield from imitate(requests, self._engine, _RATE_HZ, self._speak)

    def _speak(self, request: RenderRequest, reference: Reference, path: str) -> Any:  # noqa: ARG002
        engine, config = self._engine, self._config
        latent, speaker = self._model.get_conditioning_latents(
            audio_path=[path],
            gpt_cond_len=config.gpt_cond_len,
            gpt_cond_chunk_len=config.gpt_cond_chunk_len,
            max_ref_length=config.max_ref_len,
        )
        answer = self._model.inference(
            request.text,
            _LANGUAGES[request.language.lower().split("-")[0]],
            latent,
            speaker,
            temperature=request.temperature_or(engine.temperature),
            top_p=engine.top_p,
            top_k=engine.top_k,
            repetition_penalty=engine.repetition_penalty,
            speed=request.slowed(engine.speed),
            enable_text_splitting=True,
        )
        return answer["wav"]


PLUGIN = Xtts
