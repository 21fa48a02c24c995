"""Paraformer-zh (Gao et al., Interspeech 2022) on FunASR: SpeechJudge's recogniser of Chinese and code-switched speech."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from contracts.bounds import Gpus
from contracts.errors import SetupError
from contracts.jobs import Resources
from scoring.metric import Waveform, absent, accelerator_missing
from storage.downloads import HubFile


class ParaformerSession:
    """A loaded Paraformer without voice activity detection and punctuation: clips are short, and marks do not count."""

    model = "paraformer-zh"

    def __init__(self, network: Any) -> None:
        self._network = network
        self.model_version = _version()

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
        if Path(self.model_path).is_absolute() and not Path(self.model_path).is_dir():
            return f"{self.model_path} is not there: download funasr/paraformer-zh, or leave model_path out"
        return absent("funasr", install="funasr")

    def downloads(self) -> tuple[HubFile, ...]:
        """Return the model's weights, unless its folder is here or ModelScope has them, whose cache only FunASR knows."""
        if Path(self.model_path).is_dir() or self.hub != "hf":
            return ()
        repo = self.model_path if "/" in self.model_path else f"funasr/{self.model_path}"
        return (HubFile(repo=repo, names=("model.pt",)),)

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return _version()

    def open(self) -> ParaformerSession:
        """Load the model."""
        if problem := self.missing() or accelerator_missing(self.device):
            raise SetupError(problem)
        from funasr import AutoModel

        try:
            network = AutoModel(
                model=self.model_path, hub=self.hub, device=self.device, ncpu=1, disable_update=True, disable_pbar=True
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise SetupError(f"Paraformer model {self.model_path} does not load on {self.device}: {error}") from error
        return ParaformerSession(network)


def _version() -> str:
    return f"funasr {version('funasr')}"


PLUGIN = ParaformerZh
