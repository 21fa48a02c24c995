"""What a text to be spoken may be, and when two texts are the same one.

Three forms, each wider than the one before (docs/decisions/0012-words.md):

- ``folded``: what a reader sees. Every other form, and every error rate, starts from it.
- ``identity_form``: the same words in the same order. Duplicates are found by it: case, punctuation and invisible characters
  differ, anything that is spoken does not.
- ``leakage_form``: the same thing said. Splits are kept apart by it: writing systems, spelled numbers and spaces differ, too.
"""

import functools
import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final

from contracts.numerals import with_arabic_digits
from contracts.text_forms import with_operators, without_hidden

LONGEST_TEXT: Final = 2000
"""Characters of one text: about two minutes of speech. More is a whole chapter or a damaged row; no engine here is made for
more, and no judge listens to more."""

HAN: Final = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters, as the inside of a regular expression's class: unified ideographs and their
extensions, and the ideographic zero."""

_SUPERSCRIPT: Final = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b"
_SUBSCRIPT: Final = "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089\u208a\u208b"
_RAISED: Final = re.compile(f"[{_SUPERSCRIPT}]+")
_LOWERED: Final = re.compile(f"(?<=[0-9])(?=[{_SUBSCRIPT}])|[{_SUBSCRIPT}]+")
_LOWERED_BEFORE: Final = re.compile(f"(?<=[{_SUBSCRIPT}])(?=[0-9])")
_PLAIN: Final = str.maketrans(_SUPERSCRIPT + _SUBSCRIPT, "0123456789+-" * 2)
_ALIKE: Final = {
    **dict.fromkeys("\u2018\u2019\u02bc\u2032\u00b4\u1ffd`", "'"),
    **dict.fromkeys("\u2010\u2011\u2212\ufe63\uff0d", "-"),
    "\u2044": "/",
    "\u2215": "/",
    "\u066a": "%",
    "\u0609": "\u2030",
    "\u066b": ".",
    "\u066c": ",",
    **dict.fromkeys("\u2122\u2120", ""),
}


# A dash between numbers is a range, an en dash also the minus of one; with spaces around it, between words, it is punctuation.
_DASH: Final = re.compile(
    "(?<=[0-9%\u00b0年月日号])[\u2014\u2015\ufe31\ufe58](?=[0-9])"
    "|[\u2012\u2013\ufe32](?=[.$\u20ac\u00a3\u00a50-9])|(?<=\\w)[\u2012\u2013\ufe32](?=\\w)"
    "|(?<=[\\w%\u00b0'] )[\u2012\u2013](?= [$\u20ac\u00a3\u00a5]?[0-9])"
)
# The ring accent and the ordinal's raised o, which keyboards have in place of the degree sign.
_DEGREE: Final = re.compile("(?<=[0-9])( ?)(?:\u02da|\u00ba(?= ?[CF]\\b))")
# The circle of a Chinese zero, for which most keyboards have only the geometric one.
_CIRCLE: Final = re.compile("(?<=[\u3007零一二三四五六七八九])[\u25cb\u25ef]+|[\u25cb\u25ef]+(?=[零一二三四五六七八九])")
_UNEQUAL: Final = re.compile(r"!=(?=[ \w(\"'-])")
FACTORIAL: Final = r"(?<=[0-9])!(?=\s*[=\u2260+*/\u00d7\u00f7^)]|-[0-9])|(?<=\A[0-9])!\Z|(?<=\A[0-9][0-9])!\Z"
"""An exclamation mark that is spoken: behind a number, before an operator or with nothing else in the text."""


class _Fold(dict[int, str]):
    """A table for ``str.translate`` that looks a character up when it first meets it."""

    def __missing__(self, code: int) -> str:
        self[code] = result = self._look_up(chr(code))
        return result

    @staticmethod
    def _look_up(character: str) -> str:
        category = unicodedata.category(character)
        if character in _ALIKE:
            return _ALIKE[character]
        if category in {"Cc", "Zl", "Zp", "Zs"}:
            return " "
        if category == "Nd":
            return str(unicodedata.digit(character))
        # A digit in a circle or a fraction in one character stands beside a digit before it and is never glued to it.
        return f" {unicodedata.normalize('NFKC', character)} ".replace("\u2044", "/") if category == "No" else character


_FOLD: Final = _Fold()


def folded(text: str) -> str:
    """Return a text as its reader sees it: NFKC, one kind of apostrophe, hyphen and space, nothing invisible, no digits glued.

    Plain NFKC makes 102 of ``10²`` and ``11/2`` of ``1½``; here they are ``10^2`` and ``1 1/2``. A lowered digit stays
    beside a letter (``H₂O`` is H2O), and is set apart from digits (``10₂`` is 10_2, ``log₂8`` is log2 8). Digits of all
    scripts are Arabic ones, with their points and percent signs. Case is kept.
    """
    text = with_operators(without_hidden(text))
    if not text.isascii():
        text = _RAISED.sub(lambda run: f"^{run.group().translate(_PLAIN)} ", text)
        text = _DEGREE.sub(r"\1" + "\u00b0", text)
        text = _LOWERED_BEFORE.sub(" ", text)
        text = _LOWERED.sub(lambda run: run.group().translate(_PLAIN) or "_", text)
        text = _DASH.sub("-", text)
        text = _CIRCLE.sub(lambda run: "\u3007" * len(run.group()), text)
    text = _UNEQUAL.sub("\u2260", text)
    # The table comes twice, because composing gives some of its characters: NFKC of U+0149 holds an apostrophe of another kind.
    return " ".join(unicodedata.normalize("NFKC", text.translate(_FOLD)).translate(_FOLD).split())


# Signs that are spoken though Unicode calls them punctuation: 100% is not 100, C# is not C.
_SPOKEN_PUNCTUATION: Final = frozenset("%\u2030#&@*/\\\u00a7")
_SPOKEN_SYMBOLS: Final = frozenset("^\u00b0")


class _Words(dict[int, str]):
    """A table that keeps letters, marks and numbers, sets signs that are spoken apart, and makes a space of the rest."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        result = " "
        if category[0] in "LMN":
            result = character
        elif category in {"Sm", "Sc"} or character in _SPOKEN_SYMBOLS or character in _SPOKEN_PUNCTUATION:
            result = f" {character} "
        self[code] = result
        return result


_WORDS: Final = _Words()
_IN_NUMBER: Final = re.compile(
    rf"(?<=[0-9])[.,:-](?=[0-9])|(?<![^\W_])[-.](?=[0-9])|(?:(?<=\A)|(?<=\s))\.(?=[^\W\d_])|(?<=[0-9])(?:''|'(?=[0-9]))|{FACTORIAL}"
)
_HOLD: Final = {".": "\ue000", ",": "\ue001", ":": "\ue002", "-": "\ue003", "!": "\ue004", "''": "\ue005", "'": "\ue006"}
_RELEASE: Final = str.maketrans({held: sign for sign, held in _HOLD.items()})
_WORDS.update({ord(held): held for held in _HOLD.values()})


def identity_form(text: str) -> str:
    """Return what two transcripts of the same words have in common; two texts with one form are duplicates.

    Folded and without case; words separated by one space, without the punctuation between them. What is spoken stays: letters
    with their marks (काल is not कोल), numbers with their points and signs (3.14 is not 3 14), signs (``5 < 6`` is not
    ``5 > 6``, ``C++`` and ``C#`` are not ``C``, 5% is not 5). Emoji and other pictures are not spoken.

    A text of punctuation alone is its own form.
    """
    cased = unicodedata.normalize("NFKC", folded(text).casefold())
    return _words(cased) or text


def _words(text: str) -> str:
    held = _IN_NUMBER.sub(lambda sign: _HOLD[sign.group()], text)
    return " ".join(held.translate(_WORDS).translate(_RELEASE).split())


_THOUSANDS: Final = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_ONE: Final = re.compile(r"\bone(?=s?\b)")
_ENGLISH_NUMBER: Final = re.compile(
    r"\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty"
    r"|hundred|thousand|[mbtrquad]+illion|first|second|third|\w+t[hy]|dollars?|pounds?|euros?|cents?|percent|minus|negative)s?\b"
)
_HAS_HAN: Final = re.compile(f"[{HAN}]")


LEAKAGE_FORM: Final = 5
"""Version of ``leakage_form``. A workspace whose splits were made by an older one has them checked anew, which asks nobody."""


def leakage_form(text: str) -> str:
    """Return what all ways of writing one spoken text have in common; texts with one form belong in one split.

    The identity form in simplified characters, with spelled English and Chinese numbers in digits, without spaces: 我們 is
    我们, ``two cats`` is ``2 cats``, 二零二四 is 2024. It may join texts that differ, which costs a split a little freedom and
    nothing else. Empty for a text of punctuation alone.
    """
    plain = _words(unicodedata.normalize("NFKC", folded(text).casefold()))
    if _HAS_HAN.search(plain):
        plain = _words(with_arabic_digits(simplified(plain)))
    plain = _THOUSANDS.sub("", plain)
    if _ENGLISH_NUMBER.search(plain):
        plain = _english_numbers()(plain)
    return _ONE.sub("1", plain).replace(" ", "")


@functools.cache
def _english_numbers() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishNumberNormalizer

    in_digits: Callable[[str], str] = EnglishNumberNormalizer()
    return in_digits


# OpenCC leaves these, because they are two words elsewhere: 看著 for 看着, 甚么 for 什么, 馀 for 余 and 妳 for 你 are only
# spellings.
_VARIANTS: Final = str.maketrans({"\u8457": "\u7740", "\u9980": "\u4f59", "\u59b3": "\u4f60"})


def simplified(text: str) -> str:
    """Return a text in simplified Chinese characters; words are not replaced (軟體 stays 软体)."""
    if not _HAS_HAN.search(text):
        return text
    written: str = _opencc().convert(text)
    return written.translate(_VARIANTS).replace("甚么", "什么")


@functools.cache
def _opencc() -> Any:
    from opencc import OpenCC

    return OpenCC("t2s")
