"""Paraformer-zh (Gao et al., Interspeech 2022) on FunASR: SpeechJudge's recogniser of Chinese and code-switched speech."""

from dataclasses import dataclass
from typing import Any, ClassVar

from contracts.bounds import Gpus
from contracts.jobs import Resources
from scoring.funasr_model import funasr_version, load_model, missing_model, model_downloads
from scoring.metric import Waveform
from storage.downloads import HubFile


class ParaformerSession:
    """A loaded Paraformer without voice activity detection and punctuation: clips are short, and marks do not count."""

    model = "paraformer-zh"

    def __init__(self, network: Any) -> None:
        self._network = network
        self.model_version = funasr_version()

    def transcribe(self, waveform: Waveform, language: str) -> str:  # noqa: ARG002 - one vocabulary for both languages
        """Return the transcript of 16 kHz speech: Chinese characters and English words, separated by spaces."""
        (answer,) = self._network.generate(input=waveform)
        return str(answer["text"])


@dataclass(frozen=True, kw_only=True)
class ParaformerZh:
    """Paraformer-zh.

    Attributes:
        model_path: model folder, or a name that FunASR fetches on first use.
        hub: where it fetches from: ``ms`` (ModelScope) or ``hf`` (Hugging Face, as funasr/paraformer-zh).
        device: ``cpu``, ``cuda`` or ``cuda:<n>``.
        gpus: share of a GPU that a session asks for.
    """

    languages: ClassVar[tuple[str, ...]] = ("zh", "mixed")

    model_path: str = "paraformer-zh"
    hub: str = "hf"
    device: str = "cpu"
    gpus: Gpus = 0.1

    @property
    def resources(self) -> Resources:
        """One core, or a share of a GPU."""
        return Resources(gpus=self.gpus if self.device.startswith("cuda") else 0.0, batch_size=32)

    def missing(self) -> str | None:
        """Return what to install, or that the model's folder is not there."""
        return missing_model(self.model_path, "funasr/paraformer-zh")

    def downloads(self) -> tuple[HubFile, ...]:
        """Return the model's weights, where they are fetched from the Hub."""
        return model_downloads(self.model_path, self.hub)

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return funasr_version()

    def open(self) -> ParaformerSession:
        """Load the model."""
        return ParaformerSession(
            load_model(self.model_path, self.hub, self.device, title="Paraformer model", missing=self.missing())
        )


PLUGIN = ParaformerZh
