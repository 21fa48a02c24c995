"""Miniatures of corpora of reference speech, each in the layout of the real one (see ``corpora.miniatures``).

A speaker says every text with the same sound, which lies there once: large miniatures take little room.
"""

import io
import json
from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from corpora.dummies import spoken, vowels

_RATE: Final = 16000
_WORDS: Final = {
    "en": (
        ("The old", "A young", "The tired", "One happy", "A quiet", "The busy", "Another", "The lonely"),
        ("teacher", "farmer", "sailor", "painter", "doctor", "driver", "singer", "baker", "writer", "soldier"),
        ("walked slowly", "waited alone", "sang a song", "read a letter", "looked around", "told a story", "fell asleep"),
        ("near the river", "in the garden", "behind the station", "on the bridge", "before sunrise", "after the storm"),
        ("and smiled.", "without a word.", "for a while.", "as always.", "once again."),
    ),
    "zh": (
        ("年老的", "年轻的", "疲惫的", "快乐的", "安静的", "忙碌的", "孤独的", "热情的"),
        ("老师", "农民", "水手", "画家", "医生", "司机", "歌手", "作家", "士兵", "渔夫"),
        ("慢慢地走着", "独自等待着", "唱了一首歌", "读了一封信", "看了看四周", "讲了个故事", "睡着了"),
        ("在河边", "在花园里", "在车站后面", "在桥上", "日出之前", "暴雨之后"),
        ("微笑着。", "一言不发。", "过了一会儿。", "一如既往。", "又是一次。"),
    ),
}
_TAGS: Final = ((["whispered"], None), (["happy"], None), (None, "Scottish"), (["angry", "loud"], "American"))
_START: Final = {"emilia": 0, "paraspeechcaps": 4000, "l2_arctic": 6000, "kespeech": 8000, "genshin_voice": 10000}
"""Corpus -> number of its first sentence."""

_SOURCES: Final = ("ears", "expresso", "voxceleb", "emilia")
_L2_SPEAKERS: Final = ("ABA", "BWC", "HKK", "TNI")
_SUBDIALECTS: Final = ("Mandarin", "Beijing", "Southwestern", "Zhongyuan")


def sentences(language: str, count: int, start: int = 0) -> list[str]:
    """Return different sentences in English or Chinese, of which there are 16,800.

    Args:
        language: en or zh.
        count: how many.
        start: number of the first one; each corpus here begins elsewhere, and has texts of its own as long as it is small.

    Raises:
        ValueError: there are not so many.
    """
    first, *rest = _WORDS[language]
    # The first word changes fastest, so that few sentences are not all alike.
    joined = ("" if language == "zh" else " ").join
    found = list(islice((joined((words[-1], *words[:-1])) for words in product(*rest, first)), start, start + count))
    if len(found) < count:
        raise ValueError(f"there are {len(found)} sentences in {language} from {start} on, {count} are wanted")
    return found


def emilia(
    folder: str | Path, *, texts: int = 4, speakers: int = 2, languages: Sequence[str] = ("en", "zh"), seed: int = 0
) -> Path:
    """Write Emilia: ``texts`` lines in each language. Returns the folder."""
    folder = Path(folder)
    for language in languages:
        name = language.upper()
        batch, lines, sounds = f"{name}_B00000", list[str](), _Sounds(folder, seed, "MP3")
        for number, text in enumerate(sentences(language, texts, _START["emilia"])):
            speaker = f"{batch}_S{number % speakers:05}"
            line = f"{speaker}_W{number:06}"
            wav = f"{batch}/{speaker}/mp3/{line}.mp3"
            sounds.put(f"raw/{name}/{wav}", speaker)
            fields = {"id": line, "wav": wav, "text": f" {text}", "duration": 2.5, "speaker": speaker, "language": language}
            lines.append(json.dumps(fields | {"dnsmos": 3.3}, ensure_ascii=False) + "\n")
        (folder / f"raw/{name}/{batch}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def paraspeechcaps(folder: str | Path, *, texts: int = 4, speakers: int = 2, seed: int = 0) -> Path:
    """Write ParaSpeechCaps: the split train_base as JSON Lines, and its sources' audio. Returns the folder."""
    folder = Path(folder)
    sounds, lines = _Sounds(folder, seed), list[str]()
    for number, text in enumerate(sentences("en", texts, _START["paraspeechcaps"])):
        source, speaker = _SOURCES[number % len(_SOURCES)], f"p{number % speakers:03}"
        situational, accent = _TAGS[number % len(_TAGS)]
        path = f"{speaker}/{number:06}.wav"
        sounds.put(f"{source}/{path}", speaker)
        fields: dict[str, Any] = {
            "source": source,
            "relative_audio_path": path,
            "text_description": ["Someone speaks."],
            "transcription": text,
            "intrinsic_tags": None,
            "situational_tags": situational,
            "speakerid": speaker,
            "accent": accent,
            "duration": 2.5,
        }
        lines.append(json.dumps(fields, ensure_ascii=False) + "\n")
    (folder / "train_base.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def l2_arctic(folder: str | Path, *, texts: int = 4, speakers: int = 2, seed: int = 0) -> Path:
    """Write L2-ARCTIC: each speaker reads the same sentences. Returns the folder."""
    folder = Path(folder)
    sounds = _Sounds(folder, seed)
    for speaker in _L2_SPEAKERS[:speakers]:
        (folder / speaker / "transcript").mkdir(parents=True)
        for number, text in enumerate(sentences("en", texts, _START["l2_arctic"])):
            stem = f"arctic_{'ab'[number % 2]}{number // 2 + 1:04}"
            sounds.put(f"{speaker}/wav/{stem}.wav", speaker)
            (folder / f"{speaker}/transcript/{stem}.txt").write_text(text, encoding="utf-8")
    return folder


def kespeech(folder: str | Path, *, texts: int = 4, speakers: int = 2, seed: int = 0) -> Path:
    """Write KeSpeech: the part train_phase1. Returns the folder."""
    folder = Path(folder)
    sounds, tables = _Sounds(folder, seed), {name: list[str]() for name in ("text", "wav.scp", "utt2spk", "utt2subdialect")}
    for number, text in enumerate(sentences("zh", texts, _START["kespeech"])):
        speaker = f"{1000000 + number % speakers}"
        name = f"{speaker}_{number:08x}"
        path = f"Audio/{speaker}/phase1/{name}.wav"
        sounds.put(path, speaker)
        for table, value in (
            ("text", text),
            ("wav.scp", path),
            ("utt2spk", speaker),
            ("utt2subdialect", _SUBDIALECTS[number % speakers % len(_SUBDIALECTS)]),
        ):
            tables[table].append(f"{name} {value}\n")
    (folder / "Tasks/ASR/train_phase1").mkdir(parents=True)
    for table, lines in tables.items():
        (folder / "Tasks/ASR/train_phase1" / table).write_text("".join(lines), encoding="utf-8")
    return folder


def genshin_voice(
    folder: str | Path, *, texts: int = 4, speakers: int = 2, languages: Sequence[str] = ("en", "zh"), seed: int = 0
) -> Path:
    """Write Genshin Voice as an audio folder: ``texts`` lines in each language. Returns the folder."""
    folder = Path(folder)
    sounds, lines = _Sounds(folder, seed), list[str]()
    for number, (language, text) in enumerate(_in_turn(languages, texts)):
        speaker = f"Character {number // len(languages) % speakers}"
        path = f"audio/{number:06}.wav"
        sounds.put(path, f"{speaker} {language}")
        named = {"en": "English(US)", "zh": "Chinese"}[language]
        fields = {"file_name": path, "transcription": text, "language": named, "speaker": speaker, "speaker_type": "NPC"}
        lines.append(json.dumps(fields | {"type": "Dialog", "inGameFilename": f"{number}"}, ensure_ascii=False) + "\n")
    (folder / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def _in_turn(languages: Sequence[str], texts: int) -> Iterator[tuple[str, str]]:
    for line in zip(*(sentences(language, texts, _START["genshin_voice"]) for language in languages), strict=True):
        yield from zip(languages, line, strict=True)


class _Sounds:
    """Recordings: the first one of each speaker is written, and the others are links to it."""

    def __init__(self, folder: Path, seed: int, kind: str = "WAV") -> None:
        self._folder, self._seed, self._kind = folder, seed, kind
        self._first = dict[str, Path]()

    def put(self, path: str, speaker: str) -> None:
        """Write a recording of a speaker."""
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if (first := self._first.get(speaker)) is not None:
            file.hardlink_to(first)
            return
        sound = io.BytesIO()
        soundfile.write(
            sound, spoken(np.tile(vowels(len(self._first), self._seed), 3), 1.0, speaker, self._seed), _RATE, format=self._kind
        )
        file.write_bytes(sound.getvalue())
        self._first[speaker] = file
