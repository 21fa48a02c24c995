"""Excludes annotators who agree with the others too rarely.

Source: SpeechJudge, appendix B.1: the agreement rate R_i; annotators of fewer than 10 items are not rated, and one below 30 %
was removed. There each of the 69 rated thousands of pairs. After ten pairs, an annotator whose true rate is 50 % is below 30 %
by chance one time in twenty, and on code-switched pairs, where two agree in 36 % (SpeechJudge, Table 5), far more often. So a
low rate counts only if it is improbable for a typical annotator on items of the same languages.

A threshold of 30 % does not find random answers in a form of two options, as half of them agree. ``min_skill``, which is ours,
does.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from annotate.people.store.peer_statistics import PeerComparison, compare_with_peers
from annotate.people.store.rule import Finding
from contracts.bounds import Count, Share
from scoring.reliability.agreement_levels import MIN_ITEMS, MIN_RATE
from scoring.reliability.chance import mean_at_most


@dataclass(frozen=True, kw_only=True)
class PeerAgreement:
    """Exclude annotators whose agreement with the others is too low, and significantly below that of a typical annotator.

    Attributes:
        min_items: an annotator is not checked with fewer items that others answered too, nor with fewer items that two others
            answered, as a disagreement does not show who is wrong then.
        min_rate: minimum agreement rate.
        min_skill: minimum skill, the rate rescaled so that chance agreement is 0 and the expected rate 1; 0 = no minimum.
        max_p: exclude only if a typical annotator would have such a rate with at most this probability (normal
            approximation).
    """

    min_items: Count = MIN_ITEMS
    min_rate: Share = MIN_RATE
    min_skill: Share = 0.25
    max_p: Share = 0.0001

    def findings(self, answers: pa.Table) -> list[Finding]:
        """Return one finding per annotator, over ordinary answers; no answer is compared with a discarded one.

        Raises:
            DataError: an annotator answered one item twice.
        """
        return [self._finding(one) for one in compare_with_peers(answers, min_items=self.min_items)]

    def _finding(self, one: PeerComparison) -> Finding:
        evidence: dict[str, Any] = {"items": one.items, "rate": one.rate, "min_rate": self.min_rate}
        if one.rate is None:
            evidence["lacking"] = f"{self.min_items} items that somebody else answered too"
            return Finding(annotator_id=one.annotator_id, broken=None, evidence=evidence)
        if one.expected is None:
            evidence["lacking"] = f"{self.min_items} items that two others answered"
            return Finding(annotator_id=one.annotator_id, broken=None, evidence=evidence)
        gain = one.expected - one.chance
        skill = (one.rate - one.chance) / gain if gain > 0 else None
        low = one.rate < self.min_rate or (skill is not None and skill < self.min_skill)
        p = mean_at_most(one.rate, one.items, one.expected, one.std)
        evidence |= {"expected": one.expected, "chance": one.chance, "skill": skill, "min_skill": self.min_skill}
        evidence |= {"p": p, "max_p": self.max_p}
        return Finding(annotator_id=one.annotator_id, broken=low and p <= self.max_p, evidence=evidence)


PLUGIN = PeerAgreement
