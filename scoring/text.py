"""Text as the units that an error rate counts: words of English, characters of Chinese, both in code-switched text.

English goes through the Whisper normaliser (Radford et al., "Robust speech recognition via large-scale weak supervision",
2023, App. C). Chinese becomes single characters, which makes the rate a CER; code-switched text becomes Chinese characters
and English words, the units of the mixed error rate (MER) that code-switching benchmarks use.
"""

import functools
import re
import unicodedata
from collections.abc import Callable
from typing import Final

from scoring.numerals import with_arabic_digits

# Unified ideographs, Extension A, compatibility ideographs, Extensions B and later.
_HAN: Final = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNITS: Final = re.compile(f"[{_HAN}]|[0-9]|[^\\W0-9_{_HAN}]+")
_SPACED_HAN: Final = re.compile(f"(?<=[{_HAN}])\\s+(?=[{_HAN}])")
_NOT_HAN: Final = re.compile(f"[^{_HAN}]+")
_APOSTROPHES: Final = str.maketrans({"\u2018": "'", "\u2019": "'", "\u02bc": "'", "\uff07": "'"})


def units(text: str, language: str) -> list[str]:
    """Normalise a text and cut it into the units that its language is scored by.

    Args:
        text: a text or a transcript, raw.
        language: BCP 47 tag; only its first part counts. ``en``: words; ``zh`` and ``mixed``: Chinese characters, single
            digits and English words; any other language that puts spaces between words: words in lower case without
            punctuation.
    """
    text = text.translate(_APOSTROPHES)
    match language.split("-", maxsplit=1)[0].lower():
        case "en":
            return _english()(text).split()
        case "zh" | "mixed":
            return _characters_and_words(text)
        case _:
            return _words()(text).split()


def _characters_and_words(text: str) -> list[str]:
    """Cut after NFKC, with numbers as Arabic digits; punctuation and symbols vanish.

    Some recognisers put a space between Chinese characters, which must not tear a numeral apart.
    """
    text = with_arabic_digits(_SPACED_HAN.sub("", unicodedata.normalize("NFKC", text)))
    return _UNITS.findall(_NOT_HAN.sub(lambda run: f" {_english()(run.group())} ", text))


@functools.cache
def _english() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    normalise: Callable[[str], str] = EnglishTextNormalizer()
    # The normaliser leaves the dots of "..." behind where the text has nothing else; a unit has a letter or a digit.
    return lambda text: " ".join(word for word in normalise(text).split() if any(map(str.isalnum, word)))


@functools.cache
def _words() -> Callable[[str], str]:
    from whisper_normalizer.basic import BasicTextNormalizer

    normalise: Callable[[str], str] = BasicTextNormalizer(preserve_marks=True)
    return normalise
