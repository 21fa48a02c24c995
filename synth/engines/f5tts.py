"""F5-TTS (Chen et al. 2024, arXiv 2410.06885): flow matching with a diffusion transformer, Vocos vocoder; 24 kHz.

Code MIT, weights CC-BY-NC-4.0 because of their training data (https://github.com/SWivid/F5-TTS, section License).
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from contracts.bounds import BatchSize, Factor, Gpus
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from contracts.plugin_environment import Environment
from storage.downloads import HubFile, cache_home
from synth.cloning import imitate, missing, package_version, reference_voice, require_device
from synth.engine import Reference, RenderRequest, TakeSetting, Voice, Waveform
from synth.text_frontend import Control

_RATE_HZ: Final = 24000
_CHECKPOINTS: Final = {
    "F5TTS_v1_Base": ("SWivid/F5-TTS", "F5TTS_v1_Base/model_1250000.safetensors"),
    "F5TTS_Base": ("SWivid/F5-TTS", "F5TTS_Base/model_1200000.safetensors"),
    "E2TTS_Base": ("SWivid/E2-TTS", "E2TTS_Base/model_1200000.safetensors"),
}
"""Model -> repository and file that its package takes (f5_tts/api.py)."""
_VOCODER: Final = "charactr/vocos-mel-24khz"


@dataclass(frozen=True, kw_only=True)
class F5TTS:
    """Configuration of F5-TTS.

    Attributes:
        model: name of the published model and of its architecture file, which rows record.
        model_path: checkpoint file; None downloads the published one.
        vocab_path: its vocabulary file; None is the packaged one.
        vocoder_path: folder of the vocoder; None downloads it.
        nfe_step: steps of the solver.
        cfg_strength: classifier-free guidance.
        speed: above 1 is faster.
        device: cuda or cpu.
        batch_size: requests per batch.
        gpus: GPUs that a session takes; 0.25 puts four of them on one, if its memory has room.
    """

    architecture: ClassVar[str] = "flow-matching diffusion transformer"
    languages: ClassVar[tuple[str, ...]] = ("en", "zh", "mixed")
    clones_voice: ClassVar[bool] = True
    max_reference_s: ClassVar[float] = 12.0  # it cuts a longer reference, whose transcript then no longer fits
    needs_reference_text: ClassVar[bool] = True
    varies_by: ClassVar[tuple[TakeSetting, ...]] = ("seed", "duration_factor")
    ascii_only: ClassVar[bool] = False
    controls: ClassVar[tuple[Control, ...]] = ()

    environment: ClassVar[Environment] = Environment(
        requirements=(
            "f5-tts==1.1.22",
            "torch==2.8.0",
            "torchaudio==2.8.0",
            "torchcodec==0.7.0",
        )
    )
    session_modules: ClassVar[tuple[str, ...]] = ("f5_tts.api",)

    model: str = "F5TTS_v1_Base"
    model_path: str | None = None
    vocab_path: str | None = None
    vocoder_path: str | None = None
    nfe_step: Annotated[int, Field(ge=1, le=1000)] = 32
    cfg_strength: Annotated[float, Field(ge=0, le=100)] = 2.0
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
        return reference_voice(self.model, "CC-BY-NC-4.0", self.architecture, _RATE_HZ)

    def missing(self) -> str | None:
        """Return what to install, download or change."""
        for path in filter(None, (self.vocab_path, self.vocoder_path)):
            if not Path(path).exists():
                return f"nothing is at {path}: download it there, or leave the option out to take the published one"
        return missing(["f5_tts", "torch"], "pip install f5-tts, and FFmpeg for its pydub", self.device, self.model_path)

    def downloads(self) -> list[HubFile]:
        """Return checkpoint and vocoder, unless they are given; of other models only the package knows where they are."""
        files = []
        if self.model_path is None and self.model in _CHECKPOINTS:
            repo, name = _CHECKPOINTS[self.model]
            cache = os.environ.get("CACHED_PATH_CACHE_ROOT") or os.fspath(cache_home() / "cached_path")
            files.append(HubFile(repo=repo, names=(name,), cache_dir=cache))
        if self.vocoder_path is None:
            files.append(HubFile(repo=_VOCODER, names=("pytorch_model.bin",)))
        return files

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return f"f5-tts {package_version('f5-tts')}"

    def params(self) -> dict[str, object]:
        """Return the model, the solver's settings and the speed."""
        return {"model": self.model, "nfe_step": self.nfe_step, "cfg_strength": self.cfg_strength, "speed": self.speed}

    def open(self) -> "F5TTSSession":
        """Load network and vocoder onto the device."""
        if problem := self.missing():
            raise SetupError(problem)
        require_device(self.device)
        return F5TTSSession(self)


class F5TTSSession:
    """A loaded model."""

    def __init__(self, engine: F5TTS) -> None:
        from f5_tts import api

        self._engine = engine
        self._model: Any = api.F5TTS(
            model=engine.model,
            ckpt_file=engine.model_path or "",
            vocab_file=engine.vocab_path or "",
            vocoder_local_path=engine.vocoder_path,
            device=engine.device,
        )
        self.version = engine.installed_version()

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order. Without a reference text it would fetch a speech recogniser, so that is a failure."""
        yield from imitate(requests, self._engine, int(self._model.target_sample_rate), self._speak)

    def _speak(self, request: RenderRequest, reference: Reference, path: str) -> Any:
        samples, _rate, _spectrogram = self._model.infer(
            ref_file=path,
            ref_text=reference.text,
            gen_text=request.text,
            show_info=_say_nothing,
            nfe_step=self._engine.nfe_step,
            cfg_strength=self._engine.cfg_strength,
            speed=request.slowed(self._engine.speed),
            seed=request.seed,
        )
        return samples


def _say_nothing(*_message: object) -> None:
    """Keep its progress messages out of the workers' output."""


PLUGIN = F5TTS
