"""Excludes annotators who prefer one position, first or second, whatever is played there.

Source: UniSRM, appendix G.2 ("always selecting the left item"), which gives no number; ReSEval tests choices against a binomial
too. The order of playing is drawn for each annotator, so an honest one prefers either position in about half of the answers,
however good the systems are. People have a slight position bias. Hence the test assumes a bias of ``tolerated_share``, and the
share itself must be large.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.answer_arrays import FIRST, SECOND, annotator_codes, as_mask, preferred_positions
from annotate.people.store.rule import Finding
from contracts.bounds import Count, Share
from scoring.reliability.chance import at_least


@dataclass(frozen=True, kw_only=True)
class OneSided:
    """Exclude annotators who prefer the first clip, or the second one, in at least ``min_share`` of the answers.

    Answers for neither (a tie, an invalid pair) do not count, as in a sign test; nor do those of unknown order.

    Attributes:
        min_share: minimum share of the position preferred more often.
        tolerated_share: position bias of an honest annotator.
        max_p: exclude only if an annotator of ``tolerated_share`` would be so one-sided with at most this probability (exact
            binomial, two-sided).
        min_items: an annotator with fewer preferences is not checked, nor one with fewer than a quarter of this number in
            either order, as position and quality cannot be separated then.
    """

    min_share: Share = 0.85
    tolerated_share: Share = 0.6
    max_p: Share = 0.001
    min_items: Count = 20

    def findings(self, answers: pa.Table) -> list[Finding]:
        """Return one finding per annotator, over all preferences, gold items included: their order is drawn too."""
        ids, who = annotator_codes(answers)
        place = preferred_positions(answers)
        preference = (place == FIRST) | (place == SECOND)
        as_stored = as_mask(pc.equal(answers["order"], "ab"))
        items = np.bincount(who[preference], minlength=len(ids))
        first = np.bincount(who[place == FIRST], minlength=len(ids))
        in_ab = np.bincount(who[preference & as_stored], minlength=len(ids))
        chances = np.minimum(1.0, 2 * at_least(np.maximum(first, items - first), items, self.tolerated_share))
        columns = (items.tolist(), first.tolist(), np.minimum(in_ab, items - in_ab).tolist(), chances.tolist())
        return [self._finding(*seen) for seen in zip(ids, *columns, strict=True)]

    def _finding(self, annotator_id: str, items: int, first: int, in_rarer_order: int, p: float) -> Finding:
        counted = {"preferences": items, "first": first, "second": items - first}
        if items < self.min_items:
            missing = f"{self.min_items} preferences in a known order of playing"
        elif in_rarer_order < self.min_items // 4:
            missing = f"{self.min_items // 4} preferences in either order of playing"
        else:
            most = max(first, items - first)
            broken = most >= self.min_share * items and p <= self.max_p
            thresholds = {
                "share": most / items, "min_share": self.min_share, "p": p, "max_p": self.max_p,
                "tolerated_share": self.tolerated_share,
            }  # fmt: skip
            return Finding(annotator_id=annotator_id, broken=broken, evidence=counted | thresholds)
        return Finding(annotator_id=annotator_id, broken=None, evidence=counted | {"lacking": missing})


PLUGIN = OneSided
