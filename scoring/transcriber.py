"""What a speech recogniser is: the contract that every plug-in in ``scoring/asr`` keeps."""

from typing import Final, Protocol

from contracts.jobs import Resources
from scoring.metric import Waveform

RATE_HZ: Final = 16000
"""Sampling rate of all waveforms that a transcriber is given."""


class TranscriberSession(Protocol):
    """A loaded recogniser."""

    @property
    def model(self) -> str:
        """Published name of the model; never a path of this machine, because it is released."""
        ...

    @property
    def model_version(self) -> str:
        """Version of the model or of the package that runs it."""
        ...

    def transcribe(self, waveform: Waveform, language: str) -> str:
        """Return what is said in 16 kHz mono speech of shape (n,), as the model writes it.

        Args:
            waveform: samples in [-1, 1).
            language: one of the transcriber's languages.
        """
        ...


class Transcriber(Protocol):
    """Configuration of a recogniser: a frozen dataclass whose fields are its options.

    It may also have ``environment: ClassVar[Environment]``, where its sessions run unless the recipe says otherwise.
    """

    @property
    def languages(self) -> tuple[str, ...]:
        """First parts of BCP 47 tags that it understands; ``mixed`` is code-switched Chinese and English."""
        ...

    @property
    def resources(self) -> Resources:
        """What one session occupies."""
        ...

    def missing(self) -> str | None:
        """Return what to install or do before it can run on this machine; None when it can. Loads nothing."""
        ...

    def installed_version(self) -> str | None:
        """Return the ``model_version`` that a session would report here, loading nothing; asked only when nothing is missing.

        None: only an open session knows.
        """
        ...

    def open(self) -> TranscriberSession:
        """Load the model.

        Raises:
            SetupError: something is missing on this machine.
        """
        ...
