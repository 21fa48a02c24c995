"""Listeners whose answers repeat with a period: left, right, left, right, or A, B, invalid, A, B, invalid.

Source: ours; UniSRM, appendix G.2, speaks of "abnormal behavior" and gives no test. Each answer is compared with the one a
period before, every answer in one comparison only, so that the comparisons are independent. How often two of a
listener's answers are the same by chance follows from their own counts; what stands out is the order alone. Items come shuffled
and the order of playing is drawn for each listener, so honest answers have none. An answer is the place preferred, first,
second or neither, or where there is no preference to give, the ratings: what a listener who does not listen can steer. One and
the same answer throughout is no pattern by this measure: ``one_sided`` and ``peer_agreement`` see it.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from annotate.people.store.behaviour import UNKNOWN, Ints, annotators, mask, places
from annotate.people.store.rule import Finding
from contracts.bounds import Count, Share
from contracts.ids import canonical_json
from scoring.reliability.chance import Floats, at_least


@dataclass(frozen=True, kw_only=True)
class Patterned:
    """Exclude whose answers repeat with a period, in at least ``min_share`` of the comparisons.

    The qualification test is left out: whoever clicks through the work pays attention there. Gold items stay: they look like
    any other, a pattern goes on through them, and leaving them out would put it out of step. An answer does not count if it is
    unknown when it was given among the others, or which clip of a preference was played first: a file of imported votes may
    be sorted by anything.

    Attributes:
        max_period: longest period looked for, from 2 on.
        min_share: share of comparisons that match. A listener who slips in a tenth of the answers still matches in 80 %.
        max_p: excluded only if answers in random order match so often, in any of the periods, with at most this chance (exact
            binomial, times the number of periods).
        min_items: fewer answers in a known order than this: not checked.
    """

    max_period: Annotated[int, Field(ge=2, le=1000)] = 6
    min_share: Share = 0.8
    max_p: Share = 0.001
    min_items: Count = 30

    def __post_init__(self) -> None:
        if self.max_period < 2 or self.min_items < 2 * self.max_period:
            raise ValueError(
                f"max_period must be at least 2 and min_items twice as much, got {self.max_period} and {self.min_items}"
            )

    def findings(self, answers: pa.Table) -> list[Finding]:
        """Return one finding per annotator."""
        ids, everyone = annotators(answers)
        symbols = _symbols(answers)
        work = ~mask(answers["qualification"]) & mask(pc.is_valid(answers["number"])) & (symbols != UNKNOWN)
        who, number = everyone[work], answers["number"].to_numpy()[work]
        order = np.lexsort((number, who))
        who, answer = who[order], symbols[work][order]
        items = np.bincount(who, minlength=len(ids))
        alike = _chance_alike(who, answer, items)
        seen = [_matches(who, answer, items, period) for period in range(2, self.max_period + 1)]
        chances = np.minimum(1.0, len(seen) * np.array([at_least(hits, pairs, alike) for hits, pairs in seen]))
        shares = np.array([hits / np.maximum(pairs, 1) for hits, pairs in seen])
        suspicious = np.where(shares >= self.min_share, chances, 2.0)
        # The least likely of the periods that match often enough; where none does, the one that matches most.
        chosen = np.where(suspicious.min(axis=0) < 2.0, suspicious.argmin(axis=0), shares.argmax(axis=0))
        found = []
        for place, annotator_id in enumerate(ids):
            period = chosen[place]
            share, p = float(shares[period, place]), float(chances[period, place])
            evidence: dict[str, Any] = {"items": int(items[place])}
            broken = None
            if items[place] < self.min_items:
                evidence["lacking"] = f"{self.min_items} answers in a known order"
            elif alike[place] == 1.0:
                evidence["lacking"] = "two different answers"
            else:
                broken = share >= self.min_share and p <= self.max_p
                evidence |= {"period": int(period) + 2, "share": share, "min_share": self.min_share}
                evidence |= {"chance_share": float(alike[place]), "p": p, "max_p": self.max_p}
            found.append(Finding(annotator_id=annotator_id, broken=broken, evidence=evidence))
        return found


def _symbols(answers: pa.Table) -> Ints:
    """Return a number per row that stands for the answer as the listener gave it."""
    symbols = places(answers)
    rated = np.flatnonzero(mask(pc.is_null(answers["value"])))
    ratings = [canonical_json(dict(scores)) for scores in answers["scores"].take(pa.array(rated)).to_pylist()]
    symbols[rated] = UNKNOWN + 1 + np.unique(np.array(ratings, dtype=str), return_inverse=True)[1]
    return symbols


def _chance_alike(who: Ints, answer: Ints, items: Ints) -> Floats:
    """Return per annotator the chance that two of their answers, drawn without order, are the same."""
    kinds = int(answer.max(initial=0)) + 1
    counts = np.bincount(who * kinds + answer, minlength=items.size * kinds).reshape(-1, kinds)
    shares: Floats = (counts * (counts - 1)).sum(axis=1) / np.maximum(items * (items - 1), 1)
    return shares


def _matches(who: Ints, answer: Ints, items: Ints, period: int) -> tuple[Ints, Ints]:
    """Return per annotator how many comparisons match and how many there are; rows lie in the order answered."""
    start = np.cumsum(items) - items
    place = np.arange(who.size) - start[who]
    earlier = np.flatnonzero((place % (2 * period) < period) & (place + period < items[who]))
    same = answer[earlier] == answer[earlier + period]
    pairs = np.bincount(who[earlier], minlength=items.size)
    return np.bincount(who[earlier[same]], minlength=items.size), pairs


PLUGIN = Patterned
