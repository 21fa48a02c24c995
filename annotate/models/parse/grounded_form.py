"""The grounded form: measured features, reasoning on them alone, and a score (after GSRM), written and read.

::

    <think>
    [Acoustic features]
    median F0 (median pitch): 182 Hz
    jitter: 1.23 %

    [Reasoning]
    A paragraph, whose numbers are those of the features.
    </think><answer>naturalness=3.67;</answer>

Scores have at most two decimals. Reading is strict: whatever is not above is refused with a reason. It forgives white space
around blocks and lines, one Markdown fence around the whole reply, and reasoning over several lines, which become one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from annotate.models.parse.cited_numbers import require_citations
from annotate.models.parse.envelope import blocks, in_blocks, opened
from annotate.models.parse.stated_scores import has_tag
from annotate.models.task import ParseError, Written
from contracts.text_forms import keyed
from scoring.feature import read_table

FEATURES_HEADING: Final = "[Acoustic features]"
REASONING_HEADING: Final = "[Reasoning]"
FIELDS: Final = ("features", "rationale")
"""The table, one feature a line, and the reasoning."""

_HEADINGS: Final = (FEATURES_HEADING, REASONING_HEADING)
_DECIMALS: Final = 2
_SCORE: Final = re.compile(r"(?:0|[1-9][0-9]{0,3})(?:\.[0-9]{1,2})?")


@dataclass(frozen=True, kw_only=True)
class GroundedForm:
    """The form of one task.

    Attributes:
        scores: keys of the scores, in the order of the answer.
        scale: lowest and highest score.
    """

    scores: tuple[str, ...]
    scale: tuple[float, float]

    def compose(self, scores: Mapping[str, float], content: Mapping[str, str | None]) -> str:
        """Write a form.

        Args:
            scores: key -> score; it is written with two decimals.
            content: ``features`` and ``rationale``.

        Raises:
            ParseError: ``features_missing``, ``features_malformed``, ``rationale_missing``, ``heading_in_text``,
                ``tag_in_text``, ``score_range``, or the reasons of ``parse.cited_numbers``.
        """
        features, rationale = _table(content.get("features") or ""), keyed(content.get("rationale") or "")
        if not rationale:
            raise ParseError("rationale_missing", f"{REASONING_HEADING} is empty; write a paragraph")
        if has_tag(rationale):
            raise ParseError("tag_in_text", f"the reasoning {rationale[:80]!r} has what looks like a tag of a reply")
        if any(heading in rationale for heading in _HEADINGS):
            raise ParseError("heading_in_text", f"the reasoning {rationale[:80]!r} has a heading of the form")
        require_citations(rationale, read_table(features))
        answer = " ".join(f"{key}={_plain(self._in_range(key, scores[key]))};" for key in self.scores)
        return in_blocks("\n".join([FEATURES_HEADING, *features, "", REASONING_HEADING, rationale]), answer)

    def parse(self, reply: str) -> Written:
        """Read a form.

        Raises:
            ParseError: with the reasons of ``parse.envelope`` or of ``compose``, or ``sections``, ``scores_malformed``.
        """
        think, answer = blocks(opened(reply, thinks=True))
        features, rationale = _sections(think)
        scores = self._scores(answer)
        content = {"features": "\n".join(_table(features)), "rationale": keyed(rationale)}
        return Written(content=content, scores=scores, completion=self.compose(scores, content))

    def _in_range(self, key: str, score: float) -> float:
        lowest, highest = self.scale
        if not lowest <= score <= highest:
            raise ParseError("score_range", f"{key}={score:g} is not from {lowest:g} to {highest:g}")
        return score

    def _scores(self, answer: str) -> dict[str, float]:
        parts = [part.partition("=") for part in answer.strip().removesuffix(";").split(";")]
        found = [(key.strip(), score.strip()) for key, _, score in parts]
        if [key for key, _ in found] != list(self.scores) or not all(_SCORE.fullmatch(score) for _, score in found):
            wanted = " ".join(f"{key}=n;" for key in self.scores)
            raise ParseError(
                "scores_malformed",
                f"the answer must be {wanted!r} with a number of at most two decimals for each n, not {answer[:120]!r}",
            )
        return {key: float(score) for key, score in found}


def _table(text: str) -> list[str]:
    """Return the lines of a table of features."""
    lines = [line for line in (" ".join(one.split()) for one in text.split("\n")) if line]
    if not lines:
        raise ParseError("features_missing", f"{FEATURES_HEADING} is empty; write one feature a line")
    try:
        read_table(lines)
    except ValueError as error:
        raise ParseError("features_malformed", f"{FEATURES_HEADING}: {error}") from None
    return lines


def _sections(think: str) -> list[str]:
    """Return the texts under the two headings."""
    lines = [" ".join(line.split()) for line in think.split("\n")]
    at = [number for number, line in enumerate(lines) if line in _HEADINGS]
    if [lines[number] for number in at] != list(_HEADINGS) or any(lines[: at[0]]):
        raise ParseError(
            "sections",
            f"the think block must have the headings {' and '.join(_HEADINGS)} once each, in this order, on lines of their "
            "own, and no text before them",
        )
    return ["\n".join(lines[at[0] + 1 : at[1]]), "\n".join(lines[at[1] + 1 :])]


def _plain(score: float) -> str:
    """Return a score with at most two decimals, without zeros at its end."""
    return f"{Decimal(str(score)):.{_DECIMALS}f}".rstrip("0").rstrip(".")
