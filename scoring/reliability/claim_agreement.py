"""How far people agree with claims that they did not make: labels, or critiques.

Source: MOS-RMBench, appendix C.1: four people agree with 82 % of the labels of 100 pairs, and with 70 % of 100 critiques.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.rng import generator_for
from scoring.reliability.measures import CONFIDENCE, Measure, share

_RESAMPLES: Final = 2000
_NOTHING: Final = "no vote takes a side"


@dataclass(frozen=True, kw_only=True)
class ClaimAgreement:
    """Agreement of votes with claims.

    Attributes:
        votes: share of the votes with a side that agree. The interval is a percentile bootstrap over claims, as votes on one
            claim are not independent of each other.
        majorities: share of the claims with a majority whose majority agrees; score interval.
        claims: claims that were voted on.
        undecided: claims without a majority.
        without_side: votes that take no side.
    """

    votes: Measure
    majorities: Measure
    claims: int
    undecided: int
    without_side: int


def claim_agreement(votes: Mapping[str, Sequence[bool | None]], *, seed: int) -> ClaimAgreement:
    """Return how far votes agree with claims.

    Args:
        votes: claim -> whether each vote on it agrees; None = the vote takes no side.
        seed: decides the resamples.
    """
    claims = sorted(votes)
    given = np.array([sum(vote is not None for vote in votes[claim]) for claim in claims], np.int64)
    right = np.array([sum(vote is True for vote in votes[claim]) for claim in claims], np.int64)
    decided = 2 * right != given
    majorities = share(int((2 * right > given)[decided].sum()), int(decided.sum()), nothing=_NOTHING)
    return ClaimAgreement(
        votes=_share_of_votes(right, given, seed),
        majorities=majorities,
        claims=len(claims),
        undecided=int((~decided).sum()),
        without_side=sum(len(cast) for cast in votes.values()) - int(given.sum()),
    )


def _share_of_votes(right: np.ndarray, given: np.ndarray, seed: int) -> Measure:
    if not given.sum():
        return Measure.undefined(_NOTHING)
    draws = generator_for(seed, "label agreement", "").multinomial(len(given), np.full(len(given), 1 / len(given)), _RESAMPLES)
    drawn = draws @ given
    shares = (draws @ right)[drawn > 0] / drawn[drawn > 0]
    low, high = np.quantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Measure(value=float(right.sum() / given.sum()), n=int(given.sum()), low=float(low), high=float(high))
