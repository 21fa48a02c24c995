"""Listeners who agree with the others too rarely.

Source: SpeechJudge, appendix B.1: the agreement rate R_i; annotators of fewer than 10 items are not rated, and one below 30 %
was removed. There each of the 69 rated thousands of pairs. After ten, a listener who truly agrees in half of them is below 30 %
by bad luck one time in twenty, and on code-switched pairs, where two agree in 36 % (SpeechJudge, Table 5), far more often. So a
low rate counts only if it is too low for somebody who is like the others, on items of the same languages.

Thirty per cent say nothing about a guesser where there are two answers: half of theirs agree. ``min_skill`` is ours, for them.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from annotate.people.store.peers import Standing, standings
from annotate.people.store.rule import Finding
from contracts.bounds import Count, Share
from scoring.reliability.agreement_levels import MIN_ITEMS, MIN_RATE
from scoring.reliability.chance import mean_at_most


@dataclass(frozen=True, kw_only=True)
class PeerAgreement:
    """Exclude who agrees with the others on too few items, more rarely than bad luck explains.

    Attributes:
        min_items: fewer items that somebody else answered too: not rated. Likewise if fewer items have answers of two others,
            for then a disagreement does not say who is wrong.
        min_rate: a lower rate is too low.
        min_skill: too low, too, is a rate so far down from what is expected (skill 1) towards what guessing gives (skill
            0); 0 = only the rate matters.
        max_p: excluded only if somebody who agrees with the others as they do with each other had such a rate with at most
            this chance (normal approximation).
    """

    min_items: Count = MIN_ITEMS
    min_rate: Share = MIN_RATE
    min_skill: Share = 0.25
    max_p: Share = 0.0001

    def findings(self, answers: pa.Table) -> list[Finding]:
        """Return one finding per annotator, over their ordinary answers; nobody is compared with a discarded one.

        Raises:
            DataError: an annotator answered one item twice.
        """
        return [self._finding(standing) for standing in standings(answers, min_items=self.min_items)]

    def _finding(self, one: Standing) -> Finding:
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
        p = mean_at_most(one.rate, one.items, one.expected, one.spread)
        evidence |= {"expected": one.expected, "chance": one.chance, "skill": skill, "min_skill": self.min_skill}
        evidence |= {"p": p, "max_p": self.max_p}
        return Finding(annotator_id=one.annotator_id, broken=low and p <= self.max_p, evidence=evidence)


PLUGIN = PeerAgreement
