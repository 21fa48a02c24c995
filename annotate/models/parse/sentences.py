"""Sentences of a free text, in English and in Chinese: how many there are."""

import re
from typing import Final

import regex

from contracts.text_identity import HAN

_ABBREVIATIONS: Final = (
    *("e.g", "i.e", "etc", "vs", "cf", "approx", "resp", "al", "incl", "esp", "no", "fig", "sec", "min", "max", "avg"),
    *("mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "inc", "ltd", "u.s", "u.k", "a.m", "p.m"),
)
_CLOSING: Final = "\"'\u2019\u201d)\\]}\u300d\u300f\u300b\uff09"
# A full-width end is one wherever it stands; an ASCII one before white space or a Chinese character, or at the end.
_END: Final = regex.compile(
    rf"[\u3002\uff01\uff1f\uff0e]+[{_CLOSING}]*|[.!?\u2026]+[{_CLOSING}]*(?=\s|\Z|[{HAN}])",
)
_WORD: Final = re.compile(r"[^\W_]")
_LIST_NUMBER: Final = re.compile(r"\s*(?:\d{1,2}|[a-zA-Z])\.")


def sentence_count(text: str) -> int:
    """Return the number of sentences; what follows the last end, if it has words, is one.

    A stop inside a number (8.5), behind an abbreviation (e.g., vs.) and behind the number of a list is no end; neither is
    one before a lower-case letter, nor an ellipsis before anything but the end or a capital letter.
    """
    count, start = 0, 0
    for end in _END.finditer(text):
        piece = text[start : end.end()]
        if not _WORD.search(piece) or _goes_on(text, start, end):
            continue
        count, start = count + 1, end.end()
    return count + bool(_WORD.search(text[start:]))


def _goes_on(text: str, start: int, end: "regex.Match[str]") -> bool:
    """Whether a sentence goes on behind what looks like its end."""
    if end[0][0] in "\u3002\uff01\uff1f\uff0e":
        return False
    following = text[end.end() :].lstrip()
    if following and (following[0].islower() or (end[0][0] == "\u2026" and not following[0].isupper())):
        return True
    if not end[0].startswith("."):
        return False
    before = text[start : end.start()]
    if _LIST_NUMBER.fullmatch(f"{before}."):
        return True
    last = before.split()[-1].lstrip("(\"'").lower() if before.split() else ""
    return bool(following) and last in _ABBREVIATIONS
