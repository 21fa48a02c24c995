"""emotion2vec+ (Ma et al., Findings of ACL 2024) on FunASR: how likely a clip is spoken with which emotion."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Final

from contracts.bounds import Gpus
from contracts.emotions import EMOTIONS, emotion
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from scoring.metric import Measurement, MetricRequest, absent, accelerator_missing
from storage.downloads import HubFile
from synth.resampling import resample

_RATE_HZ: Final = 16000
_SHORTEST: Final = 1600  # 0.1 s: the convolutions before the network need some frames
_OTHER: Final = "other"
_LABELS: Final = {f"emotion_{name}": name for name in (*EMOTIONS, _OTHER)}


class Emotion2vecSession:
    """A loaded classifier."""

    def __init__(self, network: Any, *, model: str) -> None:
        self._network = network
        self.model = model
        self.model_version = _version()

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Classify clip by clip."""
        for request in requests:
            waveform = resample(request.waveform, request.sample_rate_hz, _RATE_HZ)
            if len(waveform) < _SHORTEST:
                yield Failure(reason="too_short", message=f"{len(waveform)} samples are too few for an emotion")
                continue
            (answer,) = self._network.generate(waveform, granularity="utterance", extract_embedding=False)
            yield Measurement(values=shares(answer["labels"], answer["scores"]))


def shares(labels: Sequence[str], scores: Sequence[float]) -> dict[str, float | None]:
    """Return value name -> probability of FunASR's answer, with labels like ``生气/angry``; what has no name is other."""
    found = dict.fromkeys(_LABELS, 0.0)
    for label, score in zip(labels, scores, strict=True):
        name = f"emotion_{emotion(label.rpartition('/')[2])}"
        found[name if name in found else f"emotion_{_OTHER}"] += float(score)
    return dict(found)


@dataclass(frozen=True, kw_only=True)
class Emotion2vec:
    """Emotion of the voice.

    Values: ``emotion_<name>``, probabilities that add up to 1.

    Attributes:
        model_path: model folder, or a name that FunASR fetches on first use.
        hub: where it fetches from: ``ms`` (ModelScope) or ``hf`` (Hugging Face).
        device: ``cpu``, ``cuda`` or ``cuda:<n>``.
        gpus: share of a GPU that a session asks for.
    """

    value_names: ClassVar[tuple[str, ...]] = tuple(_LABELS)
    needs_reference: ClassVar[bool] = False
    classifies: ClassVar[tuple[str, Mapping[str, str]]] = ("heard_emotion", _LABELS)

    model_path: str = "emotion2vec/emotion2vec_plus_large"
    hub: str = "hf"
    device: str = "cuda"
    gpus: Gpus = 0.25

    @property
    def resources(self) -> Resources:
        """A share of a GPU, or one core."""
        return Resources(gpus=self.gpus if self.device.startswith("cuda") else 0.0, batch_size=32)

    def missing(self) -> str | None:
        """Return what to install, or that the model's folder is not there."""
        if Path(self.model_path).is_absolute() and not Path(self.model_path).is_dir():
            return f"{self.model_path} is not there: download emotion2vec_plus_large, or leave model_path out"
        return absent("funasr", install="funasr")

    def downloads(self) -> tuple[HubFile, ...]:
        """Return the weights, unless their folder is here or ModelScope has them, whose cache only FunASR knows."""
        if Path(self.model_path).is_dir() or self.hub != "hf":
            return ()
        return (HubFile(repo=self.model_path, names=("model.pt",)),)

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return _version()

    def open(self) -> Emotion2vecSession:
        """Load the classifier."""
        if problem := self.missing() or accelerator_missing(self.device):
            raise SetupError(problem)
        from funasr import AutoModel

        try:
            network = AutoModel(
                model=self.model_path, hub=self.hub, device=self.device, ncpu=1, disable_update=True, disable_pbar=True
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise SetupError(f"emotion2vec {self.model_path} does not load on {self.device}: {error}") from error
        return Emotion2vecSession(network, model=self.model_path.rpartition("/")[2])


def _version() -> str:
    return f"funasr {version('funasr')}"


PLUGIN = Emotion2vec
