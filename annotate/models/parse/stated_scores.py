"""Scores that free text states: found in any notation, read only where they are written plainly.

A reply may give its scores once, in its own layout. What else in it looks like scores is found here whatever its notation:
decimal commas, digits of any script, fractions, ranges, number words, hidden characters, other widths, cases and ornaments.
A number that is not plain, as ``5,5`` or ``\uff15`` or ``five``, is found and stays unread.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from contracts.text_forms import compared

_UNREAD: Final = "\x11"
_WORDS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "half"),
    *("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"),
)
_NUMBER_WORD: Final = re.compile(rf"(?<!\w)(?:{'|'.join(_WORDS)})(?!\w)")
_TIME: Final = re.compile(r"(?<![0-9.,:])0?0:[0-5][0-9](?![0-9])")
_GLUE: Final = (
    r"(?:[^\w\x11]|_|(?<![a-z])(?:of|out|to|or|and|about|around|approximately|roughly|points?|score[sd]?|is|at|gets?|receives?"
    r"|earns?|marks?|stars?|rating|rated|versus|vs|while|whereas|but|with|against|totals?|total+ed|deserves?|merits?|given|awarded"
    r"|assigned|reaches|comes|adds|amounts|up|ends|has|only|just|solid|strong|an?(?=\W{1,3}[0-9\x11]))(?![a-z])"
    r"|[\u5206\u5f97\u548c\u4e0e\u6bd4\u5bf9])"
)
_DIGIT: Final = r"[0-9\x11]"
# Bounded, so that no reply takes long.
VALUE: Final = rf"{_GLUE}{{0,200}}+{_DIGIT}(?:{_GLUE}|{_DIGIT}){{0,400}}+"
"""One or more numbers, in folded text, with what may stand around and between them."""

_NUMBER: Final = rf"(?<!{_DIGIT}){_DIGIT}(?:{_DIGIT}|[.,'\u2019\u00b7\u066b\u066c](?={_DIGIT})){{0,40}}+"
_OF_TEN: Final = re.compile(r"\s*(?:/|\bout of|\bof)\s*10(?![0-9.,]*[0-9])")
_PLAIN: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_QUOTED: Final = re.compile(
    r"(?<!\w)['\"`\u2018\u201c\u00ab\u300c\u300e](?=\S)[^'\"`\u2018\u2019\u201c\u201d\u00ab\u00bb\u300c\u300d\u300e\u300f]*"
    r"(?<=\S)['\"`\u2019\u201d\u00bb\u300d\u300f](?!\w)"
)
_TOTALS: Final = (
    r"total[\W_]*(?:score[\W_]*)?(?:(?:for|of)[\W_]*)?(?:speech[\W_]*)?(?<![a-z0-9])(?P<behind>[ab])(?![a-z0-9])",
    r"(?<![a-z0-9])(?P<before>speech[\W_]*[ab]|[ab](?=['\u2019]s|_))(?:['\u2019]s)?[\W_]*total(?:s|led|ed)?(?![a-z])(?:[\W_]*score)?",
    r"(?<![a-z])total(?:[\W_]*score)?(?=[\W_]*[=:])",
)
_TOTAL: Final = re.compile(rf"(?:{'|'.join(_TOTALS)})(?P<value>{VALUE})")
_SCORE: Final = re.compile(rf"(?<![a-z])scores?(?=[\W_]*(?:[=:]|of\b|is\b))(?P<value>{VALUE})")
_TENTHS: Final = re.compile(
    rf"(?P<value>[-\u2212]?{_NUMBER}(?:\s*[-\u2013/~]\s*{_NUMBER}){{0,3}}?)\s*(?:/\s*(?:10|\x11)(?![0-9.,]*[0-9])"
    r"|out of (?:10|\x11)(?!\s*[a-z0-9]))"
)
_SUM: Final = re.compile(rf"(?P<value>{_NUMBER}(?:\s*\+\s*{_NUMBER}){{1,20}}\s*=\s*[-\u2212]?{_NUMBER})")
_HEADING: Final = re.compile(r"[\W_]*\[[\W_]*(?:speech [ab](?:[\W_]*evaluation)?|comparison summary)[\W_]*\][\W_]*")
_TOTAL_LINE: Final = re.compile(r"[\W_]*total[\W_]*(?:score[\W_]*for[\W_]*speech[\W_]*)?[ab](?![a-z0-9])")
_TAG: Final = re.compile(r"<\s*/?\s*(?:think|answer)\b")

Kind = Literal["score", "total", "tenths", "sum", "pair"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """Numbers that a text states.

    Attributes:
        kind: ``score`` (``score=8``), ``total``, ``tenths`` (``8/10``), ``sum`` (``8+9 = 17``),
            ``pair`` (those of one speech beside those of the other).
        letter: the speech, ``a`` or ``b``, where the text names it.
        numbers: those stated, in order, without the ``10`` of a scale; None = not plainly written.
        text: the place, for messages.
    """

    kind: Kind
    letter: str | None
    numbers: tuple[Decimal | None, ...]
    text: str


def folded(text: str) -> str:
    """Return a text, line by line, as its scores are looked for: ``compared``, numbers in ASCII digits or marked as unread."""
    lines = ("".join(map(_digit, line)) for line in text.split("\n"))
    return "\n".join(_TIME.sub(" ", _NUMBER_WORD.sub(_UNREAD, _keep_mark(line))) for line in lines)


def _keep_mark(line: str) -> str:
    return _UNREAD.join(map(compared, line.split(_UNREAD))) if _UNREAD in line else compared(line)


def _digit(character: str) -> str:
    if character.isascii():
        return "" if character == _UNREAD else character
    if character in "\u4e24\u5169":  # a number that Unicode does not call one
        return _UNREAD
    if (value := unicodedata.decimal(character, None)) is not None:
        return str(value)
    return character if unicodedata.numeric(character, None) is None else _UNREAD


def labelled_numbers(labels: Sequence[Sequence[str]]) -> re.Pattern[str]:
    """Return a pattern that finds one number for each label in folded text, in either order.

    Args:
        labels: words of each label, such as ``output a`` and ``output b``. The letter is also found alone, where a colon or an
            equals sign follows.
    """
    patterns = [_label(words) for words in labels]
    orders = [patterns, patterns[::-1]] if len(patterns) > 1 else [patterns]
    behind = "|".join("".join(f"{label}{VALUE}" for label in order) for order in orders)
    if len(patterns) < 2:
        return re.compile(behind)
    number = (
        rf"(?<!{_DIGIT}){_DIGIT}{{1,9}}(?:[.,]{_DIGIT}{{1,9}})?(?:\s?(?:/"
        rf"|out of)\s?10)?(?:\s?points?)?\s(?:for|to|goes to)\W{{1,9}}"
    )
    before = "|".join(r"[^\w\n]{0,9}(?:and\s)?".join(number + label for label in order) for order in orders)
    return re.compile(f"{behind}|{before}")


def given_number(label: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern that finds a number that is given to one output in folded text, with the number as ``value``."""
    gives = (
        r"(?:gets?|receives?|earns?|deserves?|merits?|scores?|scored|totals?|total+ed|reaches"
        r"|(?:comes|adds\sup|amounts|sums\sup)\sto|ends\s(?:up\s)?(?:with|at)|(?:is\s)?(?:rated"
        r"|given|awarded))\W{1,3}(?:an?\s)?(?:(?:total|score|sum)(?:\sscore)?\sof\s)?"
    )
    number = rf"(?P<value>{_DIGIT}{{1,9}}(?:[.,]{_DIGIT}{{1,9}})?)"
    again = number.replace("value", "tenths")
    prose = r"(?!\s?(?!and\b|out\b|of\b|points?\b|while\b|but\b|for\b|because\b|since\b)[\w%])"
    return re.compile(rf"{_label(label)}[^\w\n]{{0,9}}(?:{again}\s?(?:/|out of)\s?10(?![0-9])|{gives}{number}{prose})")


def stated_numbers(count: int) -> re.Pattern[str]:
    """Return a pattern that finds so many numbers, at least, behind a word such as ``scores`` in folded text."""
    more = rf"(?:{_GLUE}{{1,40}}+{_DIGIT}{{1,9}}){{{count - 1}}}" if count > 1 else ""
    return re.compile(
        rf"(?<![a-z])(?:scor(?:es?|ing)|ratings?|rated|overall|total|results?|quality)(?![a-z]){_GLUE}{{0,40}}+{_DIGIT}{{1,9}}{more}"
    )


def _label(words: Sequence[str]) -> str:
    *before, last = [f"{re.escape(word.removesuffix('s'))}s?" if len(word) > 1 else word for word in words]
    whole = r"[\W_]*".join([*before, last])
    bare = rf"|{last}(?=[\s*_`\"')\]]*[:=])" if before and len(words[-1]) == 1 else ""
    return rf"(?<![a-z0-9])(?:{whole}(?![a-z0-9]){bare})"


def without_quotations(line: str) -> str:
    """Return a line with spaces in place of what it quotes; a line that is nothing but a quotation is no quotation."""
    rest = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), line)
    return rest if re.search(r"[^\W\d_]", rest) else line


def statements(text: str) -> Iterator[Statement]:
    """Yield the scores and totals of speeches that free text states in the notation of a score card, of either layout."""
    text = folded(text)
    for kind, pattern in _KINDS:
        for found in pattern.finditer(text):
            groups = found.groupdict()
            letter = groups.get("before") or groups.get("behind")
            yield Statement(kind=kind, letter=letter and letter[-1], numbers=_numbers(groups["value"]), text=_place(found))
    for letter in "ab":
        for found in given_number(("speech", letter)).finditer(text):
            yield Statement(kind="pair", letter=letter, numbers=_numbers(found["value"] or found["tenths"]), text=_place(found))
    for found in _PAIR.finditer(text):
        for speech in _SPEECH.finditer(found[0]):
            yield Statement(kind="pair", letter=speech["letter"], numbers=_numbers(speech["value"]), text=_place(found))


def _place(found: re.Match[str]) -> str:
    return found[0].replace(_UNREAD, "?").strip()[:60]


_KINDS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("total", _TOTAL),
    ("score", _SCORE),
    ("tenths", _TENTHS),
    ("sum", _SUM),
)
_PAIR: Final = labelled_numbers((("speech", "a"), ("speech", "b")))
_SPEECH: Final = re.compile(rf"(?<![a-z0-9])(?P<letter>[ab])(?![a-z0-9])(?P<value>{VALUE})")


def _numbers(run: str) -> tuple[Decimal | None, ...]:
    found = []
    bare = _OF_TEN.sub(" ", run)
    for number in re.finditer(_NUMBER, bare):
        before = bare[: number.start()]
        negative = before.endswith(("-", "\u2212")) and not re.search(r"[0-9\x11]\s*.\Z", before)
        found.append(Decimal(number[0]) if _PLAIN.fullmatch(number[0]) and not negative else None)
    return tuple(found)


def is_heading(line: str) -> bool:
    """Whether a line looks like a heading of a score card, of either layout."""
    return _HEADING.fullmatch(folded(line)) is not None


def is_total(line: str) -> bool:
    """Whether a line begins as the total of a score card does, in either layout."""
    return _TOTAL_LINE.match(folded(line)) is not None


def has_tag(text: str) -> bool:
    """Whether a text has what looks like a tag of a reply."""
    return _TAG.search(compared(text)) is not None
