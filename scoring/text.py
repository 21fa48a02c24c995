"""Text as the units that an error rate counts: words of English, characters of Chinese, both in code-switched text.

Chinese becomes single characters, which makes the rate a CER; code-switched text becomes Chinese characters and English words,
the units of the mixed error rate (MER) that code-switching benchmarks use. What is written in digits, signs or abbreviations
becomes what is spoken, in all its readings (see ``scoring.readings``).
"""

from collections.abc import Iterator
from typing import Final

import regex

from contracts.languages import CHINESE, MIXED, base_language
from contracts.text_identity import folded
from scoring import chinese, english
from scoring.readings import Form, Units

READINGS: Final = "4"
"""Version of the rules; part of the ``model_version`` of metrics that count units. Rows without it have version 1."""

# A sign before a number, and signs that are spoken, are units of their own; digits never merge with what a power adds.
_WORDS: Final = regex.compile(
    r"\^[-+]?\d+|(?<![\p{L}\p{N}%°'\"\p{Sc})])-(?=\p{Sc}?\d)|[%‰°\p{Sc}]|(?![~|<>])\p{Sm}|[\p{L}\p{M}\p{N}]+"
)


def units(text: str, language: str) -> Units:
    """Return what a text says in the units that its language is scored by: the usual reading, and all others with it.

    Args:
        text: a text or a transcript, raw.
        language: BCP 47 tag; script and region do not count. ``en``: words; ``mixed``, ``zh`` and its sisters such as ``yue``:
            Chinese characters and English words, numbers as they are spoken; any other language that puts spaces between
            words: words in lower case without punctuation, numbers as they are written.
    """
    seen = folded(text)
    match base_language(language):
        case "en":
            return Units(english.without_fillers(english.forms(seen)))
        case base if base in CHINESE or base == MIXED:
            return Units(english.without_fillers(chinese.forms(seen)))
        case _:
            return Units(_plain(seen))


def _plain(text: str) -> Iterator[Form]:
    return (match.group() for match in _WORDS.finditer(text.lower()))
