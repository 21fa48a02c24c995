"""MaskGCT (Wang et al., ICLR 2025, arXiv 2409.00750): masked generation of semantic, then acoustic tokens; 24 kHz.

Code MIT, https://github.com/open-mmlab/Amphion; weights CC-BY-NC-4.0, as the speech that they learnt from (Emilia). It is no
package: clone it and put its folder on PYTHONPATH (``missing`` gives the lines). The environment holds what models/tts/maskgct
imports, of which its requirements.txt leaves some out, in the versions that are named there. Its text reading opens files below
the working folder, so that it is called inside of the checkout.
"""

import contextlib
import importlib
import importlib.util
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
from storage.downloads import HubFile
from synth.cloning import imitate, missing, reference_voice, require_device
from synth.engine import Reference, RenderRequest, TakeSetting, Voice, Waveform
from synth.text_frontend import Control

_RATE_HZ: Final = 24000
_PACKAGE: Final = "models.tts.maskgct"
_STEPS: Final = (10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
"""Steps of the acoustic layers after the first one, as the package has them."""

_WEIGHTS: Final = {
    "semantic_codec": "semantic_codec/model.safetensors",
    "codec_encoder": "acoustic_codec/model.safetensors",
    "codec_decoder": "acoustic_codec/model_1.safetensors",
    "t2s_model": "t2s_model/model.safetensors",
    "s2a_model_1layer": "s2a_model/s2a_model_1layer/model.safetensors",
    "s2a_model_full": "s2a_model/s2a_model_full/model.safetensors",
}
"""Part of the pipeline -> its file in the published model."""

_INSTALL: Final = "apt install espeak-ng, git clone https://github.com/open-mmlab/Amphion && export PYTHONPATH=$PWD/Amphion"


@dataclass(frozen=True, kw_only=True)
class MaskGCT:
    """Configuration of MaskGCT.

    Attributes:
        model: Hub id of the weights, which rows record.
        model_path: folder that holds them already; None downloads them. The speech encoder facebook/w2v-bert-2.0 comes from the
            Hub's cache in any case.
        n_timesteps: steps of the semantic tokens, and of the first acoustic layer.
        cfg: classifier-free guidance of both stages.
        rescale_cfg: how far the guided values are scaled back.
        speed: above 1 is faster; the length is estimated by the phones of reference and text.
        device: cuda or cpu.
        batch_size: requests per batch.
        gpus: GPUs that a session takes; 0.25 puts four of them on one, if its memory has room.
    """

    architecture: ClassVar[str] = "masked generative codec transformer"
    languages: ClassVar[tuple[str, ...]] = ("en", "zh", "mixed")
    clones_voice: ClassVar[bool] = True
    max_reference_s: ClassVar[float] = 30.0  # the utterances of Emilia, which it learnt from, are no longer
    needs_reference_text: ClassVar[bool] = True
    varies_by: ClassVar[tuple[TakeSetting, ...]] = ("seed", "duration_factor")
    ascii_only: ClassVar[bool] = False
    controls: ClassVar[tuple[Control, ...]] = ()

    environment: ClassVar[Environment] = Environment(
        requirements=(
            "cn2an==0.5.22",
            "einops==0.8.0",
            "inflect==7.3.1",
            "jieba==0.42.1",
            "json5==0.9.25",
            "langsegment==0.2.0",
            "librosa==0.10.2",
            "numpy==1.23.5",
            "onnxruntime==1.18.0",
            "phonemizer==3.2.1",
            "pykakasi==2.3.0",
            "pyopenjtalk==0.4.1",
            "pypinyin==0.52.0",
            "ruamel.yaml==0.18.6",
            "safetensors==0.4.5",
            "scipy==1.10.1",
            "setuptools<81",
            "six==1.17.0",
            "torch==2.0.1",
            "torchaudio==2.0.2",
            "tqdm==4.66.5",
            "transformers==4.41.1",
            "unidecode==1.3.8",
        ),
        python="3.10",
    )
    session_modules: ClassVar[tuple[str, ...]] = ("librosa", "torch", "transformers")  # its own open files of the checkout

    model: str = "amphion/MaskGCT"
    model_path: str | None = None
    n_timesteps: Annotated[int, Field(ge=1, le=1000)] = 25
    cfg: Annotated[float, Field(ge=0, le=100)] = 2.5
    rescale_cfg: Annotated[float, Field(ge=0, le=1)] = 0.75
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
        if _checkout() is None:
            return f"no Python module {_PACKAGE}: {_INSTALL}"
        modules = ["huggingface_hub", "librosa", "safetensors", "torch", "transformers"]
        return missing(modules, _INSTALL, self.device, self.model_path, holds=tuple(_WEIGHTS.values()))

    def downloads(self) -> list[HubFile]:
        """Return the weights, unless their folder is given, and the speech encoder."""
        parts = [] if self.model_path else [HubFile(repo=self.model, names=(name,)) for name in _WEIGHTS.values()]
        return [*parts, HubFile(repo="facebook/w2v-bert-2.0", names=("model.safetensors",))]

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        checkout = _checkout()
        return "maskgct" if checkout is None else f"maskgct {_revision(checkout)}"

    def params(self) -> dict[str, object]:
        """Return the model, the steps, the guidance and the speed."""
        names = ("model", "n_timesteps", "cfg", "rescale_cfg", "speed")
        return {name: getattr(self, name) for name in names}

    def open(self) -> "MaskGCTSession":
        """Load all parts of the pipeline onto the device."""
        if problem := self.missing():
            raise SetupError(problem)
        require_device(self.device)
        return MaskGCTSession(self)


class MaskGCTSession:
    """A loaded pipeline."""

    def __init__(self, engine: MaskGCT) -> None:
        self._engine = engine
        self._folder = _checkout() or Path()
        self.version = engine.installed_version()
        with _inside(self._folder):
            self._utils: Any = importlib.import_module(f"{_PACKAGE}.maskgct_utils")
            self._pipeline = self._load()

    def _load(self) -> Any:
        """Return the pipeline with its weights (models/tts/maskgct/maskgct_inference.py)."""
        import torch

        load: Any = importlib.import_module("safetensors.torch").load_model

        utils, device = self._utils, torch.device(self._engine.device)
        settings = utils.load_config("./models/tts/maskgct/config/maskgct.json").model
        semantic_model, mean, std = utils.build_semantic_model(device)
        encoder, decoder = utils.build_acoustic_codec(settings.acoustic_codec, device)
        parts = {
            "semantic_codec": utils.build_semantic_codec(settings.semantic_codec, device),
            "codec_encoder": encoder,
            "codec_decoder": decoder,
            "t2s_model": utils.build_t2s_model(settings.t2s_model, device),
            "s2a_model_1layer": utils.build_s2a_model(settings.s2a_model.s2a_1layer, device),
            "s2a_model_full": utils.build_s2a_model(settings.s2a_model.s2a_full, device),
        }
        for name, part in parts.items():
            load(part, self._weights(name))
        return utils.MaskGCT_Inference_Pipeline(
            semantic_model=semantic_model, **parts, semantic_mean=mean, semantic_std=std, device=device
        )

    def _weights(self, part: str) -> str:
        if self._engine.model_path is not None:
            return str(Path(self._engine.model_path, _WEIGHTS[part]).resolve())
        import huggingface_hub

        return str(huggingface_hub.hf_hub_download(self._engine.model, filename=_WEIGHTS[part]))

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order."""
        yield from imitate(requests, self._engine, _RATE_HZ, self._speak)

    def _speak(self, request: RenderRequest, reference: Reference, path: str) -> Any:
        engine, text = self._engine, reference.text or ""
        with _inside(self._folder):
            return self._pipeline.maskgct_inference(
                path,
                text,
                request.text,
                language="en",  # it reads English and Chinese alike, whichever is named
                target_language="en",
                target_len=self._seconds(request, reference, text),
                n_timesteps=engine.n_timesteps,
                cfg=engine.cfg,
                rescale_cfg=engine.rescale_cfg,
                n_timesteps_s2a=[engine.n_timesteps, *_STEPS],
                cfg_s2a=engine.cfg,
                rescale_cfg_s2a=engine.rescale_cfg,
            )

    def _seconds(self, request: RenderRequest, reference: Reference, text: str) -> float | None:
        """Return the length of the speech; None = the package's own estimate, which is repeated here to be scaled."""
        factor = request.lengthened(1 / self._engine.speed)
        if factor == 1:
            return None
        phones = [len(self._utils.g2p_(said, "en")[1]) for said in (text, request.text)]
        return factor * len(reference.waveform) / reference.sample_rate_hz * phones[1] / max(phones[0], 1)


def _checkout() -> Path | None:
    """Return the folder of the sources, by which Python finds them; None if it does not."""
    with contextlib.suppress(ModuleNotFoundError):
        spec = importlib.util.find_spec(f"{_PACKAGE}.maskgct_utils")
        if spec is not None and spec.origin is not None:
            return Path(spec.origin).resolve().parents[3]
    return None


def _revision(checkout: Path) -> str:
    """Return the commit of a checkout; ``unversioned`` where there is no note of it."""
    with contextlib.suppress(OSError):
        head = (checkout / ".git/HEAD").read_text(encoding="utf-8").strip()
        reference = head.removeprefix("ref: ")
        return (head if reference == head else (checkout / ".git" / reference).read_text(encoding="utf-8").strip())[:12]
    return "unversioned"


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Make a folder the working folder inside the block; Python 3.10 has no ``contextlib.chdir``."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


PLUGIN = MaskGCT
