"""How far people agree with labels that they did not make (MOS-RMBench, appendix C.1: 82 % of four people on 100 pairs)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.rng import generator_for
from scoring.reliability.measures import CONFIDENCE, Measure, share

_RESAMPLES: Final = 2000
_NOTHING: Final = "no vote prefers a clip"


@dataclass(frozen=True, kw_only=True)
class LabelAgreement:
    """Agreement of votes with labels.

    Attributes:
        votes: share of the votes with a side that chose the label's. The interval is a percentile bootstrap over pairs, as
            votes on one pair are not independent of each other.
        majorities: share of the pairs with a majority whose majority chose the label's; score interval.
        pairs: pairs that were voted on.
        undecided: pairs without a majority.
        without_side: votes that prefer none of the two.
    """

    votes: Measure
    majorities: Measure
    pairs: int
    undecided: int
    without_side: int


def label_agreement(sides: Mapping[str, Sequence[str | None]], labels: Mapping[str, str], *, seed: int) -> LabelAgreement:
    """Return how far votes agree with labels.

    Args:
        sides: pair -> side that each vote on it prefers, ``a`` or ``b``; None = none of the two.
        labels: pair -> label, ``a`` or ``b``, of all these pairs.
        seed: decides the resamples.
    """
    pairs = sorted(sides)
    given = np.array([sum(side is not None for side in sides[pair]) for pair in pairs], np.int64)
    right = np.array([sum(side == labels[pair] for side in sides[pair]) for pair in pairs], np.int64)
    decided = 2 * right != given
    majorities = share(int((2 * right > given)[decided].sum()), int(decided.sum()), nothing=_NOTHING)
    return LabelAgreement(
        votes=_share_of_votes(right, given, seed),
        majorities=majorities,
        pairs=len(pairs),
        undecided=int((~decided).sum()),
        without_side=sum(len(cast) for cast in sides.values()) - int(given.sum()),
    )


def _share_of_votes(right: np.ndarray, given: np.ndarray, seed: int) -> Measure:
    if not given.sum():
        return Measure.undefined(_NOTHING)
    draws = generator_for(seed, "label agreement", "").multinomial(len(given), np.full(len(given), 1 / len(given)), _RESAMPLES)
    drawn = draws @ given
    shares = (draws @ right)[drawn > 0] / drawn[drawn > 0]
    low, high = np.quantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Measure(value=float(right.sum() / given.sum()), n=int(given.sum()), low=float(low), high=float(high))
