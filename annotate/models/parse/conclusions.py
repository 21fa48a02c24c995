"""Conclusions: free reasoning on named criteria and the scores that it comes to (SpeechJudge Table 1, MOS-RMBench Fig. 6).

Reading is strict where it counts. Every score is a plain number of ASCII digits with no more decimals than asked for and inside
the scale. All scores are present, the reasoning names every criterion, and no other scores in the reply differ, in any notation
(``parse.stated_scores``). Scores that the reasoning quotes, or gives for one criterion, are no conclusion.

The place and the markup of the scores depend on their form. Scores in brackets are the last line. Labelled scores end the
reply, on one or more lines, in bold, in a list or a table or as ``6/10``, and nothing else stands in these lines or after them
(``parse.closing``): a remark can take back what it follows. Scores may be repeated if they agree, and the reasoning may not
state in words that the other output is better (``parse.stated_verdicts``).

Reading accepts white space around the reply and one Markdown fence around the whole; around the last line in brackets Markdown
emphasis, a heading sign, ``Conclusion:`` before it and a full stop after it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final, Literal

from annotate.models.parse.closing import closing_start, goes_on, leads_on
from annotate.models.parse.envelope import opened
from annotate.models.parse.labelled_scores import LabelledScores, Stated, blanked, last_pair, reasoning, stated_lines, unquoted
from annotate.models.parse.stated_scores import (
    VALUE,
    folded,
    given_number,
    labelled_numbers,
    stated_numbers,
    without_quotations,
)
from annotate.models.parse.stated_verdicts import retraction, verdicts
from annotate.models.task import Parsed, ParseError
from contracts.text_forms import compared

_HEAD: Final = 200  # characters of a line in which the name of a criterion is looked for
_ITEM: Final = re.compile(r"\s*(?:[-*\u2022+]\s|[0-9]+[.)]\s|\|)")
_LEAD: Final = re.compile(r"\A(?i:conclusion)\s*:[\s*_]*")


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """How the replies of one task end.

    Attributes:
        criteria: what the reasoning must name, in any case.
        line: the last line; ``{}`` are the scores.
        decimals: most digits after the point of a score. A reply that was cut off inside the last score can look complete; the
            judge session refuses it (``truncated_reply``) before it is read here.
        scale: lowest and highest score.
        labels: what the two outputs are called, where that is not in ``line``.
        needs_reasons: whether an analysis must stand beside the scores.
    """

    criteria: tuple[str, ...]
    line: str
    decimals: int
    scale: tuple[float, float]
    labels: tuple[str, ...] = ()
    needs_reasons: bool = True

    def write(self, rationale: str, scores: Sequence[Decimal]) -> str:
        """Write a reply."""
        return f"{rationale}\n\n{self.line.format(*(f'{score.normalize():f}' for score in scores))}".lstrip("\n")

    def read(self, reply: str) -> tuple[str, list[Decimal]]:
        """Return the reasoning and the scores.

        Raises:
            ParseError: with the reasons of ``annotate.models.parse.envelope`` or ``conclusion_missing``, ``conclusion_twice``,
                ``conclusion_contradicted``, ``text_outside``, ``score_malformed``, ``score_range``,
                ``rationale_missing`` or ``criteria_missing``; the message quotes what was wrong.
        """
        lines = [line.rstrip() for line in opened(reply).split("\n")]
        rationale, written = self._stated(lines) if self._labelled else self._last_line(lines)
        scores = [self._score(number) for number in written]
        self._check_verdicts(lines, scores)
        if self.needs_reasons and not rationale:
            raise ParseError("rationale_missing", f"beside the scores, {lines[-1][:80]!r}, an analysis must stand")
        if missing := [name for name in self.criteria if name.casefold() not in rationale.casefold()]:
            raise ParseError("criteria_missing", f"the analysis must name each criterion; it lacks {', '.join(missing)}")
        return rationale, scores

    def _last_line(self, lines: Sequence[str]) -> tuple[str, Sequence[str]]:
        """Return the reasoning and the scores of the last line, as they are written."""
        *before, last = lines
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
        return "\n".join(before).strip(), found.groups()

    def _stated(self, lines: Sequence[str]) -> tuple[str, Sequence[str]]:
        """Return the reasoning and the scores that the reply ends with, as they are written."""
        labels = self._names
        of_criteria = self._of_criteria(lines)
        found, rest, unclear = self._find(lines, of_criteria)
        start = closing_start(rest, of_criteria)
        pair = last_pair([one for one in found if one.line >= start])
        odd = self._another(rest)
        if pair is None:
            raise self._no_pair(lines, found, odd, lines[start - 1] if start and unclear is None else unclear)
        values = [one.value for one in sorted(pair, key=lambda one: one.label)]
        scores = [self._score(value) for value in values]
        this = stated_lines(lines, pair)
        for one in found:
            if not self._is(one.value, scores[one.label]):
                raise ParseError(
                    "conclusion_twice", f"{stated_lines(lines, [one])!r} and {this!r} differ: give each output one score"
                )
        if odd is not None:
            raise ParseError("conclusion_twice", f"{odd[:80]!r} looks like a conclusion beside {this!r}: give the scores once")
        last = max(found, key=lambda one: (one.line, one.end))
        behind = "\n".join([lines[last.line][last.end :], *lines[last.line + 1 :]])
        if goes_on(behind):
            raise ParseError("text_outside", f"nothing may follow the scores {this!r}, but {behind.strip()[:80]!r} does")
        adjoining = re.search(r"\w", lines[start]) is not None
        if start and leads_on(lines[start - 1], adjoining=adjoining and not of_criteria[start - 1]):
            above = lines[start - 1].strip()[-80:]
            raise ParseError(
                "conclusion_missing",
                f"{above!r} stands over {this!r}: it must be clear that these are scores of {labels[0]}"
                f" and {labels[1]}; end with {self._form!r} after an empty line",
            )
        return reasoning(lines, rest, found), values

    def _find(self, lines: Sequence[str], of_criteria: list[bool]) -> tuple[list[Stated], list[str], str | None]:
        """Find all scores, and mark tables of criteria as such.

        Returns:
            The scores, the lines with spaces in their place, and the first line of a table of which it is not clear what its
            numbers are.
        """
        reader = LabelledScores(self._names)
        plain = list(map(unquoted, lines))
        names = {" ".join(re.findall(r"\w+", name.casefold())) for name in self.criteria}
        found: list[Stated] = []
        blank: set[int] = set()
        unclear = None
        for table, cells in (tables := list(reader.tables(plain, names.__contains__))):
            if cells is None:
                unclear = unclear or lines[table[0]]
                continue
            found += cells
            blank.update(table)
            if not cells:
                of_criteria[table.start : table.stop] = [True] * len(table)
        inside = {number for table, _ in tables for number in table}
        found += reader.find(["" if number in inside else line for number, line in enumerate(plain)])
        rest = blanked(lines, found)
        found = sorted((one for one in found if not of_criteria[one.line]), key=lambda one: (one.line, one.start))
        return found, ["" if number in blank else line for number, line in enumerate(rest)], unclear

    def _no_pair(self, lines: Sequence[str], found: Sequence[Stated], odd: str | None, text: str | None) -> ParseError:
        """Return why a reply does not end with two scores."""
        labels, pair = self._names, last_pair(found)
        if pair is not None:
            this = stated_lines(lines, pair)
            return ParseError(
                "text_outside",
                f"the reply must end with the scores {this!r} and nothing else in their lines, but says "
                f"{(text or '').strip()[:80]!r}",
            )
        if odd is not None:
            return ParseError("score_malformed", f"{odd[:80]!r} is no plain pair of scores: write {self._form!r}")
        if found:
            has, lacks = labels[found[-1].label], labels[1 - found[-1].label]
            line = lines[found[-1].line].strip()
            return ParseError("conclusion_missing", f"{line[:80]!r} gives {has} a score, and nothing gives {lacks} one")
        return ParseError("conclusion_missing", f"nowhere stands {self._form!r}; the reply ends with {lines[-1][-80:]!r}")

    def _check_verdicts(self, lines: Sequence[str], scores: Sequence[Decimal]) -> None:
        """Refuse a reply that states in words that the other output is better, or takes its scores back."""
        if not self._names:
            return
        of_criteria = self._of_criteria(lines)
        text = "\n".join(
            "" if named and "overall" not in compared(line[:_HEAD]) else without_quotations(line)
            for line, named in zip(lines, of_criteria, strict=True)
        )
        if (retracted := retraction(text)) is not None:
            raise ParseError("conclusion_contradicted", f"{retracted[:80]!r} leaves in doubt what the scores mean")
        for name, score in zip(self._names, scores, strict=True):
            for given in given_number(re.findall(r"\w+", name.casefold())).finditer(folded(text)):
                if not self._is(given["value"] or given["tenths"], score):
                    raise ParseError("conclusion_twice", f"{given[0][:80]!r} is another score than {name}: {score}")
        for verdict in verdicts(text, "".join(name[-1] for name in self._names)):
            if scores[verdict.winner] < scores[1 - verdict.winner]:
                stated = ", ".join(f"{name}: {score}" for name, score in zip(self._names, scores, strict=True))
                raise ParseError("conclusion_contradicted", f"{verdict.text!r} contradicts the scores {stated}")

    def _of_criteria(self, lines: Sequence[str]) -> list[bool]:
        """Return for each line whether it is about one criterion: it begins with the name, or is in the list under it."""
        if not self.criteria:
            return [False] * len(lines)
        names = "|".join(re.escape(compared(name)) for name in self.criteria)
        begins = re.compile(rf"[\W_0-9]*(?:{names})(?!\w)(?P<rest>.*)")
        found: list[bool] = []
        under = False
        for line in lines:
            named = begins.match(compared(line[:_HEAD]))
            if line.strip():
                under = (under and _ITEM.match(line) is not None) if named is None else not re.search(r"\w", named["rest"])
            found.append(named is not None or (under and bool(line.strip())))
        return found

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """The labels of the two outputs; none where there is one."""
        return self.labels or self._labelled

    @cached_property
    def _labelled(self) -> tuple[str, ...]:
        """The words before each score; none where brackets tell them apart."""
        *pieces, _ = self.line.split("{}")
        labels = tuple(" ".join(re.findall(r"\w+", piece)) for piece in pieces)
        return labels if len(labels) == 2 and all(labels) and "[" not in self.line else ()

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
        """Matches what looks like a conclusion in folded text."""
        patterns = [labelled_numbers([re.findall(r"\w+", name.casefold()) for name in self._names])] if self._names else []
        if not self._labelled:
            patterns += [stated_numbers(2 if self._names else 1), re.compile(rf"\[\s*\[{VALUE}")]
        return re.compile("|".join(pattern.pattern for pattern in patterns))

    def _another(self, lines: Sequence[str]) -> str | None:
        """Return the line of the reasoning that looks like a conclusion, in any notation; None = there is none."""
        text = "\n".join(map(without_quotations, folded("\n".join(lines)).split("\n")))
        for found in self._resembling.finditer(text):
            before = text[: found.start()].rpartition("\n")[2]
            of_criterion = any(re.search(rf"{re.escape(compared(name))}[\W_]*\Z", before) for name in self.criteria)
            if not of_criterion or "\n" in found[0].strip():
                first = text.count("\n", 0, found.start())
                return " / ".join(filter(None, map(str.strip, lines[first : first + found[0].count("\n") + 1])))
        return None

    def _is(self, text: str, score: Decimal) -> bool:
        try:
            return self._score(text) == score
        except ParseError:
            return False

    def _score(self, text: str) -> Decimal:
        low, high = self.scale
        fraction = rf"(?:\.[0-9]{{1,{self.decimals}}})?" if self.decimals else ""
        if not re.fullmatch(rf"[-\u2212]?(?:0|[1-9][0-9]{{0,5}}){fraction}", text):
            form = f"a plain number with at most {self.decimals} decimals" if self.decimals else "a whole number"
            raise ParseError("score_malformed", f"{text[:40]!r} is no score; write {form} from {low:g} to {high:g}")
        score = Decimal(text.replace("\u2212", "-"))
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
