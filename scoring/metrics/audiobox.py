"""Audiobox Aesthetics: four predicted opinions on a clip (Tjandra et al., arXiv:2502.05139), by Meta's own package.

SpeechJudge takes each of them as a judge of naturalness (Tables 1 and 2). The package was run with untrained weights; the
trained ones were not at hand when this was written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Final

from contracts.bounds import Gpus
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from scoring.metric import Better, Measurement, MetricRequest, absent, accelerator_missing
from storage.downloads import HubFile
from synth.resampling import resample

_RATE_HZ: Final = 16000
_SHORTEST: Final = 1600  # 0.1 s: the package pads to 10 s, and less would be an opinion on padding
_AXES: Final = {"audiobox_ce": "CE", "audiobox_cu": "CU", "audiobox_pc": "PC", "audiobox_pq": "PQ"}
_MODEL: Final = "facebook/audiobox-aesthetics"


class AudioboxSession:
    """The package's predictor, loaded."""

    def __init__(self, predictor: Any, *, model: str, model_version: str) -> None:
        self._predictor = predictor
        self.model = model
        self.model_version = model_version

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Score clip by clip: windows of 10 s each, whose mean is weighted by their length."""
        import torch

        for request in requests:
            waveform = resample(request.waveform, request.sample_rate_hz, _RATE_HZ)
            if len(waveform) < _SHORTEST:
                yield Failure(reason="too_short", message=f"{len(waveform)} samples are too few for a score")
                continue
            clip = {"path": torch.from_numpy(waveform)[None, :], "sample_rate": _RATE_HZ}
            (scores,) = self._predictor.forward([clip])
            yield Measurement(values={name: float(scores[axis]) for name, axis in _AXES.items()})


@dataclass(frozen=True, kw_only=True)
class Audiobox:
    """Predicted opinions, each 1 to 10.

    Values: ``audiobox_ce`` content enjoyment, ``audiobox_cu`` content usefulness, ``audiobox_pc`` production complexity,
    ``audiobox_pq`` production quality. Content enjoyment stands for the metric: it agreed best with SpeechJudge's listeners.

    Attributes:
        checkpoint: the released file ``checkpoint.pt``; None fetches the model from the Hugging Face Hub on first use.
        device: ``cpu``, ``cuda`` or ``cuda:<n>``.
        gpus: share of a GPU that a session asks for.
    """

    value_names: ClassVar[tuple[str, ...]] = tuple(_AXES)
    better: ClassVar[Mapping[str, Better]] = dict.fromkeys(_AXES, "higher")
    needs_reference: ClassVar[bool] = False

    checkpoint: str | None = None
    device: str = "cuda"
    gpus: Gpus = 0.25

    @property
    def resources(self) -> Resources:
        """A share of a GPU, or one core."""
        return Resources(gpus=self.gpus if self.device.startswith("cuda") else 0.0, batch_size=16)

    def missing(self) -> str | None:
        """Return what to install, or that the checkpoint is not there."""
        if self.checkpoint is not None and not Path(self.checkpoint).is_file():
            return f"{self.checkpoint} is not there: download checkpoint.pt of {_MODEL}, or leave checkpoint out"
        # The package does not declare requests, which it imports.
        modules = ("audiobox_aesthetics", "requests", "rich", "safetensors", "torch", "torchaudio")
        return absent(*modules, install="audiobox_aesthetics requests")

    def downloads(self) -> tuple[HubFile, ...]:
        """Return weights and configuration, unless a checkpoint is given, which holds both."""
        if self.checkpoint is not None:
            return ()
        return HubFile(repo=_MODEL, names=("model.safetensors",)), HubFile(repo=_MODEL, names=("config.json",))

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return f"audiobox_aesthetics {version('audiobox_aesthetics')}"

    def open(self) -> AudioboxSession:
        """Load the predictor."""
        if problem := self.missing() or accelerator_missing(self.device):
            raise SetupError(problem)
        import torch
        from audiobox_aesthetics.infer import initialize_predictor

        torch.set_num_threads(1)
        try:
            predictor = initialize_predictor(self.checkpoint)
        except (OSError, RuntimeError) as error:
            raise SetupError(f"Audiobox Aesthetics does not load from {self.checkpoint or _MODEL}: {error}") from error
        predictor.device = torch.device(self.device)  # it takes a GPU wherever there is one
        predictor.model.to(predictor.device)
        model = Path(self.checkpoint or _MODEL).stem
        return AudioboxSession(predictor, model=model, model_version=self.installed_version())


PLUGIN = Audiobox
