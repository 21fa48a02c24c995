"""Agreement of votes with claims."""

import numpy as np
import pytest
from scipy.stats import bootstrap, norm

from scoring.reliability.claim_agreement import claim_agreement


def test_votes_and_majorities_are_counted_apart():
    """Two of three, one of two (no majority), none of one; a vote without a side is no disagreement."""
    votes = {"p1": [True, True, False], "p2": [True, False], "p3": [False, None], "p4": [None]}
    found = claim_agreement(votes, seed=0)
    assert (found.votes.value, found.votes.n) == (3 / 6, 6)
    assert (found.majorities.value, found.majorities.n) == (1 / 2, 2)
    assert (found.claims, found.undecided, found.without_side) == (4, 2, 2)


def test_the_interval_is_that_of_scipy():
    """Scipy's percentile bootstrap of the ratio of two sums, on as many votes as in the paper."""
    draws = np.random.default_rng(0)
    right = draws.binomial(4, np.clip(draws.normal(0.82, 0.2, 100), 0, 1))
    votes = {f"p{n:03}": [True] * count + [False] * (4 - count) for n, count in enumerate(right.tolist())}
    found = claim_agreement(votes, seed=1).votes
    other = bootstrap(
        (right / 4,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.01)
    assert found.high - found.low > 2 * norm.ppf(0.975) * np.sqrt(found.value * (1 - found.value) / 400)


def test_without_votes_there_is_no_agreement():
    found = claim_agreement({}, seed=0)
    assert found.votes.value is None
    assert found.majorities.value is None
    assert claim_agreement({"p": [None]}, seed=0).votes.why == "no vote takes a side"
