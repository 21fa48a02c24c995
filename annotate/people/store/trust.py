"""Whom to trust: all rules asked about all listeners, until excluding one changes nothing about another."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.behaviour import annotators
from annotate.people.store.rule import Finding, ListenerRule
from contracts.ids import canonical_json

Verdict = Literal["excluded", "trusted", "unchecked", "unsettled", "pardoned"]

MAX_ROUNDS: Final = 32
"""Rounds of asking; two or three are usual."""

_SET_ASIDE: Final = "set aside"


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What all rules together say of one listener.

    Attributes:
        annotator_id: pseudonym.
        verdict: ``excluded``; ``trusted`` = checked and nothing broken; ``unchecked`` = no rule could be checked, which is no
            blame; ``unsettled`` = breaks a rule or not, depending on whether others are trusted whose own case depends on
            this one: not excluded, a person should look; ``pardoned`` = breaks a rule, and a person overruled it.
        rule: first broken rule, in the order of the recipe; None = none, or it excludes nobody.
        findings: rule -> what it says, in the order of the recipe.
    """

    annotator_id: str
    verdict: Verdict
    rule: str | None
    findings: Mapping[str, Finding]

    @property
    def evidence(self) -> str:
        """All findings as canonical JSON: rule -> ``broken`` and the numbers behind it."""
        said = {name: {"broken": finding.broken, **finding.evidence} for name, finding in self.findings.items()}
        return canonical_json(said)


def assess(
    answers: pa.Table, rules: Mapping[str, ListenerRule], *, pardoned: Collection[str] = frozenset()
) -> list[Assessment]:
    """Return one assessment per annotator, sorted by id.

    A rule may compare listeners with each other, so whom to exclude depends on who is excluded. Each round asks all rules about
    everybody, the excluded included, with the answers of those excluded so far counting for nobody else. It ends when the
    excluded stay the same: whoever seemed wrong only beside bad company is back by then. If the rounds go in a circle, only
    those are excluded who were so all the way round.

    Args:
        answers: table of schema ANSWERS; discarded answers are their listener's, but count for nobody else.
        rules: name in the recipe -> rule.
        pardoned: annotators whom no rule excludes any more.

    Raises:
        DataError: an annotator answered one item twice.
    """
    ids, _ = annotators(answers)
    history: list[frozenset[str]] = [frozenset()]
    while True:
        found = _ask(answers, ids, rules, history[-1])
        broken = _broken(found) - frozenset(pardoned)
        if broken in history or len(history) == MAX_ROUNDS:
            break
        history.append(broken)
    circle = history[history.index(broken) :] if broken in history else history[1:]
    excluded = frozenset.intersection(*circle)
    if len(circle) > 1:
        found = _ask(answers, ids, rules, excluded)
        excluded &= _broken(found)
    return [_assessment(annotator_id, found[annotator_id], excluded, pardoned) for annotator_id in ids]


def set_aside(answers: pa.Table, excluded: Collection[str]) -> pa.Table:
    """Return the answers with those of some annotators discarded, so that they count for nobody else."""
    outside = pc.is_in(answers["annotator_id"], value_set=pa.array(sorted(excluded), pa.string()))
    discarded = pc.if_else(outside, pc.coalesce(answers["discarded"], _SET_ASIDE), answers["discarded"])
    place = answers.column_names.index("discarded")
    return answers.set_column(place, answers.schema.field(place), discarded)


def _ask(
    answers: pa.Table, ids: Sequence[str], rules: Mapping[str, ListenerRule], excluded: Collection[str]
) -> dict[str, dict[str, Finding]]:
    """Return what every rule says of every annotator while the answers of some count for nobody else."""
    seen = set_aside(answers, excluded)
    found: dict[str, dict[str, Finding]] = {annotator_id: {} for annotator_id in ids}
    for name, rule in rules.items():
        for finding in rule.findings(seen):
            found[finding.annotator_id][name] = finding
    return found


def _broken(found: Mapping[str, Mapping[str, Finding]]) -> frozenset[str]:
    return frozenset(who for who, said in found.items() if any(finding.broken for finding in said.values()))


def _assessment(
    annotator_id: str, findings: Mapping[str, Finding], excluded: Collection[str], pardoned: Collection[str]
) -> Assessment:
    broken = next((name for name, finding in findings.items() if finding.broken), None)
    verdict: Verdict = "unchecked"
    if annotator_id in excluded:
        verdict = "excluded"
    elif broken is not None:
        verdict = "pardoned" if annotator_id in pardoned else "unsettled"
    elif any(finding.broken is False for finding in findings.values()):
        verdict = "trusted"
    rule = broken if verdict == "excluded" else None
    return Assessment(annotator_id=annotator_id, verdict=verdict, rule=rule, findings=findings)
