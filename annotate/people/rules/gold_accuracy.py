"""Excludes annotators who get the gold items wrong.

Source: UniSRM, appendix G.2 ("annotators who consistently fail the gold items"), which gives no number. 70 % right after ten
gold items is the example setting of potato, an annotation tool. That threshold alone would exclude one in eighty annotators
whose true share is 90 % (P(X <= 6), n = 10), at each application of the rule. So the share must also be significantly below
that of a careful annotator.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.answer_arrays import Ints, Mask, annotator_codes, as_mask, gold_masks
from annotate.people.store.rule import Finding
from contracts.bounds import Count, Share
from scoring.reliability.chance import at_most


@dataclass(frozen=True, kw_only=True)
class GoldAccuracy:
    """Exclude annotators below ``min_share`` on gold items and significantly below a careful annotator.

    Attributes:
        min_share: minimum share of right answers.
        careful_share: share of right answers of a careful annotator, who also misses an item now and then.
        max_p: exclude only if an annotator of ``careful_share`` would have so few right with at most this probability (exact
            binomial). It is small because the rule is applied again whenever answers arrive.
        min_items: an annotator with fewer answers to gold items is not checked.
        qualification: also count the answers of the qualification test. The default leaves them out: those who failed the
            test take no part, so the remaining answers are right by selection.
        doubted_share: a gold item that a smaller share of annotators get right is probably wrong itself, and is left out;
            0 = trust every gold item.
        doubted_answers: a gold item with fewer answers is trusted.
    """

    min_share: Share = 0.7
    careful_share: Share = 0.9
    max_p: Share = 0.001
    min_items: Count = 10
    qualification: bool = False
    doubted_share: Share = 0.5
    doubted_answers: Count = 5

    def findings(self, answers: pa.Table) -> list[Finding]:
        """Return one finding per annotator; discarded answers count for their annotator, but cast no doubt on a gold item."""
        ids, who = annotator_codes(answers)
        gold, right = gold_masks(answers)
        sure = gold & ~self._doubted(answers, gold, right)
        if not self.qualification:
            sure &= ~as_mask(answers["qualification"])
        items = np.bincount(who[sure], minlength=len(ids))
        hits = np.bincount(who[sure & right], minlength=len(ids))
        chances = at_most(hits, items, self.careful_share)
        return [self._finding(*seen) for seen in zip(ids, items.tolist(), hits.tolist(), chances.tolist(), strict=True)]

    def _doubted(self, answers: pa.Table, gold: Mask, right: Mask) -> Mask:
        items = pc.unique(answers["item_id"])
        item: Ints = np.asarray(pc.index_in(answers["item_id"], value_set=items).to_numpy(), dtype=np.int64)
        counted = gold & as_mask(pc.is_null(answers["discarded"]))
        answers_of_item = np.bincount(item[counted], minlength=len(items))
        hits = np.bincount(item[counted & right], minlength=len(items))
        doubted: Mask = (answers_of_item >= self.doubted_answers) & (hits < self.doubted_share * answers_of_item)
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
