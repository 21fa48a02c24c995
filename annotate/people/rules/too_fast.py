"""Excludes annotators who answer before they can have listened and decided.

Source: UniSRM, appendix G.2 ("extremely short annotation time"), which gives no number. TTS-Arena-V2 flags annotators with more
than a fifth of votes less than a second apart. Half a second is ours: about the time to press one of two keys upon a signal,
without a judgement. A careful annotator may decide during the second clip and be faster now and then. Hence the share of fast
answers is tested, and it must be significant.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.answer_arrays import annotator_codes, as_mask
from annotate.people.store.rule import Finding
from contracts.bounds import Count, Pause, Share
from scoring.reliability.chance import at_least


@dataclass(frozen=True, kw_only=True)
class TooFast:
    """Exclude annotators who answer too soon after the audio, or before its end, on more than ``max_share`` of the items.

    Attributes:
        min_deciding_s: minimum time between the end of the required clips and the answer.
        max_share: share of answers that may be faster.
        max_p: exclude only if an annotator whose true share is ``max_share`` would have so many with at most this probability
            (exact binomial).
        min_items: an annotator with fewer answers of known times is not checked.
    """

    min_deciding_s: Pause = 0.5
    max_share: Share = 0.2
    max_p: Share = 0.001
    min_items: Count = 20

    def findings(self, answers: pa.Table) -> list[Finding]:
        """Return one finding per annotator, over all of their answers whose times are known."""
        ids, who = annotator_codes(answers)
        quick = as_mask(pc.less(answers["time_s"], pc.add(answers["audio_s"], self.min_deciding_s)))
        timed = as_mask(pc.and_(pc.is_valid(answers["time_s"]), pc.is_valid(answers["audio_s"])))
        items = np.bincount(who[timed], minlength=len(ids))
        hits = np.bincount(who[quick], minlength=len(ids))
        chances = at_least(hits, items, self.max_share)
        return [self._finding(*seen) for seen in zip(ids, items.tolist(), hits.tolist(), chances.tolist(), strict=True)]

    def _finding(self, annotator_id: str, items: int, quick: int, p: float) -> Finding:
        counted = {"items": items, "too_fast": quick, "min_deciding_s": self.min_deciding_s}
        if items < self.min_items:
            missing = {"lacking": f"{self.min_items} answers whose times are known"}
            return Finding(annotator_id=annotator_id, broken=None, evidence=counted | missing)
        broken = quick > self.max_share * items and p <= self.max_p
        thresholds = {"share": quick / items, "max_share": self.max_share, "p": p, "max_p": self.max_p}
        return Finding(annotator_id=annotator_id, broken=broken, evidence=counted | thresholds)


PLUGIN = TooFast
