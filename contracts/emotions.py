"""Emotions as corpora, classifiers and judges name them, as one word each."""

from difflib import get_close_matches
from typing import Final

_SYNONYMS: Final = {
    "neutral": ("none", "no emotion", "calm", "中立", "中性", "平静"),
    "angry": ("anger", "生气", "愤怒"),
    "happy": ("happiness", "joy", "joyful", "快乐", "开心", "高兴"),
    "sad": ("sadness", "伤心", "难过", "悲伤"),
    "surprise": ("surprised", "惊喜", "吃惊", "惊讶"),
    "fear": ("fearful", "afraid", "害怕", "恐惧"),
    "disgust": ("disgusted", "厌恶"),
}
_WORDS: Final = {word: name for name, words in _SYNONYMS.items() for word in (name, *words)}

EMOTIONS: Final = tuple(_SYNONYMS)
"""The emotions that corpora of acted speech and of dialogues have in common."""


def emotion(label: str | None) -> str | None:
    """Return the one word for a label; a label that is none of these emotions is its own word, and None is unknown."""
    if label is None:
        return None
    word = " ".join(label.split()).casefold()
    return _WORDS.get(word, word) or None


def misspelt(label: str) -> str | None:
    """Return the known word that a label is nearly, but not quite; None = it is known, or is no emotion known here."""
    word = emotion(label) or ""
    if word in EMOTIONS:
        return None
    close = get_close_matches(word, _WORDS, n=1, cutoff=0.75)
    return close[0] if close else None
