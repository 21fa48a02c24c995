"""Near copies: whether a text holds another version of a sentence, such as one word exchanged."""

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import Final

from contracts.text_identity import HAN, folded, simplified

NEAR: Final = 0.8
"""Least likeness of a near copy: difflib's ratio over words, or Chinese characters."""

SHORTEST: Final = 4
"""A sentence of fewer words or characters has no near copies: another sentence may well have three of its words."""

_TOKEN: Final = re.compile(rf"[{HAN}]|[^\W_{HAN}]+(?:['\u2019][^\W_{HAN}]+)*")


def copy_of(sentence: str, text: str) -> str | None:
    """Return the part of a text that repeats a sentence, word for word or nearly; None = there is none.

    A sentence that is too short to have near copies has none at all.
    """
    wanted, tokens = _tokens(sentence), _tokens(text)
    length = len(wanted)
    if length >= SHORTEST and any(tokens[start : start + length] == wanted for start in range(len(tokens) - length + 1)):
        return sentence
    return near_copy(sentence, text)


def near_copy(sentence: str, text: str) -> str | None:
    """Return the part of a text that is nearly a sentence, but not the sentence itself; None = there is none.

    A Chinese character counts as a word; case, punctuation and writing systems do not matter.
    """
    wanted, tokens = _tokens(sentence), _tokens(text)
    length = len(wanted)
    if length < SHORTEST:
        return None
    copies = [start for start in range(len(tokens) - length + 1) if tokens[start : start + length] == wanted]
    counts = Counter(wanted)
    for start in range(len(tokens) - SHORTEST + 1):
        part = tokens[start : start + length]
        if any(abs(start - copy) < length for copy in copies):
            continue  # it is, or overlaps, the sentence as it stands
        shared = (Counter(part) & counts).total()
        if 2 * shared < NEAR * (len(part) + length):
            continue
        if SequenceMatcher(None, wanted, part, autojunk=False).ratio() >= NEAR:
            gap = "" if re.fullmatch(rf"[{HAN}]+", "".join(part)) else " "
            return gap.join(part)
    return None


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(simplified(folded(text)).lower())
