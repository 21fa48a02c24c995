"""Conclusions: free reasoning on named criteria whose last line gives the scores (SpeechJudge Table 1, MOS-RMBench Fig. 6).

Reading is strict where it counts: the last line has the exact words, every score is a plain number of ASCII digits with no
more decimals than asked for and inside the scale, and the reasoning names every criterion. Nothing else in the reply may look
like a conclusion, in whatever notation (``annotate.stated_scores``): which of two is meant, nobody can tell. Scores that the
reasoning quotes, or gives for one criterion on the criterion's own line, are no conclusion.

Reading forgives white space around the reply and inside the last line, one Markdown fence around the whole, Markdown
emphasis and a heading sign around the last line, ``Conclusion:`` before it and a full stop after it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final, Literal

from annotate.envelope import opened
from annotate.stated_scores import VALUE, folded, labelled_numbers, without_quotations
from annotate.task import Parsed, ParseError
from contracts.text_forms import compared

_LEAD: Final = re.compile(r"\A(?i:conclusion)\s*:[\s*_]*")


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """How the replies of one task end.

    Attributes:
        criteria: what the reasoning must name, in any case.
        line: the last line; ``{}`` are the scores.
        decimals: most digits after the point of a score. A reply that was cut off inside the last score can look whole; whoever
            sends it says so (``truncated_reply``), and it never comes here.
        scale: lowest and highest score.
    """

    criteria: tuple[str, ...]
    line: str
    decimals: int
    scale: tuple[float, float]

    def write(self, rationale: str, scores: Sequence[Decimal]) -> str:
        """Write a reply."""
        return f"{rationale}\n\n{self.line.format(*(f'{score.normalize():f}' for score in scores))}"

    def read(self, reply: str) -> tuple[str, list[Decimal]]:
        """Return the reasoning and the scores.

        Raises:
            ParseError: with the reasons of ``annotate.envelope`` or ``conclusion_missing``, ``conclusion_twice``,
                ``text_outside``, ``score_malformed``, ``score_range``, ``rationale_missing`` or ``criteria_missing``.
        """
        *before, last = [line.rstrip() for line in opened(reply).split("\n")]
        found = self._match(last)
        earlier = [line for line in before if self._match(line)]
        if found is None:
            if earlier:
                raise ParseError("text_outside", f"nothing may follow the line {earlier[-1].strip()!r}, but {last[:80]!r} does")
            raise ParseError("conclusion_missing", f"the last line must be {self._form!r}, not {last[:80]!r}")
        another = earlier[0].strip() if earlier else self._another(before)
        if another is not None:
            raise ParseError(
                "conclusion_twice",
                f"only the last line may have the form {self._form!r}, but {another[:80]!r} looks like a conclusion, too",
            )
        scores = [self._score(number) for number in found.groups()]
        rationale = "\n".join(before).strip()
        if not rationale:
            raise ParseError("rationale_missing", f"before the line {last[:80]!r} must stand an analysis")
        heard = rationale.casefold()
        if lacking := [name for name in self.criteria if name.casefold() not in heard]:
            raise ParseError("criteria_missing", f"the analysis must name each criterion; it lacks {', '.join(lacking)}")
        return rationale, scores

    @property
    def _form(self) -> str:
        return self.line.replace("{}", "X")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.line).replace(r"\ ", r"\s*").replace(r"\{\}", r"\s*([^\s,\[\]]*)\s*"))

    def _match(self, line: str) -> re.Match[str] | None:
        bare = _LEAD.sub("", " ".join(line.split()).lstrip("#*_` "))
        return self._pattern.fullmatch(bare.rstrip("*_` ").removesuffix(".").rstrip("*_` "))

    @cached_property
    def _resembling(self) -> re.Pattern[str]:
        """What looks like a conclusion in folded text."""
        *pieces, _ = self.line.split("{}")
        labels = [words for piece in pieces if (words := re.findall(r"\w+", piece.casefold()))]
        brackets = rf"|\[\s*\[{VALUE}" if pieces[0].endswith("[[") else ""
        return re.compile(labelled_numbers(labels).pattern + brackets)

    def _another(self, lines: Sequence[str]) -> str | None:
        """Return what looks like a conclusion among the lines of the reasoning, in any notation."""
        text = "\n".join(map(without_quotations, folded("\n".join(lines)).split("\n")))
        for found in self._resembling.finditer(text):
            before = text[: found.start()].rpartition("\n")[2]
            of_criterion = any(re.search(rf"{re.escape(compared(name))}[\W_]*\Z", before) for name in self.criteria)
            if not of_criterion or "\n" in found[0].strip():
                return found[0].strip()
        return None

    def _score(self, text: str) -> Decimal:
        low, high = self.scale
        fraction = rf"(?:\.[0-9]{{1,{self.decimals}}})?" if self.decimals else ""
        if not re.fullmatch(rf"-?(?:0|[1-9][0-9]{{0,5}}){fraction}", text):
            form = f"a plain number with at most {self.decimals} decimals" if self.decimals else "a whole number"
            raise ParseError("score_malformed", f"{text[:40]!r} is no score; write {form} from {low:g} to {high:g}")
        score = Decimal(text)
        if not low <= score <= high:
            raise ParseError("score_range", f"{text} is outside {low:g} to {high:g}")
        return score


def parsed(reply: str, conclusion: Conclusion, name: str) -> Parsed:
    """Read a reply about two speeches that gives each one score.

    Args:
        reply: the reply.
        conclusion: how it ends.
        name: dimension that the scores are of.

    Raises:
        ParseError: see ``Conclusion.read``.
    """
    rationale, (a, b) = conclusion.read(reply)
    answer: Literal["a", "b"] = "a" if a >= b else "b"
    return Parsed(
        scores_a={name: float(a)},
        scores_b={name: float(b)},
        total_a=float(a),
        total_b=float(b),
        answer=answer,
        rationale=rationale,
        completion=conclusion.write(rationale, [a, b]),
    )
