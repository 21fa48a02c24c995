"""FAD: Fréchet distance between VGGish embeddings of a clip and of background speech (Kilgour et al., Interspeech 2019).

Kilgour et al. compare two sets of recordings. SpeechJudge judges single clips by FAD (Tables 1 and 2) and names the checkpoint
alone (App. C), so what one clip's FAD is, is decided here. As in the per-song FAD of Gui et al. (ICASSP 2024, ``fadtk``), one
Gaussian is fitted to the embeddings of the clip alone, and one to those of the background. The background is the prompt's
speech, or a folder of recordings, which is that per-song FAD. A clip of some seconds has few embeddings, so its FAD depends on
its length, and values with different backgrounds do not compare.

Embeddings are of 0.96 s each, side by side, before the last activation and without PCA, as in ``fadtk``. VGGish is the port
torchvggish. That package was run with untrained weights; the trained ones were not at hand when this was written.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from contracts.bounds import Gpus
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from scoring.frechet import Gaussian, fitted_gaussian, frechet_distance
from scoring.metric import Better, Measurement, MetricRequest, Waveform, absent, accelerator_missing
from scoring.references import RememberedReferences
from storage.downloads import WebFile, torch_hub
from synth.recording import decode
from synth.resampling import resample

RATE_HZ: Final = 16000
SHORTEST: Final = 400 + (96 - 1) * 160
"""Samples of the shortest clip with an embedding, 0.975 s: 96 frames of 25 ms every 10 ms."""

_SUFFIXES: Final = {".flac", ".mp3", ".ogg", ".wav"}
_WEIGHTS: Final = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth"

Embed = Callable[[Waveform], npt.NDArray[np.floating]]
"""Mono waveform at 16 kHz of at least ``SHORTEST`` samples -> embeddings, shape (n, d), n > 0."""


class FadSession:
    """VGGish and what it made of the background."""

    model = "vggish"

    def __init__(self, embed: Embed, *, model_version: str, background: Gaussian | None) -> None:
        self._embed = embed
        self._background = background
        self._references = RememberedReferences(self._gaussian)
        self.model_version = model_version

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Compare each clip with its background."""
        for request in requests:
            yield self._measure(request)

    def _measure(self, request: MetricRequest) -> Measurement | Failure:
        background = self._background
        if background is None:
            if request.reference is None or request.reference_rate_hz is None:
                return Failure(reason="no_reference", message="there is no prompt speech to compare the clip with")
            background = self._references.of(request.reference, request.reference_rate_hz)
            if background is None:
                return Failure(
                    reason="reference_too_short", message="the prompt speech is too short for two embeddings of 0.96 s"
                )
        clip = self._gaussian(request.waveform, request.sample_rate_hz)
        if clip is None:
            return Failure(reason="too_short", message="the clip is too short for two embeddings of 0.96 s")
        return Measurement(values={"fad": frechet_distance(clip, background)})

    def _gaussian(self, waveform: Waveform, rate_hz: int) -> Gaussian | None:
        """Return the Gaussian of a clip; None if the clip has fewer than two embeddings."""
        samples = resample(waveform, rate_hz, RATE_HZ)
        embeddings = self._embed(samples) if len(samples) >= SHORTEST else ()
        return fitted_gaussian(np.asarray(embeddings)) if len(embeddings) > 1 else None


def background_of(folder: Path, embed: Embed) -> tuple[Gaussian, str]:
    """Return the Gaussian of all recordings below a folder, and a digest of them.

    Recordings are FLAC, MP3, OGG and WAV files, at any depth; those below 0.975 s have no embedding.

    Raises:
        SetupError: a file that cannot be decoded, or fewer than two embeddings in all.
    """
    embeddings, digest = [], hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file()):
        data = path.read_bytes()
        recording = decode(data, path.name)
        if isinstance(recording, Failure):
            raise SetupError(f"background of the metric fad: {path}: {recording.message}")
        samples = resample(recording.samples, recording.sample_rate_hz, RATE_HZ)
        if len(samples) >= SHORTEST:
            embeddings.append(embed(samples))
        digest.update(hashlib.sha256(data).digest())
    if sum(map(len, embeddings)) < 2:
        raise SetupError(f"background of the metric fad: {folder} holds less speech than two embeddings of 0.96 s take")
    return fitted_gaussian(np.concatenate(embeddings)), digest.hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class Fad:
    """Fréchet audio distance of single clips.

    Values: ``fad``, from 0 upwards; no unit.

    Attributes:
        background: folder of recordings that clips are compared with; None compares each with its prompt's speech. A digest of
            the recordings is a part of the model's version. Values are kept by the folder's name: other recordings, another.
        device: ``cpu``, ``cuda`` or ``cuda:<n>``.
        gpus: share of a GPU that a session asks for.
    """

    value_names: ClassVar[tuple[str, ...]] = ("fad",)
    better: ClassVar[Mapping[str, Better]] = {"fad": "lower"}
    needs_reference: ClassVar[bool] = True

    background: str | None = None
    device: str = "cuda"
    gpus: Gpus = 0.25

    def __post_init__(self) -> None:
        if self.background is not None:  # prompts are then not read, and a metric of clips alone can be a limit
            object.__setattr__(self, "needs_reference", False)

    @property
    def resources(self) -> Resources:
        """A share of a GPU, or one core."""
        return Resources(gpus=self.gpus if self.device.startswith("cuda") else 0.0, batch_size=16)

    def missing(self) -> str | None:
        """Return what to install, or that the background is no folder."""
        if self.background is not None and not Path(self.background).is_dir():
            return f"{self.background} is no folder: put recordings there, or leave background out"
        return absent("torchvggish", "resampy", "torch", install="torchvggish resampy torch")

    def downloads(self) -> tuple[WebFile, ...]:
        """Return the weights, where the package keeps them."""
        return (WebFile(url=_WEIGHTS, path=torch_hub() / "checkpoints" / _WEIGHTS.rpartition("/")[2]),)

    def installed_version(self) -> str | None:
        """Return what a session here reports as its version; with a folder only an open one knows."""
        return _package() if self.background is None else None

    def open(self) -> FadSession:
        """Load VGGish, and listen to the background.

        Raises:
            SetupError: something is missing, or the background cannot be used.
        """
        if problem := self.missing() or accelerator_missing(self.device):
            raise SetupError(problem)
        embed = _vggish(self.device)
        if self.background is None:
            return FadSession(embed, model_version=_package(), background=None)
        background, digest = background_of(Path(self.background), embed)
        return FadSession(embed, model_version=f"{_package()}, background {digest}", background=background)


def _vggish(device: str) -> Embed:
    import torch
    from torchvggish import vggish, waveform_to_examples

    torch.set_num_threads(1)
    try:
        network = vggish(postprocess=False)
    except (OSError, RuntimeError) as error:
        raise SetupError(f"VGGish does not load from {_WEIGHTS}: {error}") from error
    network.embeddings = network.embeddings[:-1]
    network.to(device).eval()

    def embed(waveform: Waveform) -> npt.NDArray[np.floating]:
        with torch.inference_mode():
            embeddings: npt.NDArray[np.floating] = network(waveform_to_examples(waveform, RATE_HZ).to(device)).cpu().numpy()
        return embeddings

    return embed


def _package() -> str:
    return f"torchvggish {version('torchvggish')}"


PLUGIN = Fad
