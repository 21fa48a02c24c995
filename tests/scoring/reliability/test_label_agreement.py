"""Agreement of votes with labels."""

import numpy as np
import pytest
from scipy.stats import bootstrap, norm

from scoring.reliability.label_agreement import label_agreement


def test_votes_and_majorities_are_counted_apart():
    """Two of three, one of two (no majority), none of one; a vote without a side is no disagreement."""
    sides = {"p1": ["a", "a", "b"], "p2": ["a", "b"], "p3": ["a", None], "p4": [None]}
    found = label_agreement(sides, {"p1": "a", "p2": "a", "p3": "b", "p4": "a"}, seed=0)
    assert (found.votes.value, found.votes.n) == (3 / 6, 6)
    assert (found.majorities.value, found.majorities.n) == (1 / 2, 2)
    assert (found.pairs, found.undecided, found.without_side) == (4, 2, 2)


def test_the_interval_is_that_of_scipy():
    """Scipy's percentile bootstrap of the ratio of two sums, on as many votes as in the paper."""
    draws = np.random.default_rng(0)
    right = draws.binomial(4, np.clip(draws.normal(0.82, 0.2, 100), 0, 1))
    sides = {f"p{n:03}": ["a"] * count + ["b"] * (4 - count) for n, count in enumerate(right.tolist())}
    found = label_agreement(sides, dict.fromkeys(sides, "a"), seed=1).votes
    other = bootstrap(
        (right / 4,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.01)
    assert found.high - found.low > 2 * norm.ppf(0.975) * np.sqrt(found.value * (1 - found.value) / 400)


def test_without_votes_there_is_no_agreement():
    found = label_agreement({}, {}, seed=0)
    assert found.votes.value is None
    assert found.majorities.value is None
    assert label_agreement({"p": [None]}, {"p": "a"}, seed=0).votes.why == "no vote prefers a clip"
