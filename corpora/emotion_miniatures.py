"""Miniatures of corpora of acted emotions, each in the layout of the real one (see ``corpora.miniatures``)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import soundfile

from corpora.dummies import spoken, vowels
from corpora.esd import EMOTIONS, SENTENCES

_RATE: Final = 16000
_ENCODINGS: Final = {"0001": "gb2312", "0003": "utf-16", "0011": "utf-8", "0012": "utf-16-le", "0016": "latin-1"}
_SENTENCES: Final = {
    "zh": ("桌上放着三个苹果和一把小刀。", "他对谁都是那么友好。", "我们明天一起去公园。"),
    "en": (
        "The nine the eggs, I keep.",
        "I did go, and made many prisoners.",
        "They went up to the dark mass.",
    ),
}
_EMOTION_WORDS: Final = {"zh": ("中立", "生气", "快乐", "伤心", "惊喜"), "en": EMOTIONS}
_DIALOGUES: Final = (
    ("What do you want to do tonight?", "I don't know. What about you?", "Let's see that new film."),
    ("Excuse me, is this seat taken?", "No, please sit down.", "Thank you. It is crowded today.", "It always is on Fridays."),
)


def esd(
    folder: str | Path, *, speakers: Sequence[str] = tuple(_ENCODINGS), sentences: int = 2, splits: bool = True, seed: int = 0
) -> Path:
    """Write ESD: each speaker's transcript in an encoding of its own. Returns the folder.

    Args:
        folder: where to write.
        speakers: which speakers, 0001 to 0020.
        sentences: how many sentences each says in each of the five emotions, at most three.
        splits: whether the emotions have folders of splits; the last sentence is the test.
        seed: decides sounds.
    """
    folder = Path(folder) / "Emotion Speech Dataset"
    for speaker in speakers:
        language, lines = "en" if speaker > "0010" else "zh", list[str]()
        for place, emotion in enumerate(EMOTIONS):
            for sentence in range(sentences):
                name = f"{speaker}_{place * SENTENCES + sentence + 1:06}"
                split = ("test" if sentence == sentences - 1 else "train") if splits else ""
                path = folder / speaker / emotion / split / f"{name}.wav"
                _write_clip(path, sentence + 3 * int(speaker), seed)
                lines.append(f"{name}\t{_SENTENCES[language][sentence]}\t{_EMOTION_WORDS[language][place]}\r\n")
        data = "".join(lines).encode(_ENCODINGS.get(speaker, "utf-16"))
        (folder / speaker / f"{speaker}.txt").write_bytes(data)
    return folder.parent


def dailytalk(folder: str | Path, *, dialogues: int = 2, seed: int = 0) -> Path:
    """Write DailyTalk: keys in the order of strings, as in the real file. Returns the folder."""
    folder, metadata = Path(folder), dict[str, dict[str, Any]]()
    for dialogue in sorted(range(dialogues), key=str):
        turns = metadata.setdefault(str(dialogue), {})
        for turn, text in enumerate(_DIALOGUES[dialogue % len(_DIALOGUES)]):
            speaker, emotion = turn % 2, ("none", "happiness", "surprise")[turn % 3]
            turns[str(turn)] = {
                "index": turn,
                "text": text,
                "speaker": speaker,
                "turn": turn,
                "topic": "relationship",
                "emotion": emotion,
                "act": "question" if text.endswith("?") else "inform",
            }
            name = f"{turn}_{speaker}_d{dialogue}"
            _write_clip(folder / f"data/{dialogue}/{name}.wav", 2 * dialogue + speaker, seed, clip=name)
    (folder / "metadata.json").write_text(json.dumps(metadata, ensure_ascii=False, indent=4), encoding="utf-8")
    return folder


def _write_clip(path: Path, content: int, seed: int, clip: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = spoken(vowels(content, seed), 1.0, clip or path.stem, seed)
    soundfile.write(path, sound, _RATE, subtype="PCM_16")
