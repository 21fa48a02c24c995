"""Assessment of annotators: all rules are applied to all annotators until the set of excluded ones is stable."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.answer_arrays import annotator_codes
from annotate.people.store.rule import Finding, ListenerRule, findings_of
from contracts.ids import canonical_json

Verdict = Literal["excluded", "trusted", "unchecked", "unsettled", "pardoned"]

MAX_ROUNDS: Final = 32
"""Maximum number of rounds; two or three are usual."""

_SET_ASIDE: Final = "set aside"


@dataclass(frozen=True, kw_only=True)
class AnnotatorAssessment:
    """The result of all rules for one annotator.

    Attributes:
        annotator_id: pseudonym.
        verdict: ``excluded``; ``trusted`` = at least one rule was checked and none is broken; ``unchecked`` = no rule could be
            checked; ``unsettled`` = whether a rule is broken depends on other annotators whose result depends on this one: not
            excluded, an admin should decide; ``pardoned`` = a rule is broken, and an admin has overruled it.
        rule: first broken rule, in the order of the recipe; None = none, or the annotator is not excluded.
        findings: rule -> its finding, in the order of the recipe.
    """

    annotator_id: str
    verdict: Verdict
    rule: str | None
    findings: Mapping[str, Finding]

    @property
    def evidence(self) -> str:
        """All findings as canonical JSON: rule -> ``broken`` and the numbers behind it."""
        return canonical_json({name: {"broken": found.broken, **found.evidence} for name, found in self.findings.items()})


def assess(
    answers: pa.Table, rules: Mapping[str, ListenerRule], *, pardoned: Collection[str] = frozenset()
) -> list[AnnotatorAssessment]:
    """Return one assessment per annotator, sorted by id.

    A rule may compare annotators with each other, so the result depends on who is excluded. Each round applies all rules to all
    annotators, excluded ones included; the answers of annotators excluded by the round before are discarded for all others. The
    rounds end when the excluded set repeats. An annotator who broke a rule only in comparison with bad annotators is trusted
    again by then. If the rounds end in a cycle, only those excluded in every round of the cycle stay excluded.

    Args:
        answers: table of schema ANSWERS; discarded answers count for their annotator, but not for others.
        rules: name in the recipe -> rule.
        pardoned: annotators whom no rule may exclude.

    Raises:
        DataError: an annotator answered one item twice.
    """
    ids, _ = annotator_codes(answers)
    history: list[frozenset[str]] = [frozenset()]
    while True:
        found = _all_findings(answers, ids, rules, history[-1])
        broken = _broken(found) - frozenset(pardoned)
        if broken in history or len(history) == MAX_ROUNDS:
            break
        history.append(broken)
    circle = history[history.index(broken) :] if broken in history else history[1:]
    excluded = frozenset.intersection(*circle)
    if len(circle) > 1:
        found = _all_findings(answers, ids, rules, excluded)
        excluded &= _broken(found)
    return [_assessment(annotator_id, found[annotator_id], excluded, pardoned) for annotator_id in ids]


def discard_answers(answers: pa.Table, excluded: Collection[str]) -> pa.Table:
    """Return the answers with those of some annotators discarded, so that they do not count for others."""
    outside = pc.is_in(answers["annotator_id"], value_set=pa.array(sorted(excluded), pa.string()))
    discarded = pc.if_else(outside, pc.coalesce(answers["discarded"], _SET_ASIDE), answers["discarded"])
    place = answers.column_names.index("discarded")
    return answers.set_column(place, answers.schema.field(place), discarded)


def _all_findings(
    answers: pa.Table, ids: Sequence[str], rules: Mapping[str, ListenerRule], excluded: Collection[str]
) -> dict[str, dict[str, Finding]]:
    """Return annotator -> rule -> finding, with the answers of excluded annotators discarded for all others."""
    seen = discard_answers(answers, excluded)
    found: dict[str, dict[str, Finding]] = {annotator_id: {} for annotator_id in ids}
    for name, rule in rules.items():
        for finding in findings_of(name, rule, seen):
            found[finding.annotator_id][name] = finding
    return found


def _broken(found: Mapping[str, Mapping[str, Finding]]) -> frozenset[str]:
    return frozenset(who for who, findings in found.items() if any(finding.broken for finding in findings.values()))


def _assessment(
    annotator_id: str, findings: Mapping[str, Finding], excluded: Collection[str], pardoned: Collection[str]
) -> AnnotatorAssessment:
    broken = next((name for name, finding in findings.items() if finding.broken), None)
    verdict: Verdict = "unchecked"
    if annotator_id in excluded:
        verdict = "excluded"
    elif broken is not None:
        verdict = "pardoned" if annotator_id in pardoned else "unsettled"
    elif any(finding.broken is False for finding in findings.values()):
        verdict = "trusted"
    rule = broken if verdict == "excluded" else None
    return AnnotatorAssessment(annotator_id=annotator_id, verdict=verdict, rule=rule, findings=findings)
