"""emotion2vec+ (Ma et al., Findings of ACL 2024) on FunASR: how likely a clip is spoken with which emotion."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from contracts.bounds import Gpus
from contracts.emotions import EMOTIONS, emotion
from contracts.jobs import Failure, Resources
from scoring.funasr_model import funasr_version, load_model, missing_model, model_downloads
from scoring.metric import Measurement, MetricRequest
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
        self.model_version = funasr_version()

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
        return missing_model(self.model_path, "emotion2vec/emotion2vec_plus_large")

    def downloads(self) -> tuple[HubFile, ...]:
        """Return the model's weights, where they are fetched from the Hub."""
        return model_downloads(self.model_path, self.hub)

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return funasr_version()

    def open(self) -> Emotion2vecSession:
        """Load the classifier."""
        network = load_model(self.model_path, self.hub, self.device, title="emotion2vec", missing=self.missing())
        return Emotion2vecSession(network, model=self.model_path.rpartition("/")[2])


PLUGIN = Emotion2vec
