"""UTMOS: predicted naturalness (Saeki et al., "UTMOS: UTokyo-SaruLab system for VoiceMOS Challenge 2022", Interspeech 2022).

The strong learner as tarepan/SpeechMOS packs it for torch.hub. That repository's package is called ``speechmos`` like the one
that carries DNSMOS; both cannot be imported in one process, and this project imports neither by name outside this file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from contracts.bounds import Gpus
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from scoring.metric import Better, Measurement, MetricRequest, absent, accelerator_missing
from storage.downloads import WebFile, torch_hub
from synth.resampling import resample

_RATE_HZ: Final = 16000
_SHORTEST: Final = 1600  # 0.1 s: below it the network's convolutions have nothing to work on
_ENTRY: Final = "utmos22_strong"
_WEIGHTS: Final = "https://github.com/tarepan/SpeechMOS/releases/download/v1.0.0/utmos22_strong_step7459_v1.pt"


class UtmosSession:
    """The loaded predictor."""

    model = _ENTRY

    def __init__(self, predictor: Any, *, device: str, release: str) -> None:
        self._predictor = predictor
        self._device = device
        self.model_version = _version(release)

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Score clip by clip: padding a batch to one length would change the scores."""
        import torch

        for request in requests:
            waveform = resample(request.waveform, request.sample_rate_hz, _RATE_HZ)
            if len(waveform) < _SHORTEST:
                yield Failure(reason="too_short", message=f"{len(waveform)} samples are too few for a score")
                continue
            with torch.inference_mode():
                score = self._predictor(torch.from_numpy(waveform)[None, :].to(self._device), _RATE_HZ)
            yield Measurement(values={"utmos": float(score[0])})


@dataclass(frozen=True, kw_only=True)
class Utmos:
    """Predicted naturalness.

    Values: ``utmos``, a mean opinion score, 1 to 5.

    Attributes:
        repository: folder of a checkout of tarepan/SpeechMOS; None fetches it from GitHub on first use.
        release: release of the repository, which is recorded and, without a folder, fetched.
        device: ``cpu``, ``cuda`` or ``cuda:<n>``.
        gpus: share of a GPU that a session asks for.
    """

    value_names: ClassVar[tuple[str, ...]] = ("utmos",)
    better: ClassVar[Mapping[str, Better]] = {"utmos": "higher"}
    needs_reference: ClassVar[bool] = False

    repository: str | None = None
    release: str = "v1.2.0"
    device: str = "cuda"
    gpus: Gpus = 0.25

    @property
    def resources(self) -> Resources:
        """A share of a GPU, or one core."""
        return Resources(gpus=self.gpus if self.device.startswith("cuda") else 0.0, batch_size=16)

    def missing(self) -> str | None:
        """Return what to install, or that the folder is no checkout."""
        if self.repository is not None and not (Path(self.repository) / "hubconf.py").is_file():
            return f"{self.repository} has no hubconf.py: clone tarepan/SpeechMOS there, or leave repository out"
        return absent("torch", "torchaudio", install="torch torchaudio")

    def downloads(self) -> tuple[WebFile, ...]:
        """Return the code, unless a folder is given, and the weights, unless that folder's code takes others."""
        hub = torch_hub()
        weights = WebFile(url=_WEIGHTS, path=hub / "checkpoints" / _WEIGHTS.rpartition("/")[2])
        if self.repository is not None:
            return (weights,) if _WEIGHTS in (Path(self.repository) / "hubconf.py").read_text(encoding="utf-8") else ()
        code = f"https://github.com/tarepan/SpeechMOS/zipball/{self.release}"
        return WebFile(url=code, path=hub / f"tarepan_SpeechMOS_{self.release}" / "hubconf.py"), weights

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return _version(self.release)

    def open(self) -> UtmosSession:
        """Load the predictor."""
        if problem := self.missing() or accelerator_missing(self.device):
            raise SetupError(problem)
        import torch

        torch.set_num_threads(1)
        where = self.repository or f"tarepan/SpeechMOS:{self.release}"
        source = "local" if self.repository else "github"
        load: Any = torch.hub.load
        try:
            predictor = load(where, _ENTRY, source=source, trust_repo=True)
        except (OSError, RuntimeError, ImportError) as error:
            raise SetupError(f"UTMOS does not load from {where}: {error}") from error
        return UtmosSession(predictor.to(self.device).eval(), device=self.device, release=self.release)


def _version(release: str) -> str:
    return f"SpeechMOS {release}"


PLUGIN = Utmos
