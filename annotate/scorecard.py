"""The score card: the reply format of Tasks 1 and 3 (UniSRM, App. A, Figs. 3 and 5), written and read.

::

    <think>
    [Speech A]
    1) <dimension>: score=8.5/10; explanation: ...
    ...
    Total_A = 8.5+... = 33.5
    [Speech B]
    ...
    [Comparison summary]
    - ...
    </think><answer>Speech A is better</answer>

Reading is strict: whatever is not below is refused with a reason, and no score is ever made up. It forgives white space
around blocks and lines, one Markdown fence around the whole reply, a full-width colon or semicolon (a Chinese keyboard's)
where the layout has one, an explanation or summary that runs over several lines, and a summary without its dash. Scores
may have decimals; all sums are exact.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final, Literal

from annotate.task import Dimension, Parsed, ParseError

ANSWERS: Final[Mapping[Literal["a", "b"], str]] = {"a": "Speech A is better", "b": "Speech B is better"}
_HEADINGS: Final = ("[Speech A]", "[Speech B]", "[Comparison summary]")
_TAGS: Final = ("<think>", "</think>", "<answer>", "</answer>")

_FENCE: Final = re.compile(r"```[A-Za-z]*\n(.*)\n```", re.DOTALL)
_REPLY: Final = re.compile(r"<think>(.*)</think>\s*<answer>(.*)</answer>", re.DOTALL)
_ITEM: Final = re.compile(r"([0-9]+)\)\s*(.+?)\s*[:\uff1a]\s*score\s*=\s*(.*?)\s*[;\uff1b]\s*explanation\s*[:\uff1a](.*)")
_LOOKS_LIKE_ITEM: Final = re.compile(r"[0-9]+\)|.*\bscore\s*=")
# ASCII digits only: float() would read full-width and Arabic-Indic digits too, and "1e1", "inf" and "nan".
_NUMBER: Final = r"-?(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,6})?"
_SCORE: Final = re.compile(rf"({_NUMBER})/10")


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What is said of one speech.

    Attributes:
        scores: dimension name -> score.
        explanations: dimension name -> why.
    """

    scores: Mapping[str, float]
    explanations: Mapping[str, str]


def compose(dimensions: Sequence[Dimension], a: Assessment, b: Assessment, summary: str) -> str:
    """Write a score card.

    Totals and answer follow from the scores. The format knows no third answer, so equal totals are written as A's; their
    reader sees the equal totals and draws no preference from them.

    Args:
        dimensions: what is scored, in order.
        a: Speech A.
        b: Speech B.
        summary: the comparison, in 2 to 4 sentences.

    Raises:
        ValueError: an explanation or the summary is empty or contains one of the format's tags.
    """
    rationale, totals = _rationale(dimensions, a, b, summary)
    return _completion(rationale, "a" if totals[0] >= totals[1] else "b")


def parse(reply: str, dimensions: Sequence[Dimension], scale: tuple[float, float]) -> Parsed:
    """Read a score card.

    Raises:
        ParseError: with the reasons ``empty_reply``, ``think_block``, ``answer_block``, ``text_outside``, ``sections``,
            ``dimensions``, ``score_malformed``, ``score_range``, ``explanation_missing``, ``total_malformed``,
            ``total_mismatch``, ``summary_missing``, ``answer_unknown`` or ``answer_contradicts_totals``.
    """
    think, said = _blocks(reply)
    text_a, text_b, summary = _sections(think)
    a, total_a = _assessment(text_a, "A", dimensions, scale)
    b, total_b = _assessment(text_b, "B", dimensions, scale)
    summary = _one_line(summary).removeprefix("-").strip()
    if not summary:
        raise ParseError("summary_missing", "[Comparison summary] is empty; write 2 to 4 sentences")
    answer: Literal["a", "b"] | None = next((side for side, words in ANSWERS.items() if words == said), None)
    if answer is None:
        wanted = " or ".join(map(repr, ANSWERS.values()))
        raise ParseError("answer_unknown", f"the answer must be exactly {wanted}, not {said[:80]!r}")
    if total_a != total_b and (total_a > total_b) != (answer == "a"):
        raise ParseError("answer_contradicts_totals", f"the answer is {said!r}, but Total_A is {total_a} and Total_B {total_b}")
    rationale, _ = _rationale(dimensions, a, b, summary)
    return Parsed(
        scores_a=a.scores,
        scores_b=b.scores,
        total_a=float(total_a),
        total_b=float(total_b),
        answer=answer,
        rationale=rationale,
        completion=_completion(rationale, answer),
    )


def _completion(rationale: str, answer: Literal["a", "b"]) -> str:
    return f"<think>\n{rationale}\n</think><answer>{ANSWERS[answer]}</answer>"


def _rationale(dimensions: Sequence[Dimension], a: Assessment, b: Assessment, summary: str) -> tuple[str, list[Decimal]]:
    lines: list[str] = []
    totals: list[Decimal] = []
    for letter, speech in (("A", a), ("B", b)):
        scores = [Decimal(str(speech.scores[dimension.name])) for dimension in dimensions]
        totals.append(sum(scores, Decimal(0)))
        lines.append(f"[Speech {letter}]")
        for number, (dimension, score) in enumerate(zip(dimensions, scores, strict=True), start=1):
            explanation = _writable(speech.explanations[dimension.name])
            lines.append(f"{number}) {dimension.name}: score={_plain(score)}/10; explanation: {explanation}")
        lines.append(f"Total_{letter} = {'+'.join(map(_plain, scores))} = {_plain(totals[-1])}")
    lines += ["[Comparison summary]", f"- {_writable(summary)}"]
    return "\n".join(lines), totals


def _writable(text: str) -> str:
    line = _one_line(text)
    if not line or any(tag in line for tag in _TAGS):
        raise ValueError(f"an explanation or summary must be text without {', '.join(_TAGS)}, got {text[:80]!r}")
    return line


def _plain(number: Decimal) -> str:
    """Write a number without exponent or trailing zeros."""
    return f"{number.normalize():f}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _blocks(reply: str) -> tuple[str, str]:
    """Return what stands in the think block and in the answer block."""
    text = reply.replace("\r\n", "\n").strip()
    fence = _FENCE.fullmatch(text)
    text = fence[1].strip() if fence else text
    if not text:
        raise ParseError("empty_reply", "the reply is empty")
    for tag in _TAGS:
        if (count := text.count(tag)) != 1:
            reason = "think_block" if "think" in tag else "answer_block"
            raise ParseError(reason, f"the reply has {count} {tag}, it must have exactly one")
    match = _REPLY.fullmatch(text)
    if match is None:
        raise ParseError("text_outside", "the reply must be <think>...</think><answer>...</answer> and nothing else")
    return match[1], match[2].strip()


def _sections(think: str) -> list[str]:
    """Return the texts under the three headings."""
    lines = [line.strip() for line in think.split("\n")]
    at = [number for number, line in enumerate(lines) if line in _HEADINGS]
    if [lines[number] for number in at] != list(_HEADINGS) or any(lines[: at[0]]):
        found = ", ".join(lines[number] for number in at) or "none"
        raise ParseError(
            "sections",
            f"the think block must have the headings {', '.join(_HEADINGS)} once each, in this order, "
            f"and no text before them; found {found}",
        )
    return ["\n".join(lines[start + 1 : end]) for start, end in pairwise([*at, len(lines)])]


def _assessment(
    section: str,
    letter: str,
    dimensions: Sequence[Dimension],
    scale: tuple[float, float],
) -> tuple[Assessment, Decimal]:
    """Read one speech's dimensions and total."""
    *body, total_line = [line for line in section.split("\n") if line] or [""]
    if not total_line.startswith("Total_"):
        raise _malformed_total(total_line, letter)
    items: list[tuple[str, str, str, str]] = []
    for line in body:
        if match := _ITEM.fullmatch(line):
            items.append((match[1], match[2], match[3], match[4].strip()))
        elif not items or _LOOKS_LIKE_ITEM.match(line) or line.startswith("Total_"):
            raise ParseError("dimensions", f"Speech {letter}: {line[:80]!r} is no 'n) <name>: score=x/10; explanation: ...'")
        else:
            items[-1] = (*items[-1][:3], f"{items[-1][3]} {line}".strip())
    wanted = [(str(number), dimension.name) for number, dimension in enumerate(dimensions, start=1)]
    if [(number, name) for number, name, _, _ in items] != wanted:
        raise ParseError(
            "dimensions",
            f"Speech {letter} must score, once each and in this order: "
            + ", ".join(f"{number}) {name}" for number, name in wanted),
        )
    scores = [_score(value, f"Speech {letter}, {name}", scale) for _, name, value, _ in items]
    for _, name, _, explanation in items:
        if not explanation:
            raise ParseError("explanation_missing", f"Speech {letter}, {name}: the explanation is empty")
    names = [name for _, name in wanted]
    assessment = Assessment(
        scores=dict(zip(names, map(float, scores), strict=True)),
        explanations={name: explanation for _, name, _, explanation in items},
    )
    return assessment, _total(total_line, letter, scores)


def _score(value: str, where: str, scale: tuple[float, float]) -> Decimal:
    low, high = scale
    match = _SCORE.fullmatch(value)
    if match is None:
        raise ParseError("score_malformed", f"{where}: {value[:40]!r} is no score; write score=x/10 with x a plain number")
    score = Decimal(match[1])
    if score.is_signed() or not low <= score <= high:
        raise ParseError("score_range", f"{where}: {match[1]} is outside {low:g} to {high:g}")
    return score


def _total(line: str, letter: str, scores: Sequence[Decimal]) -> Decimal:
    number = rf"\s*({_NUMBER})\s*"
    addition = r"\+".join([number] * len(scores))
    match = re.fullmatch(rf"Total_{letter}\s*={addition}={number}", line)
    if match is None:
        raise _malformed_total(line, letter)
    *addends, total = map(Decimal, match.groups())
    if addends != list(scores) or total != sum(scores):
        raise ParseError(
            "total_mismatch",
            f"{line!r}: the scores are {', '.join(map(_plain, scores))}, which add up to {_plain(sum(scores, Decimal(0)))}",
        )
    return total


def _malformed_total(line: str, letter: str) -> ParseError:
    wanted = f"Total_{letter} = {letter.lower()}1+{letter.lower()}2+... = {letter}_total"
    return ParseError("total_malformed", f"Speech {letter} must end with {wanted!r}, not {line[:80]!r}")
