"""Listeners who get the gold items wrong.

Source: UniSRM, appendix G.2 ("annotators who consistently fail the gold items"), which gives no number. 70 % right after ten
gold items is the example setting of potato, an annotation tool. That alone would cost one in eighty of the listeners who get
90 % right their pay (P(X <= 6), n = 10), at each time of asking. So the share must also be too low to be the bad luck of a
careful listener.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.behaviour import Ints, Marks, annotators, gold_marks, mask
from annotate.people.store.rule import Finding
from contracts.bounds import Count, Share
from scoring.reliability.chance import at_most


@dataclass(frozen=True, kw_only=True)
class GoldAccuracy:
    """Exclude who is right on fewer than ``min_share`` of the gold items and worse than a careful listener's bad luck.

    Attributes:
        min_share: least share of right answers.
        careful_share: share that a careful listener gets right at least: some items are missed by everybody now and then.
        max_p: excluded only if a listener of ``careful_share`` had so few right with at most this chance (exact binomial).
            It is small because the rule is asked again whenever answers come in.
        min_items: fewer answers to gold items than this: not checked.
        qualification: count the answers of the qualification test too. They are left out as a rule: whoever failed it is
            not here, so they are right by selection.
        doubted_share: a gold item that fewer of its listeners than this get right is more likely wrong itself, and is
            left out; 0 = trust every gold item.
        doubted_answers: as long as it has fewer answers than this, a gold item is trusted.
    """

    min_share: Share = 0.7
    careful_share: Share = 0.9
    max_p: Share = 0.001
    min_items: Count = 10
    qualification: bool = False
    doubted_share: Share = 0.5
    doubted_answers: Count = 5

    def findings(self, answers: pa.Table) -> list[Finding]:
        """Return one finding per annotator; discarded answers do not speak against a gold item, but count for their own."""
        ids, who = annotators(answers)
        gold, right = gold_marks(answers)
        sure = gold & ~self._doubted(answers, gold, right)
        if not self.qualification:
            sure &= ~mask(answers["qualification"])
        items = np.bincount(who[sure], minlength=len(ids))
        hits = np.bincount(who[sure & right], minlength=len(ids))
        chances = at_most(hits, items, self.careful_share)
        return [self._finding(*seen) for seen in zip(ids, items.tolist(), hits.tolist(), chances.tolist(), strict=True)]

    def _doubted(self, answers: pa.Table, gold: Marks, right: Marks) -> Marks:
        items = pc.unique(answers["item_id"])
        item: Ints = np.asarray(pc.index_in(answers["item_id"], value_set=items).to_numpy(), dtype=np.int64)
        counted = gold & mask(pc.is_null(answers["discarded"]))
        heard = np.bincount(item[counted], minlength=len(items))
        hits = np.bincount(item[counted & right], minlength=len(items))
        doubted: Marks = (heard >= self.doubted_answers) & (hits < self.doubted_share * heard)
        return doubted[item]

    def _finding(self, annotator_id: str, items: int, right: int, p: float) -> Finding:
        counted = {"gold_items": items, "right": right}
        if items < self.min_items:
            return Finding(
                annotator_id=annotator_id, broken=None, evidence=counted | {"lacking": f"{self.min_items} gold items"}
            )
        broken = right < self.min_share * items and p <= self.max_p
        thresholds = {
            "share": right / items, "min_share": self.min_share, "p": p, "max_p": self.max_p,
            "careful_share": self.careful_share,
        }  # fmt: skip
        return Finding(annotator_id=annotator_id, broken=broken, evidence=counted | thresholds)


PLUGIN = GoldAccuracy
