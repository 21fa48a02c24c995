"""The numbers that a text cites, and whether they are those of a table of measured features.

A cited number must be a number of the table: equal to it when that is rounded to the digits that the text gives (182 for
182.4, not 182.43), or, behind a word like "about", to the last digit that is no zero, if that is at most 5 % away. Its unit, if
the text gives one, must be that of the table's line or convert to it (kHz, ms); a share may stand without percent (0.12 for
12.3 %), and a fall without its minus.

Which feature a number belongs to follows from the clause that it stands in: of the features named there, or if there are
none, earlier in the sentence, those whose unit suits count alone. Where no such feature is named, any line of the table will
do, if the number has a unit. A threshold ("below 1 %") is no citation.

Every number in digits is a citation; a number word is one before a unit of the table ("two pauses").
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from annotate.models.task import ParseError
from contracts.text_forms import compared
from scoring.feature import ShownFeature

FEWEST: Final = 2
"""Citations that a text must have."""

_SPELLED_UNITS: Final = {
    "hz": ("hz", "hertz"),
    "khz": ("khz", "kilohertz"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "millisecond", "milliseconds"),
    "%": ("%", "percent", "per cent"),
    "db": ("db", "dbs", "dbfs", "decibel", "decibels"),
    "semitones": ("semitone", "semitones"),
    "pauses": ("pause", "pauses"),
}
_SCALED: Final = {"khz": ("hz", Decimal(1000)), "ms": ("s", Decimal("0.001"))}
_RATES: Final = {
    "semitones/s": r"semitones?PERs(?:ec(?:ond)?)?",
    "db/octave": r"(?:db|decibels?)PERoct(?:ave)?",
    "syllables/s": r"syllables?PERs(?:ec(?:ond)?)?",
    "words/s": r"(?:words?|characters?)PERs(?:ec(?:ond)?)?",
}
_PER: Final = r"(?:\s?/\s?|\s(?:per|a|an|each|every)\s)"
_UNITS: Final = [
    *((unit, pattern.replace("PER", _PER)) for unit, pattern in _RATES.items()),
    *((unit, "|".join(map(re.escape, sorted(words, key=len, reverse=True)))) for unit, words in _SPELLED_UNITS.items()),
]
_UNIT_BEHIND: Final = re.compile(
    r"[ -]?(?:[a-z]+ )?(?:" + "|".join(rf"(?P<u{n}>(?:{pattern})(?![a-z0-9]))" for n, (_, pattern) in enumerate(_UNITS)) + ")"
)
_WORDS: Final = {
    word: Decimal(value)
    for value, words in enumerate(
        ("no|zero", "one|a single", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
    for word in words.split("|")
}
_NUMBER: Final = re.compile(
    # Digits behind a letter are part of a name (F0). A hyphen behind a letter, a number or its unit is no minus.
    r"(?<![a-z_0-9])(?P<sign>(?<![\w)%])[-\u2212+])?(?P<digits>[0-9\ufffd]+(?:[.,][0-9\ufffd]+)*)"
    rf"|(?<![\w-])(?P<word>{'|'.join(sorted(_WORDS, key=len, reverse=True))})(?=[ -])"
)
_OTHER_DIGIT: Final = "\ufffd"
_PLAIN: Final = re.compile(r"(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?")
_ABOUT: Final = re.compile(r"(?:\b(?:about|around|roughly|approximately|nearly|almost|circa|some)|[~\u2248])\s?$")
_THRESHOLD: Final = re.compile(
    r"(?:\b(?:below|under|above|beyond|exceed(?:s|ed|ing)?|(?:less|more|fewer|lower|higher|longer|shorter|greater) than"
    r"|at (?:least|most))|[<>\u2264\u2265\u2039\u203a])\s?$"
)
_NEAREST: Final = Decimal("0.05")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")
_CLAUSE: Final = re.compile(r"[;:()]|,(?![0-9])|\b(?:and|but|while|whereas|although|though|with|against|versus|or)\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Citation:
    """A number in a text.

    Attributes:
        text: the place, for messages.
        number: the number; None = it is not plainly written, as ``1,5`` or a digit of another script.
        unit: its unit, as a key of the units that are known; None = none is given.
        signed: whether a plus or a minus stands before it.
        approximate: whether a word like "about" stands before it.
        compares: whether a word like "below" does: a threshold is no measurement.
        named: features that the clause names, or else those that the sentence named before.
    """

    text: str
    number: Decimal | None
    unit: str | None
    signed: bool
    approximate: bool
    compares: bool
    named: tuple[ShownFeature, ...]

    def misfit(self, features: Sequence[ShownFeature]) -> str | None:
        """Return why no feature has this number; None = one has."""
        if self.number is None:
            return f"the text says {self.text!r}: write numbers with digits 0 to 9 and a decimal point"
        meant = [one for one in self.named if self._suits(one)]
        if self.compares or (self.unit is None and not meant):
            return f"the text says {self.text!r}, which is no measurement with its name or unit"
        if any(self._is(self.number, one) for one in meant or features):
            return None
        if meant:
            has = " and ".join(f"{one.names[0]} is {one.number} {one.unit}".rstrip() for one in meant)
            return f"the text says {self.text!r}, but {has}"
        return f"the text says {self.text!r}, which is no measurement of the table"

    def _suits(self, feature: ShownFeature) -> bool:
        return self.unit is None or _known(feature.unit) == _SCALED.get(self.unit, (self.unit,))[0]

    def _is(self, number: Decimal, feature: ShownFeature) -> bool:
        if not self._suits(feature):
            return False
        measured = [feature.number / _SCALED[self.unit][1] if self.unit in _SCALED else feature.number]
        if self.unit is None and _known(feature.unit) == "%":
            measured.append(feature.number / 100)
        if not self.signed:
            measured = [abs(one) for one in measured]
        return any(abs(number - one) <= self._tolerance(number, one) for one in measured)

    def _tolerance(self, number: Decimal, measured: Decimal) -> Decimal:
        exact = _half_unit(number)
        return min(_half_unit(number.normalize()), max(_NEAREST * abs(measured), exact)) if self.approximate else exact


def require_citations(text: str, features: Sequence[ShownFeature]) -> None:
    """Refuse a text that cites a number which was not measured, or too few that were.

    Args:
        text: one line.
        features: the table that it may cite.

    Raises:
        ParseError: ``number_not_measured``, or ``too_few_citations``.
    """
    cited = 0
    for citation in citations(text, features):
        if (problem := citation.misfit(features)) is not None:
            raise ParseError("number_not_measured", f"{problem}; cite measurements as the table has them, and no other number")
        cited += 1
    if cited < min(FEWEST, len(features)):
        raise ParseError("too_few_citations", f"the text cites {cited} measurements; it must rest on {FEWEST} or more")


def _half_unit(number: Decimal) -> Decimal:
    return Decimal(5).scaleb(int(number.as_tuple().exponent) - 1)


def _known(unit: str) -> str:
    """Return the key of a unit as a table has it; a unit that is not known is its own."""
    folded = compared(unit)
    return next((key for key, words in _SPELLED_UNITS.items() if folded == key or folded in words), folded)


def citations(text: str, features: Sequence[ShownFeature]) -> Iterator[Citation]:
    """Yield the numbers of a text, in order.

    Args:
        text: one line.
        features: the table that it cites.
    """
    for sentence in _SENTENCE.split("".join(map(_ascii_digit, compared(text)))):
        earlier: tuple[ShownFeature, ...] = ()
        for clause in _CLAUSE.split(sentence):
            named = _named(clause, features)
            for match in _NUMBER.finditer(clause):
                unit = _unit_behind(clause, match.end())
                if match["word"] and unit is None:
                    continue
                yield Citation(
                    text=clause[match.start() : match.end() + 20].strip(),
                    number=_WORDS[match["word"]] if match["word"] else _plain(match["sign"], match["digits"]),
                    unit=unit,
                    signed=match["sign"] is not None,
                    approximate=_ABOUT.search(clause[: match.start()]) is not None,
                    compares=_THRESHOLD.search(clause[: match.start()]) is not None,
                    named=named or earlier,
                )
            earlier += named


def _ascii_digit(character: str) -> str:
    """Return a mark for a digit or number of another script."""
    return character if character.isascii() or unicodedata.numeric(character, None) is None else _OTHER_DIGIT


def _named(clause: str, features: Sequence[ShownFeature]) -> tuple[ShownFeature, ...]:
    spaced = f" {re.sub(r'[^a-z0-9]+', ' ', clause)} "
    return tuple(
        one for one in features if any(f" {re.sub(r'[^a-z0-9]+', ' ', compared(name))} " in spaced for name in one.names)
    )


def _unit_behind(clause: str, end: int) -> str | None:
    """Return the unit of a number that ends at ``end``; one word may stand between: "two long pauses"."""
    match = _UNIT_BEHIND.match(clause, end)
    return None if match is None or match.lastgroup is None else _UNITS[int(match.lastgroup[1:])][0]


def _plain(sign: str | None, digits: str) -> Decimal | None:
    if not _PLAIN.fullmatch(digits):
        return None
    number = Decimal(digits.replace(",", ""))
    return -number if sign in ("-", "\u2212") else number
