"""Festival: Edinburgh's synthesiser, http://festvox.org, with a diphone voice and an HMM voice.

Licences, from Debian's copyright files: ``kal_diphone`` (festvox-kallpc16k) has the text that SPDX calls MIT-Festival; the
trained data of ``cmu_us_slt_arctic_hts`` (festvox-us-slt-hts) has CMU's 2003 terms, which Debian names EST-2003, its Scheme
files MIT-Festival, its feature list BSD-3-Clause.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from contracts.bounds import Factor, Seconds
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from synth.engine import RenderRequest, Voice, Waveform, answers
from synth.engine_program import TEXT_FILE, absent, speak, version
from synth.text_frontend import Control

_VOICES: Final = (
    Voice(name="cmu_us_slt_arctic_hts", model="festvox-us-slt-hts", architecture="HMM", sample_rate_hz=32000,
          license="LicenseRef-EST-2003 AND MIT-Festival AND BSD-3-Clause"),
    Voice(name="kal_diphone", model="festvox-kallpc16k", architecture="diphone", sample_rate_hz=16000, license="MIT-Festival"),
)  # fmt: skip

_FOLDERS: Final = {
    "cmu_us_slt_arctic_hts": Path("/usr/share/festival/voices/us/cmu_us_slt_arctic_hts"),
    "kal_diphone": Path("/usr/share/festival/voices/english/kal_diphone"),
}

# Festival splits a text into utterances; each becomes a numbered file. This is what its text2wave script does, which cannot
# start with a smaller heap.
_PROGRAM: Final = (
    "(begin (set! piece 0)"
    " (set! tts_hooks (list utt.synth (lambda (utt)"
    '  (set! piece (+ piece 1)) (utt.save.wave utt (format nil "%d.wav" piece)))))'
    f' (tts_file "{TEXT_FILE}" \'text))'
)

# Cells. Festival fills its default of ten million with zeros at every start, which takes a second; it grows when needed.
_HEAP: Final = "1000000"


# It says "dot dot dot" where dots touch the next word. The diphone voice dies of a segmentation fault where a text, or what
# follows an exclamation or question mark, begins with marks and nothing else, or is nothing else.
_MARKS: Final = r"[.!?,:;'\"(){}\[\]\s-]"
_STUMBLES: Final = (
    Control(pattern=r"\.{2,}(?=['\"(){}\[\]]*\w)", replacement="... "),
    Control(pattern=rf"(?<=[!?])\s(?:`|{_MARKS})+$", replacement="", voices=("kal_diphone",)),
    Control(pattern=rf"(?:^|(?<=[!?]\s))(?={_MARKS}*(?:\.{{3}}|[!?:;-]{{2}})){_MARKS}+", voices=("kal_diphone",)),
)


@dataclass(frozen=True, kw_only=True)
class Festival:
    """Configuration of Festival.

    Attributes:
        duration_stretch: factor on the length of every sound; None leaves it at what the voice itself sets.
        timeout_s: limit for one text.
    """

    architecture: ClassVar[str] = "HMM, diphone"
    languages: ClassVar[tuple[str, ...]] = ("en",)
    clones_voice: ClassVar[bool] = False
    cpu_s_per_audio_s: ClassVar[float | None] = 0.18
    ascii_only: ClassVar[bool] = True
    controls: ClassVar[tuple[Control, ...]] = _STUMBLES

    duration_stretch: Factor | None = None
    timeout_s: Seconds = 120.0

    @property
    def resources(self) -> Resources:
        """One CPU; half a second per text."""
        return Resources(batch_size=16)

    def voices(self) -> tuple[Voice, ...]:
        """Return the HMM voice and the diphone voice."""
        return _VOICES

    def missing(self) -> str | None:
        """Return how to install the program or a voice if one is not there."""
        if problem := absent("festival", "festival"):
            return problem
        missing = [voice.model for voice in _VOICES if not _FOLDERS[voice.name].is_dir()]
        if missing:
            return f"Festival lacks voices: apt-get install {' '.join(missing)} festlex-cmu festlex-poslex"
        return None

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return f"festival {version(['festival', '--version'], r'System: ([0-9.]+)')}"

    def params(self) -> dict[str, object]:
        """Return the duration stretch if one is set."""
        return {} if self.duration_stretch is None else {"duration_stretch": self.duration_stretch}

    def open(self) -> "FestivalSession":
        """Look for the program and ask its version."""
        if problem := self.missing():
            raise SetupError(problem)
        return FestivalSession(self)


class FestivalSession:
    """One process per text."""

    def __init__(self, engine: Festival) -> None:
        self._engine = engine
        self.version = engine.installed_version()

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order."""
        yield from answers(requests, self._engine, self._speak)

    def _speak(self, request: RenderRequest) -> Waveform | Failure:
        stretch = self._engine.duration_stretch
        options = [] if stretch is None else [f"(Parameter.set 'Duration_Stretch {stretch})"]
        argv = ["festival", "--heap", _HEAP, "--batch", f"(voice_{request.voice})", *options, _PROGRAM]
        return speak(argv, request.text, self._engine.timeout_s)


PLUGIN = Festival
