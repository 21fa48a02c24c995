"""The quality form: the reply format of Task 2 (UniSRM, App. A Fig. 4), written and read.

::

    <think>
    [Aspect descriptions]
    Noise description: ...
    Distortion description: ...
    Unnatural pause: ...
    Feeling of voice: ...

    [Natural language description]
    A paragraph.
    </think><answer>noise=4; distortion=3; speed=4; continuity=5; naturalness=4; listening_effort=4; overall=4;</answer>

A description of an aspect of which there is nothing to say is ``None``, as QualiSpeech writes it; the paragraph always says
something. Scores are whole numbers. Reading is strict: whatever is not above is refused with a reason. It forgives white space
around blocks and lines, one Markdown fence around the whole reply, a full-width colon, semicolon or equals sign, a last score
without its semicolon, and texts over several lines, which become one. No text may state another score of an aspect than the
answer does in the answer's notation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from annotate.models.parse.envelope import blocks, in_blocks, opened
from annotate.models.parse.stated_scores import has_tag
from annotate.models.task import ParseError, Written
from contracts.text_forms import keyed

ASPECTS_HEADING: Final = "[Aspect descriptions]"
PARAGRAPH_HEADING: Final = "[Natural language description]"
NOTHING: Final = "None"
"""What stands for a description that is not there."""

_HEADINGS: Final = (ASPECTS_HEADING, PARAGRAPH_HEADING)
_NOTHING: Final = re.compile(r"none\.?", re.IGNORECASE)
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,5})")


@dataclass(frozen=True, kw_only=True)
class QualityForm:
    """The form of one task.

    Attributes:
        aspects: keys of the scores, in the order of the answer.
        descriptions: what stands before a description -> its field, in order.
        paragraph: field of the paragraph.
        scale: lowest and highest score, whole numbers.
    """

    aspects: tuple[str, ...]
    descriptions: Mapping[str, str]
    paragraph: str
    scale: tuple[float, float]

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the content: the descriptions and the paragraph."""
        return (*self.descriptions.values(), self.paragraph)

    def compose(self, scores: Mapping[str, float], content: Mapping[str, str | None]) -> str:
        """Write a form.

        Args:
            scores: aspect -> score.
            content: field -> text; None, or a field that is left out, is a description that is not there.

        Raises:
            ParseError: with the reasons of ``parse.envelope`` or ``score_not_whole``, ``score_range``, ``description_missing``
                (the paragraph), ``heading_in_text``, ``tag_in_text``, ``text_contradicts_scores``.
        """
        answer = {aspect: self._whole(aspect, scores[aspect]) for aspect in self.aspects}
        texts = {field: _line(content.get(field)) for field in self.fields}
        if texts[self.paragraph] is None:
            raise ParseError("description_missing", f"{PARAGRAPH_HEADING} is empty; write a paragraph")
        for field, text in texts.items():
            self._check_text(field, text or "", answer)
        lines = [ASPECTS_HEADING, *(f"{label}: {texts[field] or NOTHING}" for label, field in self.descriptions.items())]
        lines += ["", PARAGRAPH_HEADING, texts[self.paragraph] or ""]
        written = in_blocks("\n".join(lines), " ".join(f"{aspect}={score};" for aspect, score in answer.items()))
        opened(written, thinks=True)  # refuses what no reply may hold
        return written

    def parse(self, reply: str) -> Written:
        """Read a form.

        Raises:
            ParseError: with the reasons of ``compose``, or ``sections``, ``scores_malformed``.
        """
        think, answer = blocks(opened(reply, thinks=True))
        described, paragraph = self._sections(think)
        content = self._descriptions(described) | {self.paragraph: _line(paragraph)}
        scores = self._scores(answer)
        return Written(content=content, scores=scores, completion=self.compose(scores, content))

    def _whole(self, aspect: str, score: float) -> int:
        lowest, highest = self.scale
        if score != round(score):
            raise ParseError("score_not_whole", f"{aspect}={score:g}: scores are whole numbers")
        if not lowest <= score <= highest:
            raise ParseError("score_range", f"{aspect}={score:g} is not from {lowest:g} to {highest:g}")
        return round(score)

    def _check_text(self, field: str, text: str, answer: Mapping[str, int]) -> None:
        if has_tag(text):
            raise ParseError("tag_in_text", f"{field}: {text[:80]!r} has what looks like a tag of a reply")
        if any(heading in text for heading in _HEADINGS):
            raise ParseError("heading_in_text", f"{field}: {text[:80]!r} has a heading of the form")
        for found in self._stated.finditer(text):
            if found["score"] != str(answer[found["aspect"].lower()]):
                message = f"{field}: the text states {found[0]!r}, which is not what the answer says"
                raise ParseError("text_contradicts_scores", message)

    @cached_property
    def _stated(self) -> re.Pattern[str]:
        """A score in the notation of the answer."""
        return re.compile(rf"\b(?P<aspect>{'|'.join(self.aspects)}) ?[=\uff1d] ?(?P<score>[0-9.]*[0-9])", re.IGNORECASE)

    @cached_property
    def _labelled(self) -> re.Pattern[str]:
        """A line that begins a description."""
        labels = "|".join(map(re.escape, self.descriptions))
        return re.compile(rf"(?P<label>{labels}) ?[:\uff1a] ?(?P<text>.*)")

    def _sections(self, think: str) -> list[str]:
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

    def _descriptions(self, section: str) -> dict[str, str | None]:
        """Read the lines of the aspects; a line without a label goes on with the description above it."""
        found: list[tuple[str, str]] = []
        for line in filter(None, section.split("\n")):
            if labelled := self._labelled.fullmatch(line):
                found.append((labelled["label"], labelled["text"]))
            elif found:
                found[-1] = (found[-1][0], f"{found[-1][1]} {line}")
            else:
                raise ParseError("sections", f"{line[:80]!r} stands before the first description")
        if [label for label, _ in found] != list(self.descriptions):
            wanted = ", ".join(f"{label}:" for label in self.descriptions)
            raise ParseError("sections", f"{ASPECTS_HEADING} must have the lines {wanted} once each, in this order")
        for label, text in found:
            if not keyed(text):
                raise ParseError("description_missing", f"{label} is empty; write {NOTHING} where there is nothing to say")
        return {self.descriptions[label]: _line(text) for label, text in found}

    def _scores(self, answer: str) -> dict[str, float]:
        text = answer.replace("\uff1b", ";").replace("\uff1d", "=").strip()
        parts = [part.partition("=") for part in text.removesuffix(";").split(";")]
        found = [(aspect.strip(), score.strip()) for aspect, _, score in parts]
        if [aspect for aspect, _ in found] != list(self.aspects) or not all(_WHOLE.fullmatch(score) for _, score in found):
            wanted = " ".join(f"{aspect}=n;" for aspect in self.aspects)
            raise ParseError(
                "scores_malformed", f"the answer must be {wanted!r} with a whole number for each n, not {text[:120]!r}"
            )
        return {aspect: float(score) for aspect, score in found}


def _line(text: str | None) -> str | None:
    """Return a text as one line in its stored form; None where there is nothing, or a word that says so."""
    line = keyed(text) if text is not None else ""
    return None if not line or _NOTHING.fullmatch(line) else line
