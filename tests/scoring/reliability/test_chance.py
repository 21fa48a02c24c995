"""Tails of the binomial against fractions and scipy's own test, and the tail of a mean against a simulation."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from scoring.reliability.chance import at_least, at_most, mean_at_most


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 20))
def test_tails_are_exact(hits, more, twentieths):
    """Both tails are what adding up fractions gives, from no trial to chances of 0 and 1."""
    trials, share = hits + more, Fraction(twentieths, 20)
    chances = [comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(trials + 1)]
    assert float(at_least(hits, trials, float(share))) == pytest.approx(float(sum(chances[hits:])), rel=1e-9, abs=1e-15)
    assert float(at_most(hits, trials, float(share))) == pytest.approx(float(sum(chances[: hits + 1])), rel=1e-9, abs=1e-15)


def test_tails_are_those_of_the_binomial_test():
    """Arrays give row by row what scipy's one-sided tests give."""
    hits, trials = np.array([0, 3, 18, 97]), np.array([5, 20, 20, 100])
    for found, side in ((at_least, "greater"), (at_most, "less")):
        expected = [binomtest(int(k), int(n), 0.6, alternative=side).pvalue for k, n in zip(hits, trials, strict=True)]
        assert found(hits, trials, 0.6) == pytest.approx(expected)


def test_mean_at_most():
    """The tail of a mean of shares of agreement is about that of a simulation."""
    draw = np.random.default_rng(1)
    likely = {0.0: 0.2, 0.5: 0.4, 1.0: 0.4}
    means = draw.choice(list(likely), (40_000, 60), p=list(likely.values())).mean(axis=1)
    spread = float(np.sqrt(0.4 * 0.25 + 0.4 - 0.6**2))
    for low in (0.5, 0.48, 0.55):
        assert mean_at_most(low, 60, 0.6, spread) == pytest.approx(float((means <= low).mean()), rel=0.25)
    assert mean_at_most(0.4, 10, 0.5, 0.0) == 0.0
    assert mean_at_most(0.5, 10, 0.5, 0.0) == mean_at_most(0.1, 0, 0.5, 0.3) == 1.0
