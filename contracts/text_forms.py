"""Forms of a text, one for each use, and the one place that says what becomes of characters that nobody sees.

- ``keyed``: what is stored and hashed into ids.
- ``spoken``: what a text-to-speech engine gets.
- ``shown``: what a prompt shows: every word stays readable in every script, and nothing stays that a model would read and a
  person would not see.
- ``compared``: for asking whether two texts look the same. ``without_hidden`` is that step alone, for the forms in
  ``contracts.text_identity``, by which duplicates are found and errors counted.

In all of them ``he<zero-width space>llo`` is hello, and a Persian word with a joiner between its letters is one word. Emoji
stay whole where they stay: engines do not get them, because they are not spoken (``text_identity.identity_form``).

What becomes of a character that is shown (keyed and spoken: the same but for the last two rows, which stay as they are):

=============================================  ================================================================================
white space, line breaks, controls, blanks     one space
hidden: tag characters, bidi controls, zero    vanish, inside a word without a gap
width characters, soft hyphens, fillers,
variation selectors, every other format
character and ignorable code point
joiners (ZWJ, ZWNJ)                            stay, one at a time, where spelling needs them: within Arabic script, beside an
                                               Indic virama, between the parts of an emoji
emoji selector (U+FE0F)                        stays behind a symbol
Mongolian selectors and vowel separator        stay, one at a time, behind a Mongolian letter
signs that Unicode calls format characters     stay: they are visible (the Arabic end of ayah, the Kaithi number sign)
but that have a shape
private use, half characters, unassigned       become U+FFFD, one for a run: nobody knows what they mean
``<``, ``>`` and what looks like one of them   become the single quotation marks U+2039 and U+203A
=============================================  ================================================================================
"""

import re
import unicodedata
from typing import Final

_LEFT: Final = "<\u02c2\u2329\u276c\u276e\u27e8\u29fc\u3008\ufe3f\ufe64\uff1c"
_RIGHT: Final = ">\u02c3\u232a\u276d\u276f\u27e9\u29fd\u3009\ufe40\ufe65\uff1e"
_BRACKETS: Final = str.maketrans({**dict.fromkeys(_LEFT, "\u2039"), **dict.fromkeys(_RIGHT, "\u203a")})

# Format characters with a shape of their own (Prepended_Concatenation_Mark).
_VISIBLE: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
# Letters, marks and symbols without any (Default_Ignorable_Code_Point and empty glyphs), and what fills a place with nothing.
_EMPTY: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufffc\U0001d159")
_BLANK: Final = frozenset("\u2800")
_MONGOLIAN_SELECTORS: Final = frozenset("\u180b\u180c\u180d\u180e\u180f")
_SELECTORS: Final = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000))))
_NONE: Final = frozenset(map(chr, (0x2065, *range(0xFFF0, 0xFFF9), *range(0xFDD0, 0xFDF0)))) | {
    chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
}
# Ideographs and pictographs that are younger than the Unicode tables of this Python.
_YOUNG: Final = re.compile("[\U0002ebf0-\U0002ee5d\U00031350-\U00033479\U0001f6d0-\U0001f6ff\U0001fa70-\U0001faff]")
_ZWNJ, _ZWJ, _EMOJI_SELECTOR, _UNKNOWN = "\u200c", "\u200d", "\ufe0f", "\ufffd"
_SKIN: Final = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_KEYCAP: Final = "\u20e3"
# Symbols with an emoji form that Unicode does not call other symbols.
_SIGNS: Final = frozenset("\u203c\u2049\u2194\u3030\u303d#*0123456789")
_RUNS: Final = re.compile(f"{_UNKNOWN}{{2,}}")
_PLAIN: Final = re.compile(
    r"[ -;=?-~\u00a1-\u00ac\u00ae-\u02af\u0400-\u0482\u2010-\u2027\u3001-\u3007\u300a-\u3011\u3041-\u3096\u30a1-\u30fa"
    r"\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff1b\uff1d\uff1f-\uff5e]*"
)


# Pictures, and signs that the selector makes pictures; the letters and numbers among the symbols are left out below.
_PICTURES: Final = re.compile(
    "[\u20e3\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]|[\u00a9\u00ae\u203c\u2049\u2122\u2190-\u21ff\u3030\u303d]\ufe0f"
)


_OPERATORS: Final = {
    "\u2715": "\u00d7",
    "\u2716": "\u00d7",
    "\u2795": "+",
    "\u2796": "\u2212",
    "\u2797": "\u00f7",
    "\U0001f7f0": "=",
}
_OPERATOR: Final = re.compile(
    rf"(?:(?<=[\w)\]])|(?<=[\w)\]] ))[{''.join(_OPERATORS)}]\ufe0f?(?= ?[\w(\[])|[\u2795\u2796]\ufe0f?(?=[0-9])"
)


def with_operators(text: str) -> str:
    """Return a text with mathematical signs for pictures of them between two words, which are spoken."""
    return text if text.isascii() else _OPERATOR.sub(lambda sign: _OPERATORS[sign.group()[0]], text)


def keyed(text: str) -> str:
    """Return a text as one line to be stored: with single spaces, without hidden characters that spelling does not need."""
    return " ".join(_seen(text).split())


def spoken(text: str) -> str:
    """Return a text as one line to be spoken: as it is ``keyed``, without emoji, but with operators."""
    if not text.isascii():
        text = _PICTURES.sub(_unless_it_is_read, with_operators(text))
    return keyed(text)


def shown(text: str) -> str:
    """Return a text as one line to be read in a prompt; see the table above."""
    if not _PLAIN.fullmatch(text):
        legible = "".join(_UNKNOWN if _is_unknown(character) else character for character in _seen(text))
        text = _RUNS.sub(_UNKNOWN, legible).translate(_BRACKETS)
    return " ".join(text.split())


def compared(text: str) -> str:
    """Return what a text looks like: without hidden characters, in one width and one case, with single spaces.

    Two texts that a reader cannot tell apart, but for their letters of other scripts, have the same form.
    """
    once = unicodedata.normalize("NFKC", text).casefold()
    folded = unicodedata.normalize("NFKC", once)
    return " ".join(without_hidden(folded).split())


class _Hidden(dict[int, int | None]):
    """A table for ``str.translate`` that looks a character up when it first meets it."""

    def __missing__(self, code: int) -> int | None:
        self[code] = result = None if is_hidden(chr(code)) else code
        return result


_HIDDEN: Final = _Hidden()


def without_hidden(text: str) -> str:
    """Return a text without any hidden character, be it part of a spelling or not."""
    return text if text.isascii() else text.translate(_HIDDEN)


def is_hidden(character: str) -> bool:
    """Whether a character has no shape and takes no room, wherever it stands."""
    if character in _EMPTY or character in _SELECTORS or character in _NONE or character in _MONGOLIAN_SELECTORS:
        return True
    return unicodedata.category(character) == "Cf" and character not in _VISIBLE


def _seen(text: str) -> str:
    """Return a text with white space for controls and blanks, and without hidden characters that spelling does not need."""
    if _PLAIN.fullmatch(text):
        return text
    kept: list[str] = []
    for place, character in enumerate(text):
        if unicodedata.category(character) == "Cc" or character in _BLANK:
            kept.append(" ")
        elif not is_hidden(character):
            kept.append(character)
        else:
            before = kept[-1] if kept else " "
            after = next((one for one in text[place + 1 : place + 9] if not is_hidden(one)), " ")
            if _is_needed(character, before, after):
                kept.append(character)
    return "".join(kept)


def _is_unknown(character: str) -> bool:
    category = unicodedata.category(character)
    return category in {"Co", "Cs"} or (category == "Cn" and not _YOUNG.match(character))


def _unless_it_is_read(found: re.Match[str]) -> str:
    """Return a space for a picture; a symbol that stands for letters or numbers stays."""
    picture = found.group()
    is_read = len(picture) == 1 and (unicodedata.normalize("NFKC", picture) != picture or unicodedata.category(picture) == "Sm")
    return picture if is_read else " "


def _is_needed(character: str, before: str, after: str) -> bool:
    """Whether a hidden character between two shown ones belongs to the spelling of a word or to an emoji."""
    if character == _EMOJI_SELECTOR:
        return _is_symbol(before) and (before not in "#*0123456789" or after == _KEYCAP)
    if character in _MONGOLIAN_SELECTORS:
        return _is_mongolian(before)
    if character not in (_ZWJ, _ZWNJ) or is_hidden(before) != (before == _EMOJI_SELECTOR):
        return False
    if character == _ZWJ and (_is_symbol(before) or before in _SKIN or before == _EMOJI_SELECTOR):
        return _is_symbol(after)
    # UAX 31 and RFC 5892, A.1 and A.2: joiners are spelling beside a virama and within cursive scripts.
    return 9 in (unicodedata.combining(before), unicodedata.combining(after)) or _is_cursive(before)


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) == "So" or character in _SIGNS or bool(_YOUNG.match(character))


def _is_cursive(character: str) -> bool:
    """Whether it is a letter that joins its neighbours, or a mark on one."""
    is_arabic = unicodedata.bidirectional(character) == "AL" or "\u064b" <= character <= "\u065f"
    return is_arabic or _is_mongolian(character)


def _is_mongolian(character: str) -> bool:
    return "\u1820" <= character <= "\u18aa"
