"""Whisper large-v3, the recogniser that SpeechJudge (App. C) scores English with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from contracts.bounds import Gpus
from contracts.errors import SetupError
from contracts.jobs import Resources
from scoring.asr.whisper import WhisperSession, load_network, whisper_version
from scoring.metric import absent
from storage.downloads import HubFile


@dataclass(frozen=True, kw_only=True)
class WhisperLargeV3:
    """Whisper large-v3 on CTranslate2.

    Attributes:
        model_path: folder of a CTranslate2 build, or a Hub id; ``large-v3`` is fetched from the Hub on first use
            (``ct2-transformers-converter --model openai/whisper-large-v3`` makes such a folder from the official weights).
        device: ``cuda`` or ``cpu``.
        compute_type: CTranslate2's arithmetic: ``float16`` on a GPU, ``int8`` on a CPU.
        gpus: share of a GPU that a session asks for; float16 needs about 5 GB.
        beam_size: hypotheses kept in decoding.
        local_files_only: never ask the Hub.
    """

    languages: ClassVar[tuple[str, ...]] = ("en", "zh", "mixed", "de", "es", "fr", "it", "ru")

    model_path: str = "large-v3"
    device: str = "cuda"
    compute_type: str = "float16"
    gpus: Gpus = 0.25
    beam_size: Annotated[int, Field(ge=1, le=100)] = 5
    local_files_only: bool = False

    @property
    def resources(self) -> Resources:
        """A share of a GPU."""
        return Resources(gpus=self.gpus if self.device == "cuda" else 0.0, batch_size=32)

    def missing(self) -> str | None:
        """Return what to install, or that the model's folder is not there."""
        if Path(self.model_path).is_absolute() and not (Path(self.model_path) / "model.bin").is_file():
            return f"{self.model_path} holds no CTranslate2 model: convert openai/whisper-large-v3, or leave model_path out"
        return absent("faster_whisper", install="faster-whisper==1.2.1")

    def downloads(self) -> tuple[HubFile, ...]:
        """Return the model's weights, unless its folder is here."""
        if Path(self.model_path).is_dir():
            return ()
        repo = self.model_path if "/" in self.model_path else f"Systran/faster-whisper-{self.model_path}"
        return (HubFile(repo=repo, names=("model.bin",), may_fetch=not self.local_files_only),)

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return whisper_version()

    def open(self) -> WhisperSession:
        """Load the model."""
        if problem := self.missing():
            raise SetupError(problem)
        network = load_network(
            self.model_path, device=self.device, compute_type=self.compute_type, local_files_only=self.local_files_only
        )
        return WhisperSession(network, model=f"whisper-large-v3 {self.compute_type}", beam_size=self.beam_size)


PLUGIN = WhisperLargeV3
