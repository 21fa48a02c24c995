"""The score card: the reply format of Tasks 1, 3 and 4 (UniSRM, App. A, Figs. 3, 5 and 6), written and read.

::

    <think>
    [Speech A]                                                       [Speech A evaluation]
    1) <dimension>: score=8.5/10; explanation: ...                   - <dimension>: score=8.5/10; explanation: ...
    ...                                                              ...
    Total_A = 8.5+... = 33.5                                         - Total score for Speech A = 8.5+... = 33.5
    [Speech B]                                                       [Speech B evaluation]
    ...                                                              ...
    [Comparison summary]
    - ...
    </think><answer>Speech A is better</answer>

On the left ``NUMBERED`` (Tasks 1 and 3), on the right ``BULLETED`` (Task 4).

Reading is strict: whatever is not below is refused with a reason, and no score is ever made up. It forgives white space
around blocks and lines, one Markdown fence around the whole reply, a full-width colon or semicolon (a Chinese keyboard's)
where the layout has one, an explanation or summary that runs over several lines, and a summary without its dash. Scores
may have decimals; all sums are exact, and computed here. No explanation and no summary may state other scores or totals than
the card's own lines, in the notation of either layout (``parse.card_numbers``), or another winner (``parse.stated_verdicts``).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final, Literal

from annotate.models.parse.card_layout import BULLETED, NUMBERED, SUMMARY, CardLayout
from annotate.models.parse.card_numbers import CardNumbers
from annotate.models.parse.envelope import TAGS, blocks, in_blocks, opened
from annotate.models.parse.sentences import sentence_count
from annotate.models.parse.stated_scores import has_tag, is_heading, is_total, without_quotations
from annotate.models.parse.stated_verdicts import verdicts
from annotate.models.task import Dimension, Parsed, ParseError

__all__ = ["ANSWERS", "BULLETED", "NUMBERED", "CardLayout", "Scorecard", "SpeechAssessment"]

TOTAL_RECOMPUTED: Final = "total_recomputed"
SENTENCE_COUNT: Final = "sentence_count"
SUMMARY_SENTENCES: Final = (2, 4)
"""Fewest and most sentences of a summary (UniSRM, App. A)."""

ANSWERS: Final[Mapping[Literal["a", "b"], str]] = {"a": "Speech A is better", "b": "Speech B is better"}
# ASCII digits only: float() would read full-width and Arabic-Indic digits too, and "1e1", "inf" and "nan".
_NUMBER: Final = r"-?(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,6})?"
_SCORE: Final = re.compile(rf"({_NUMBER})/10")


@dataclass(frozen=True, kw_only=True)
class SpeechAssessment:
    """The assessment of one speech.

    Attributes:
        scores: dimension name -> score.
        explanations: dimension name -> why.
    """

    scores: Mapping[str, float]
    explanations: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """The score card of one task.

    Attributes:
        dimensions: what is scored, in order.
        scale: lowest and highest score.
        layout: its fixed lines.
        explanation_sentences: fewest and most sentences of an explanation; None = as many as the judge likes.
    """

    dimensions: tuple[Dimension, ...]
    scale: tuple[float, float] = (0.0, 10.0)
    layout: CardLayout = NUMBERED
    explanation_sentences: tuple[int, int] | None = None

    def compose(self, a: SpeechAssessment, b: SpeechAssessment, summary: str) -> str:
        """Write a score card.

        Totals and answer follow from the scores. The format knows no third answer, so equal totals are written as A's; their
        reader sees the equal totals and draws no preference from them.

        Args:
            a: Speech A.
            b: Speech B.
            summary: the comparison, in 2 to 4 sentences.

        Raises:
            ValueError: an explanation or the summary is empty or contains one of the format's tags.
        """
        rationale, totals = self._rationale(a, b, summary)
        return in_blocks(rationale, ANSWERS["a" if totals[0] >= totals[1] else "b"])

    def parse(self, reply: str) -> Parsed:
        """Read a score card.

        Where the scores are well-formed and only the stated sum is wrong, the card is read with the right one and the mark
        ``total_recomputed``. Too few or too many sentences are a remark, and the mark ``sentence_count``.

        Raises:
            ParseError: with the reasons of ``parse.envelope`` or ``think_block``, ``answer_block``, ``text_outside``,
                ``sections``, ``dimensions``, ``score_malformed``, ``score_range``, ``explanation_missing``,
                ``total_malformed``, ``total_mismatch``, ``summary_missing``, ``text_contradicts_scores``, ``tag_in_text``,
                ``answer_unknown`` or ``answer_contradicts_totals``.
        """
        think, answer_text = blocks(opened(reply, thinks=True))
        text_a, text_b, summary = self._sections(think)
        a, total_a, sum_a_holds = self._assessment(text_a, "A")
        b, total_b, sum_b_holds = self._assessment(text_b, "B")
        if any(map(is_heading, summary.split("\n"))):
            raise ParseError("sections", f"{SUMMARY} must be the last heading")
        summary = _one_line(summary).removeprefix("-").strip()
        if not summary:
            raise ParseError("summary_missing", f"{SUMMARY} is empty; write 2 to 4 sentences")
        self._check_texts(a, b, summary, (total_a, total_b))
        answer: Literal["a", "b"] | None = next((side for side, words in ANSWERS.items() if words == answer_text), None)
        if answer is None:
            wanted = " or ".join(map(repr, ANSWERS.values()))
            raise ParseError("answer_unknown", f"the answer must be exactly {wanted}, not {answer_text[:80]!r}")
        if total_a != total_b and (total_a > total_b) != (answer == "a"):
            totals = f"the total of Speech A is {_plain(total_a)} and that of Speech B {_plain(total_b)}"
            raise ParseError("answer_contradicts_totals", f"the answer is {answer_text!r}, but {totals}")
        rationale, _ = self._rationale(a, b, summary)
        remark = self._sentence_remark(a, b, summary)
        marks = [] if sum_a_holds and sum_b_holds else [TOTAL_RECOMPUTED]
        return Parsed(
            scores_a=a.scores,
            scores_b=b.scores,
            total_a=float(total_a),
            total_b=float(total_b),
            answer=answer,
            rationale=rationale,
            completion=in_blocks(rationale, ANSWERS[answer]),
            marks=tuple(marks if remark is None else [*marks, SENTENCE_COUNT]),
            remark=remark,
        )

    def _sentence_remark(self, a: SpeechAssessment, b: SpeechAssessment, summary: str) -> str | None:
        """Return which text has too few or too many sentences; None = none has."""
        explained = [
            (f"Speech {letter}, {name}: the explanation", text, self.explanation_sentences)
            for letter, speech in (("A", a), ("B", b))
            for name, text in speech.explanations.items()
        ]
        for what, text, limits in [*explained, (f"{SUMMARY} the summary", summary, SUMMARY_SENTENCES)]:
            if limits is not None and not limits[0] <= (count := sentence_count(text)) <= limits[1]:
                return f"{what} has {count} sentences, it must have {limits[0]} to {limits[1]}"
        return None

    def _check_texts(self, a: SpeechAssessment, b: SpeechAssessment, summary: str, totals: Sequence[Decimal]) -> None:
        """Refuse free text that states other numbers or another winner than the card, or has what looks like a tag."""
        names = [dimension.name for dimension in self.dimensions]
        speeches = {"a": a, "b": b}
        numbers = CardNumbers(
            scores={letter: [Decimal(str(speech.scores[name])) for name in names] for letter, speech in speeches.items()}
        )
        texts = [
            (f"Speech {letter.upper()}, {name}", speech.explanations[name], letter, number)
            for letter, speech in speeches.items()
            for number, name in enumerate(names)
        ]
        for where, text, letter, number in [*texts, (SUMMARY, summary, None, None)]:
            if has_tag(text):
                raise ParseError("tag_in_text", f"{where}: {text[:80]!r} has what looks like one of {', '.join(TAGS)}")
            if (stated := numbers.contradiction(text, speech=letter, dimension=number)) is not None:
                raise ParseError(
                    "text_contradicts_scores",
                    f"{where}: the text states {stated.text!r}, which is not what the lines of scores and totals say",
                )
            for verdict in verdicts(without_quotations(text), "AB"):
                # An explanation compares in its dimension, unless it says that it is about the whole.
                if totals[verdict.winner] < totals[1 - verdict.winner] and (letter is None or verdict.overall):
                    raise ParseError(
                        "text_contradicts_scores",
                        f"{where}: the text says {verdict.text!r}, but the totals are {_plain(totals[0])} for Speech A and "
                        f"{_plain(totals[1])} for Speech B",
                    )

    def _rationale(self, a: SpeechAssessment, b: SpeechAssessment, summary: str) -> tuple[str, list[Decimal]]:
        lines: list[str] = []
        totals: list[Decimal] = []
        for letter, speech in (("A", a), ("B", b)):
            scores = [Decimal(str(speech.scores[dimension.name])) for dimension in self.dimensions]
            totals.append(sum(scores, Decimal(0)))
            lines.append(self.layout.heading.format(letter))
            for number, (dimension, score) in enumerate(zip(self.dimensions, scores, strict=True), start=1):
                explanation = _writable(speech.explanations[dimension.name])
                bullet = self.layout.bullet.format(number)
                lines.append(f"{bullet} {dimension.name}: score={_plain(score)}/10; explanation: {explanation}")
            lines.append(f"{self.layout.total.format(letter)} = {'+'.join(map(_plain, scores))} = {_plain(totals[-1])}")
        lines += [SUMMARY, f"- {_writable(summary)}"]
        return "\n".join(lines), totals

    def _sections(self, think: str) -> list[str]:
        """Return the texts under the three headings."""
        wanted = self.layout.headings
        lines = [_one_line(line) for line in think.split("\n")]
        at = [number for number, line in enumerate(lines) if line in wanted]
        if [lines[number] for number in at] != wanted or any(lines[: at[0]]):
            found = ", ".join(lines[number] for number in at) or "none"
            raise ParseError(
                "sections",
                f"the think block must have the headings {', '.join(wanted)} once each, in this order, "
                f"and no text before them; found {found}",
            )
        return ["\n".join(lines[start + 1 : end]) for start, end in pairwise([*at, len(lines)])]

    def _assessment(self, section: str, letter: str) -> tuple[SpeechAssessment, Decimal, bool]:
        """Read one speech's dimensions; return them, their sum, and whether the total states it."""
        *body, total_line = [line for line in section.split("\n") if line] or [""]
        if not total_line.startswith(self.layout.total_start):
            raise self._malformed_total(total_line, letter)
        items: list[tuple[str, str, str, str]] = []
        for line in body:
            if match := self.layout.item.fullmatch(line):
                items.append((match[1], match[2], match[3], match[4].strip()))
            elif not items or self.layout.looks_like_item.match(line) or is_heading(line) or is_total(line):
                form = f"{self.layout.bullet.format('n')} <name>: score=x/10; explanation: ..."
                raise ParseError("dimensions", f"Speech {letter}: {line[:80]!r} is no {form!r}")
            else:
                items[-1] = (*items[-1][:3], f"{items[-1][3]} {line}".strip())
        wanted = [(self.layout.bullet.format(n), dimension.name) for n, dimension in enumerate(self.dimensions, start=1)]
        if [(bullet, name) for bullet, name, _, _ in items] != wanted:
            raise ParseError(
                "dimensions",
                f"Speech {letter} must score, once each and in this order: " + ", ".join(map(" ".join, wanted)),
            )
        scores = [self._score(value, f"Speech {letter}, {name}") for _, name, value, _ in items]
        for _, name, _, explanation in items:
            if not explanation:
                raise ParseError("explanation_missing", f"Speech {letter}, {name}: the explanation is empty")
        names = [name for _, name in wanted]
        assessment = SpeechAssessment(
            scores=dict(zip(names, map(float, scores), strict=True)),
            explanations={name: explanation for _, name, _, explanation in items},
        )
        return assessment, sum(scores, Decimal(0)), self._states_sum(total_line, letter, scores)

    def _score(self, value: str, where: str) -> Decimal:
        low, high = self.scale
        match = _SCORE.fullmatch(value)
        if match is None:
            raise ParseError("score_malformed", f"{where}: {value[:40]!r} is no score; write score=x/10 with x a plain number")
        score = Decimal(match[1])
        if score.is_signed() or not low <= score <= high:
            raise ParseError("score_range", f"{where}: {match[1]} is outside {low:g} to {high:g}")
        return score

    def _states_sum(self, line: str, letter: str, scores: Sequence[Decimal]) -> bool:
        """Return whether the line of the total states the sum of its addends, which must be the scores."""
        number = rf"\s*({_NUMBER})\s*"
        addition = r"\+".join([number] * len(scores))
        match = re.fullmatch(rf"{re.escape(self.layout.total.format(letter))}\s*={addition}={number}", line)
        if match is None:
            raise self._malformed_total(line, letter)
        *addends, total = map(Decimal, match.groups())
        if addends != list(scores):
            raise ParseError(
                "total_mismatch",
                f"{line!r}: the scores are {', '.join(map(_plain, scores))}, which add up to {_plain(sum(scores, Decimal(0)))}",
            )
        return total == sum(scores)

    def _malformed_total(self, line: str, letter: str) -> ParseError:
        small = letter.lower()
        wanted = f"{self.layout.total.format(letter)} = {small}1+{small}2+... = {letter}_total"
        return ParseError("total_malformed", f"Speech {letter} must end with {wanted!r}, not {line[:80]!r}")


def _writable(text: str) -> str:
    line = _one_line(text)
    if not line or any(tag in line for tag in TAGS):
        raise ValueError(f"an explanation or summary must be text without {', '.join(TAGS)}, got {text[:80]!r}")
    return line


def _plain(number: Decimal) -> str:
    """Write a number without exponent or trailing zeros."""
    return f"{number.normalize():f}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
