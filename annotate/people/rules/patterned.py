"""Excludes annotators whose answers repeat with a period: left, right, left, right, or A, B, invalid, A, B, invalid.

Source: ours; UniSRM, appendix G.2, speaks of "abnormal behavior" and gives no test. Each answer is compared with the one a
period before, every answer in one comparison only, so that the comparisons are independent. The probability that two answers
match by chance follows from the annotator's own answer counts; only the order of the answers is tested. Items are shuffled and
the order of playing is drawn for each annotator, so honest answers have no period. An answer is the preferred position (first,
second or neither), or the ratings where there is no preference: what an annotator who does not listen can control. Constant
answers are no pattern here; the rules on position bias and on agreement find those.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from annotate.people.store.answer_arrays import UNKNOWN, Ints, annotator_codes, as_mask, preferred_positions
from annotate.people.store.rule import Finding
from contracts.bounds import Count, Share
from contracts.ids import canonical_json
from scoring.reliability.chance import Floats, at_least


@dataclass(frozen=True, kw_only=True)
class Patterned:
    """Exclude annotators whose answers repeat with a period, in at least ``min_share`` of the comparisons.

    The qualification test is left out: annotators who click through later pay attention there. Gold items are included: they
    look like other items, and without them a pattern would be shifted. An answer is left out if its place among the annotator's
    answers or the order of playing is unknown: a file of imported votes may be sorted by anything.

    Attributes:
        max_period: longest period tested, from 2 on.
        min_share: minimum share of matching comparisons. With a tenth of the answers off the pattern, 80 % still match.
        max_p: exclude only if answers in random order would match so often, in any period, with at most this probability
            (exact binomial, times the number of periods).
        min_items: an annotator with fewer answers in a known order is not checked.
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
        ids, everyone = annotator_codes(answers)
        symbols = _symbols(answers)
        work = ~as_mask(answers["qualification"]) & as_mask(pc.is_valid(answers["number"])) & (symbols != UNKNOWN)
        who, number = everyone[work], answers["number"].to_numpy()[work]
        order = np.lexsort((number, who))
        who, answer = who[order], symbols[work][order]
        items = np.bincount(who, minlength=len(ids))
        alike = _chance_alike(who, answer, items)
        seen = [_matches(who, answer, items, period) for period in range(2, self.max_period + 1)]
        chances = np.minimum(1.0, len(seen) * np.array([at_least(hits, pairs, alike) for hits, pairs in seen]))
        shares = np.array([hits / np.maximum(pairs, 1) for hits, pairs in seen])
        suspicious = np.where(shares >= self.min_share, chances, 2.0)
        # Of the periods with enough matches the least probable one; if there are none, the period with most matches.
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
    """Return an integer code per row for the answer as the annotator gave it."""
    symbols = preferred_positions(answers)
    rated = np.flatnonzero(as_mask(pc.is_null(answers["value"])))
    ratings = [canonical_json(dict(scores)) for scores in answers["scores"].take(pa.array(rated)).to_pylist()]
    symbols[rated] = UNKNOWN + 1 + np.unique(np.array(ratings, dtype=str), return_inverse=True)[1]
    return symbols


def _chance_alike(who: Ints, answer: Ints, items: Ints) -> Floats:
    """Return per annotator the probability that two of their answers, drawn at random, are the same."""
    kinds = int(answer.max(initial=0)) + 1
    counts = np.bincount(who * kinds + answer, minlength=items.size * kinds).reshape(-1, kinds)
    shares: Floats = (counts * (counts - 1)).sum(axis=1) / np.maximum(items * (items - 1), 1)
    return shares


def _matches(who: Ints, answer: Ints, items: Ints, period: int) -> tuple[Ints, Ints]:
    """Return per annotator the numbers of matching and of all comparisons; rows are in the order of the answers."""
    start = np.cumsum(items) - items
    place = np.arange(who.size) - start[who]
    earlier = np.flatnonzero((place % (2 * period) < period) & (place + period < items[who]))
    same = answer[earlier] == answer[earlier + period]
    pairs = np.bincount(who[earlier], minlength=items.size)
    return np.bincount(who[earlier[same]], minlength=items.size), pairs


PLUGIN = Patterned
