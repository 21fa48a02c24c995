"""Conclusions: free reasoning on named criteria and the scores that it comes to (SpeechJudge Table 1, MOS-RMBench Fig. 6).

Reading is strict where it counts: every score is a plain number of ASCII digits with no more decimals than asked for and
inside the scale, all scores are there, the reasoning names every criterion, and nothing else in the reply says otherwise, in
whatever notation (``annotate.stated_scores``): which of two is meant, nobody can tell. Scores that the reasoning quotes, or
gives for one criterion, are no conclusion.

Where the scores stand, and in which ornaments, depends on their form. Scores in brackets are the last line. Scores of labels
are those that the reply states last, wherever that is (``annotate.labelled_scores``): the public parser of the format takes the
last pair, and models put it on two lines, before the analysis, in bold or as ``6/10``. Scores may be said more than once as
long as they agree. Text that goes on behind them has to come to an end, or it was cut off.

Reading forgives white space around the reply and one Markdown fence around the whole; around the last line in brackets Markdown
emphasis, a heading sign, ``Conclusion:`` before it and a full stop after it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final, Literal

from annotate.envelope import opened
from annotate.labelled_scores import LabelledScores, Stated
from annotate.stated_scores import VALUE, folded, labelled_numbers, without_quotations
from annotate.task import Parsed, ParseError
from contracts.text_forms import compared

_LEAD: Final = re.compile(r"\A(?i:conclusion)\s*:[\s*_]*")
# What a line may hold beside the scores without saying anything.
_AROUND: Final = {
    *(
        "the",
        "and",
        "so",
        "my",
        "here",
        "are",
        "is",
        "in",
        "vs",
        "final",
        "overall",
        "conclusion",
        "conclusions",
        "score",
        "scores",
    ),
    *("scoring", "rating", "ratings", "verdict", "summary", "naturalness", "point", "points", "result", "results"),
    *("\u7ed3\u8bba", "\u8bc4\u5206", "\u5f97\u5206"),
}
_FINISHED: Final = re.compile(r"[.!?\u3002\uff01\uff1f|:;)\]\"'\u201d\u2019`*_0-9-]\Z")
_VERDICT: Final = (
    r"(?i:(?<!\w)(?:therefore|thus|hence|so|overall|in conclusion|conclusion|in summary|verdict|winner|final answer)(?!\w)"
    r"[^.!?\n]{{0,80}}?{first}\s*(?P<letter>[{letters}])(?!\w)(?P<rest>[^.!?\n]{{0,40}}))"
)
_BETTER: Final = re.compile(
    r"(?i)\A[\s*_`]*(?:\Z|(?:is|sounds|wins|was)[^,;]{0,25}?(?:better|more natural|superior|wins?)\b|wins)"
)


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
                ``conclusion_contradicted``, ``cut_off``, ``text_outside``, ``score_malformed``, ``score_range``,
                ``rationale_missing`` or ``criteria_missing``; the message quotes what was wrong.
        """
        lines = [line.rstrip() for line in opened(reply).split("\n")]
        rationale, written = self._stated(lines) if self._labels else self._last_line(lines)
        scores = [self._score(number) for number in written]
        if not rationale:
            raise ParseError("rationale_missing", f"beside the scores, {lines[-1][:80]!r}, an analysis must stand")
        heard = rationale.casefold()
        if lacking := [name for name in self.criteria if name.casefold() not in heard]:
            raise ParseError("criteria_missing", f"the analysis must name each criterion; it lacks {', '.join(lacking)}")
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
        """Return the reasoning and the scores that are stated last, as they are written."""
        labels = self._labels
        found = LabelledScores(labels).find(list(map(_without_quotations, lines)))
        rest = _without(lines, found)
        of_criteria = self._of_criteria(lines)
        found = [one for one in found if not of_criteria[one.line]]
        pair = _last_pair(found)
        odd = self._another(rest)
        if pair is None:
            if odd is not None:
                raise ParseError("score_malformed", f"{odd[:80]!r} is no plain pair of scores: write {self._form!r}")
            if found:
                has, lacks = labels[found[-1].label], labels[1 - found[-1].label]
                line = lines[found[-1].line].strip()
                raise ParseError("conclusion_missing", f"{line[:80]!r} gives {has} a score, and nothing gives {lacks} one")
            raise ParseError("conclusion_missing", f"nowhere stands {self._form!r}; the reply ends with {lines[-1][-80:]!r}")
        values = [one.value for one in sorted(pair, key=lambda one: one.label)]
        scores = [self._score(value) for value in values]
        for one in found:
            if not self._is(one.value, scores[one.label]):
                this, other = _quoted(lines, [one]), _quoted(lines, pair)
                raise ParseError("conclusion_twice", f"{this!r} and {other!r} differ: give each output one score")
        if odd is not None:
            this = _quoted(lines, pair)
            raise ParseError("conclusion_twice", f"{odd[:80]!r} looks like a conclusion beside {this!r}: give the scores once")
        self._check_rest(lines, pair, scores)
        return _reasoning(lines, found), values

    def _check_rest(self, lines: Sequence[str], pair: tuple[Stated, Stated], scores: Sequence[Decimal]) -> None:
        """Refuse text behind the scores that says otherwise or was cut off."""
        last = max(pair, key=lambda one: (one.line, one.end))
        behind = "\n".join([lines[last.line][last.end :], *lines[last.line + 1 :]]).strip()
        third = re.search(rf"(?i){re.escape(self._labels[0].split()[0])}\s*[c-z]\b[\s*_`]*[:=]\s*[0-9]", behind)
        if third:
            raise ParseError("conclusion_twice", f"{third[0]!r} is a score of an output that there is not")
        first, letters = self._labels[0].rpartition(" ")[0], "".join(label[-1] for label in self._labels)
        for verdict in re.finditer(_VERDICT.format(first=re.escape(first), letters=letters), behind):
            winner = letters.casefold().index(verdict["letter"].casefold())
            if scores[0] != scores[1] and scores[winner] < scores[1 - winner] and _BETTER.match(verdict["rest"]):
                said = _quoted(lines, pair)
                raise ParseError("conclusion_contradicted", f"{verdict[0].strip()[:80]!r} contradicts the scores {said!r}")
        after = "\n".join(lines[last.line + 1 :]).strip()
        if after and not _FINISHED.search(after):
            raise ParseError("cut_off", f"the text behind the scores ends inside a sentence: {after[-80:]!r}")

    def _of_criteria(self, lines: Sequence[str]) -> list[bool]:
        """Return per line whether it is about one criterion: it begins with the name, or is in the list under it."""
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
    def _labels(self) -> tuple[str, ...]:
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
        """What looks like a conclusion in folded text."""
        *pieces, _ = self.line.split("{}")
        labels = [words for piece in pieces if (words := re.findall(r"\w+", piece.casefold()))]
        brackets = rf"|\[\s*\[{VALUE}" if pieces[0].endswith("[[") else ""
        return re.compile(labelled_numbers(labels).pattern + brackets)

    def _another(self, lines: Sequence[str]) -> str | None:
        """Return the line that looks like a conclusion among the lines of the reasoning, in any notation."""
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


_HEAD: Final = 200
_ITEM: Final = re.compile(r"\s*(?:[-*\u2022+]\s|[0-9]+[.)]\s|\|)")


def _last_pair(found: Sequence[Stated]) -> tuple[Stated, Stated] | None:
    """Return the last two scores of different labels that stand beside each other, paired from the beginning."""
    pair, waiting = None, None
    for one in found:
        if waiting is not None and waiting.label != one.label:
            pair, waiting = (waiting, one), None
        else:
            waiting = one
    return pair


def _quoted(lines: Sequence[str], stated: Sequence[Stated]) -> str:
    """Return the lines in which scores stand, for a message."""
    return " / ".join(dict.fromkeys(lines[one.line].strip() for one in stated))[:120]


def _without(lines: Sequence[str], found: Sequence[Stated]) -> list[str]:
    """Return the lines with spaces in place of the scores that were read."""
    rest = list(lines)
    for one in found:
        line = rest[one.line]
        rest[one.line] = line[: one.start] + " " * (one.end - one.start) + line[one.end :]
    return rest


def _reasoning(lines: Sequence[str], found: Sequence[Stated]) -> str:
    """Return the text without lines that do nothing but state the scores, and without what only led to them."""
    rest, gone = _without(lines, found), {one.line for one in found}
    gone = {place for place in gone if _says_nothing(rest[place])}
    for place in sorted(gone):
        above = place - 1
        while above >= 0 and above not in gone and not lines[above].strip():
            above -= 1
        if above >= 0 and lines[above].strip() and _says_nothing(lines[above]) and not lines[above].lstrip().startswith("|"):
            gone.add(above)
    kept = [line for place, line in enumerate(lines) if place not in gone and line.strip() != "```"]
    return "\n".join(kept).strip()


def _without_quotations(line: str) -> str:
    rest = without_quotations(line)
    return line if _says_nothing(rest) else rest


def _says_nothing(line: str) -> bool:
    return _AROUND.issuperset(re.findall(r"[^\W_]+", line.casefold()))


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
