"""Scores that a reply gives two outputs by their labels, such as ``Output A: 7.5``: the place and the value of each.

Models put the two scores on one line or on two, before the analysis or behind it, in bold, in a list, in a table, in either
order, as ``6/10`` or ``6 out of 10``, with full-width signs. All of these are plain; what is written in any other way
(``parse.stated_scores``) is not read here. A number that goes on as prose, as in ``Output A: 3 errors``, is no score. The
caller checks the rest of each line (``annotate.models.parse.closing``).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from annotate.models.parse.closing import says_nothing
from annotate.models.parse.score_tables import score_tables
from annotate.models.parse.stated_scores import without_quotations

_NARROW: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_MARKS: Final = r"[\s*_`\"'\u2019()\[\]]{0,12}"  # bounded, so that no reply takes long
_SCORE_WORD: Final = rf"(?:(?:'s|\u2019s)?{_MARKS}(?:(?:final|overall|total|naturalness)\s+)?(?:score|rating)s?{_MARKS})?"
_NUMBER: Final = r"[-\u2212]?[0-9]+(?:[.,][0-9]+)*"
# A range or another scale is part of the value, so that it is refused as a whole and not read as its beginning.
_VALUE: Final = (
    rf"(?P<value>{_NUMBER}(?:\s*(?:[-\u2013\u2014~]|to\b|or\b)\s*{_NUMBER})*)"
    rf"(?:\s*(?:/|out\s+of)\s*(?P<scale>{_NUMBER}))?(?:\s*(?:points?\b|\u5206))?"
)
_END: Final = (
    r"(?=[\s*_`\"')\]]*(?:$|[,;|(\u3001\u3002]|[.!](?:[\s*_`]|$)|[-\u2013\u2014/](?!\s*[0-9])|(?:and|vs|versus|while|but)\b|"
    r"(?:output[\s_]*)?[ab]\s*[:=]))"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stated:
    """One score.

    Attributes:
        label: place of its label, 0 or 1.
        value: what is written, without a scale of ten.
        line: number of the line, from 0.
        start: where in the line it begins; with its label, if that is in the same line.
        end: where it ends.
    """

    label: int
    value: str
    line: int
    start: int
    end: int


class LabelledScores:
    """Finds the scores of two labels."""

    def __init__(self, labels: Sequence[str]) -> None:
        """Prepare to look.

        Args:
            labels: such as ``Output A`` and ``Output B``; the last word is also found alone, as it is written here.
        """
        self._letters = [label.split()[-1] for label in labels]
        self._first = [" ".join(label.split()[:-1]).casefold() for label in labels]
        self._names = [
            frozenset({f"{first} {letter}".casefold(), letter.casefold()})
            for first, letter in zip(self._first, self._letters, strict=True)
        ]
        patterns = []
        for place, (first, letter) in enumerate(zip(self._first, self._letters, strict=True)):
            whole = rf"(?i:{re.escape(first)})[\s_]*{letter}|(?i:{re.escape(first)})[\s_]*{letter.lower()}"
            joined = rf"(?:{whole}){_SCORE_WORD}{_MARKS}(?:[:=]|\s[-\u2013\u2014]\s)"
            bare = rf"{letter}{_MARKS}[:=]"
            patterns.append(rf"(?P<l{place}>{joined}|{bare})")
        self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(patterns)}){_MARKS}{_VALUE}{_END}", re.IGNORECASE)
        self._plain_letter = re.compile(rf"(?:{'|'.join(self._letters)})")

    def find(self, lines: Sequence[str]) -> list[Stated]:
        """Return all scores in lines of prose, in order."""
        return [one for number, line in enumerate(lines) for one in self._in_line(number, line.translate(_NARROW))]

    def tables(self, lines: Sequence[str], is_criterion: Callable[[str], bool]) -> Iterator[tuple[range, list[Stated] | None]]:
        """Yield the lines of each table with the scores in it, as ``annotate.models.parse.score_tables`` reads them."""
        for table in score_tables([line.translate(_NARROW) for line in lines], self._names, is_criterion):
            if table.cells is None:
                yield table.lines, None
                continue
            matches = [(place, re.fullmatch(rf"{_MARKS}{_VALUE}{_MARKS}", text)) for place, text in table.cells]
            found = [
                Stated(label=label, value=_value(match), line=place, start=0, end=len(lines[place]))
                for label, (place, match) in enumerate(matches)
                if match is not None
            ]
            yield table.lines, found if len(found) == len(table.cells) else None

    def _in_line(self, number: int, text: str) -> Iterator[Stated]:
        for match in self._pattern.finditer(text):
            label = 0 if match["l0"] else 1
            label_text = match[f"l{label}"]
            # Without the word before it only the letter as it is written in the label: "a: 3" is prose.
            if not label_text.casefold().startswith(self._first[label]) and not self._plain_letter.match(label_text):
                continue
            yield Stated(label=label, value=_value(match), line=number, start=match.start(), end=match.end())


def _value(match: re.Match[str]) -> str:
    scale = match["scale"]
    return match["value"] if scale in (None, "10") else f"{match['value']}/{scale}"


def last_pair(found: Sequence[Stated]) -> tuple[Stated, Stated] | None:
    """Return the last two adjacent scores of different labels, paired from the beginning."""
    pair, waiting = None, None
    for one in found:
        if waiting is not None and waiting.label != one.label:
            pair, waiting = (waiting, one), None
        else:
            waiting = one
    return pair


def stated_lines(lines: Sequence[str], stated: Sequence[Stated]) -> str:
    """Return the lines that state scores, for a message."""
    return " / ".join(dict.fromkeys(lines[one.line].strip() for one in stated))[:120]


def blanked(lines: Sequence[str], found: Sequence[Stated]) -> list[str]:
    """Return the lines with spaces in place of the scores that were read."""
    rest = list(lines)
    for one in found:
        line = rest[one.line]
        rest[one.line] = line[: one.start] + " " * (one.end - one.start) + line[one.end :]
    return rest


def reasoning(lines: Sequence[str], rest: Sequence[str], found: Sequence[Stated]) -> str:
    """Return the text without lines that only state the scores, and without lines that only introduce them."""
    gone = {one.line for one in found if says_nothing(rest[one.line])}
    for place in sorted(gone):
        above = place - 1
        while above >= 0 and above not in gone and not lines[above].strip():
            above -= 1
        if above >= 0 and lines[above].strip() and says_nothing(lines[above]) and not lines[above].lstrip().startswith("|"):
            gone.add(above)
    kept = [line for place, line in enumerate(lines) if place not in gone and line.strip() != "```"]
    return "\n".join(kept).strip()


def unquoted(line: str) -> str:
    """Return a line without quotations, unless they are all that it says."""
    rest = without_quotations(line)
    return line if says_nothing(rest) else rest
