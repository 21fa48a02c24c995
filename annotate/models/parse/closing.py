"""The closing of a reply: the lines at its end that state the scores and nothing else.

Text beside scores can change their meaning: a list of more numbers, a correction, a rank, a verdict for the other output. So
the words, signs and numbers that a closing may hold are listed here, and all others end it. The line above a closing may not
introduce its numbers as something else.
"""

import re
from collections.abc import Sequence
from typing import Final

_WORDS: Final = frozenset([
    "the", "and", "so", "my", "here", "are", "is", "in", "vs", "versus", "while", "final", "overall", "total",
    "conclusion", "conclusions", "score", "scores", "scoring", "rating", "ratings", "verdict", "summary", "naturalness",
    "point", "points", "result", "results", "i", "would", "give", "given", "assign", "based", "on", "above", "this",
    "these", "analysis", "of", "following", "follows", "as", "both", "outputs", "each", "output", "for", "to",
    "therefore", "thus", "hence", "all", "with", "after", "below", "from", "detailed", "\u7ed3\u8bba", "\u8bc4\u5206",
    "\u5f97\u5206", "\u6700\u7ec8\u8bc4\u5206", "\u603b\u5206", "\u7efc\u5408\u8bc4\u5206",
])  # fmt: skip
_SIGNS: Final = frozenset("*_`#>|:.,;!()[]-\u2013\u2014=/\u2022\u3001\u3002\uff0c\uff1b\uff1a\uff01\uff08\uff09\u3010\u3011+")
_NUMBERED: Final = re.compile(r"\A\s*(?P<number>[12])[.)]\s")
_SCALE: Final = re.compile(r"(?<![\w.])(?:1\s*(?:-|\u2013|to)|out\s+of)\s*10(?![\w.])")
_HEADING: Final = re.compile(r"\s*#|\s*(?:[-*\u2022]\s|[0-9]+[.)]\s)?\s*(?:\*\*|__)[^*]*(?:\*\*|__)\W*\Z")
_FINISHED: Final = re.compile(r"[.!\u3002\uff01\u2026][\s*_`\"')\]\u201d\u2019]*\Z")
_NAMED_TEXT: Final = re.compile(r"[^:\uff1a]*\w[^:\uff1a]*[:\uff1a].*\w")
# A line with a verb, or of a table, is no title; "how robotic they are" is one.
_STATEMENT: Final = re.compile(
    r"(?i)\A\s*\||\A(?!.*\bhow\b).*\b(?:is|are|was|were|has|have|sounds?|feels?|seems?|lacks?|shows?|outperforms?)\b"
)
_POINTS_ON: Final = re.compile(
    r"(?i)\b(?:here|below|following|follows|rank(?:s|ed|ing)?|counts?|counted)\b|\u5982\u4e0b|\u6392\u540d|\u6b21\u6570"
)
_RULE: Final = re.compile(r"(?m)^[ \t]*(?:-{3,}|\*{3,}|_{3,})[ \t]*$")
_ENDING: Final = re.compile(r"[\s*_`.!;)\]|\u3002\uff01\uff1b\uff09\u3011]*")


def says_nothing(line: str) -> bool:
    """Whether a line, without its scores, has only words, signs and a number of a list that change nothing about them."""
    rest = _SCALE.sub(" ", _NUMBERED.sub(" ", line, count=1))
    if any(not (character.isalnum() or character.isspace() or character in _SIGNS) for character in rest):
        return False
    return _WORDS.issuperset(re.findall(r"[^\W_]+", rest.casefold()))


def closing_start(rest: Sequence[str], of_criteria: Sequence[bool]) -> int:
    """Return the number of the first line of a reply's closing, or of lines where it has none.

    Args:
        rest: lines of the reply with spaces in place of the scores that were read.
        of_criteria: which of them are about one criterion.
    """
    start = len(rest)
    while start and not of_criteria[start - 1] and says_nothing(rest[start - 1]):
        start -= 1
    numbers = [found["number"] for line in rest[start:] if (found := _NUMBERED.match(line))]
    return start if numbers in ([], ["1", "2"]) else len(rest)


def leads_on(line: str, *, adjoining: bool) -> bool:
    """Whether the line above a closing introduces what follows it.

    Args:
        line: a line that is more than words of a closing.
        adjoining: whether no empty line is between.
    """
    bare = line.strip().rstrip("*_` ")
    if _HEADING.match(line) or re.search(r"[-:=,;\u2013\u2014\uff1a\uff0c]\Z", bare):
        return True
    if not _FINISHED.search(line):
        longest = 6 if _STATEMENT.search(line) else 14
        return adjoining or (not _NAMED_TEXT.match(line) and len(line.split()) <= longest)
    last = re.split(r"[.!?\u3002]\s*", line.strip().rstrip(".!\u3002*_` "))[-1]
    return _POINTS_ON.search(last) is not None or re.fullmatch(r"\W*[A-Za-z]*\W*", line) is not None


def goes_on(behind: str) -> bool:
    """Whether more than closing markup stands behind the last score."""
    return _ENDING.fullmatch(_RULE.sub("", behind)) is None
