"""DistillMOS: the quality of speech as listeners would rate it, predicted by a small network.

Stahl & Gamper, "Distillation and Pruning for Scalable Self-Supervised Representation-Based Speech Quality Assessment", ICASSP
2025 (arXiv 2502.05356). It is a small copy of a network on XLS-R that learnt from listeners' ratings. How far it can be trusted
on synthetic speech is measured in docs/decisions/0020-what-runs-from-packages.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Final

from contracts.errors import SetupError
from contracts.installed_packages import package_folder
from contracts.jobs import Failure, Resources
from scoring.metric import Better, Measurement, MetricRequest, absent
from synth.resampling import resample

_RATE_HZ: Final = 16000
_WEIGHTS: Final = "weights/distill_mos_v7.pt"
_INSTALL: Final = "distillmos==0.9.1 torch"


class DistillMosSession:
    """The network on one thread."""

    model = "distillmos v7"

    def __init__(self, weights: Path) -> None:
        import distillmos
        import torch

        torch.set_num_threads(1)
        # With load_weights the package prints the path of its file.
        self._network: Any = distillmos.ConvTransformerSQAModel(load_weights=False)
        self._network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True)["model"])
        self._network.eval()
        self.model_version = _version()

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Score clip by clip; the network cuts a clip into windows of 7.68 s, or pads it to one, and returns the mean."""
        import torch

        for request in requests:
            if not request.waveform.size:
                yield Failure(reason="empty_audio", message="the clip has no samples")
                continue
            waveform = resample(request.waveform, request.sample_rate_hz, _RATE_HZ)
            with torch.inference_mode():
                score = self._network(torch.from_numpy(waveform)[None, :])
            yield Measurement(values={"distillmos": float(score)})


@dataclass(frozen=True, kw_only=True)
class DistillMos:
    """Predicted speech quality.

    Values: ``distillmos``, a mean opinion score, 1 to 5.
    """

    value_names: ClassVar[tuple[str, ...]] = ("distillmos",)
    cpu_s_per_audio_s: ClassVar[float | None] = 0.15
    better: ClassVar[Mapping[str, Better]] = {"distillmos": "higher"}
    needs_reference: ClassVar[bool] = False

    @property
    def resources(self) -> Resources:
        """One core."""
        return Resources(batch_size=16)

    def missing(self) -> str | None:
        """Return what to install."""
        if problem := absent("distillmos", "xls_r_sqa", "torch", "torchaudio", install=_INSTALL):
            return problem
        if not _weights().is_file():
            return "module distillmos has no weights: pip install --force-reinstall --no-deps distillmos==0.9.1"
        return None

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return _version()

    def open(self) -> DistillMosSession:
        """Load the network from the package's file."""
        if problem := self.missing():
            raise SetupError(problem)
        return DistillMosSession(_weights())


def _weights() -> Path:
    return (package_folder("distillmos") or Path()) / _WEIGHTS


def _version() -> str:
    return f"distillmos {version('distillmos')}"


PLUGIN = DistillMos
