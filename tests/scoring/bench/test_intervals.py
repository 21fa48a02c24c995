"""Bootstrap intervals against scipy's, and what groups do to them."""

import numpy as np
import pytest
from scipy import stats

from scoring.bench.intervals import correlation, mean_over_items


def test_independent_items_have_the_interval_of_scipys_bootstrap():
    values = (np.random.default_rng(5).random(300) < 0.7).astype(float)
    found = mean_over_items(values, np.arange(300), seed=1, nothing="")
    oracle = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=7).confidence_interval
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=0.01)


def test_items_of_one_group_are_no_independent_evidence():
    """Ten copies of each of thirty outcomes: the interval is that of thirty items."""
    values = (np.random.default_rng(5).random(30) < 0.6).astype(float)
    once = mean_over_items(values, np.arange(30), seed=1, nothing="")
    copied = mean_over_items(np.repeat(values, 10), np.repeat(np.arange(30), 10), seed=1, nothing="")
    assert copied.n == 300
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))


def test_the_seed_decides_the_draws():
    values, group = np.random.default_rng(2).random(50), np.arange(50)
    first, same, other = (mean_over_items(values, group, seed=seed, nothing="") for seed in (1, 1, 2))
    assert first == same
    assert (first.low, first.high) != (other.low, other.high)


def test_all_right_has_an_interval_all_the_same():
    """Wilson's for ten groups, as published for 10 of 10: .7225 to 1."""
    found = mean_over_items(np.ones(20), np.repeat(np.arange(10), 2), seed=1, nothing="")
    assert (found.value, found.n, found.high) == (1.0, 20, 1.0)
    assert found.low == pytest.approx(0.7225, abs=1e-4)


@pytest.mark.parametrize("values", [np.full(30, 2 / 3), np.tile([1.0, 1.0, 0.0], 30)])
def test_draws_that_all_come_to_the_same_have_wilsons_interval(values):
    """Two of three votes right everywhere, or two of three items of each group; on another scale there is none."""
    group = np.repeat(np.arange(30), len(values) // 30)
    found = mean_over_items(values, group, seed=1, nothing="")
    oracle = stats.binomtest(20, 30).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))
    assert mean_over_items(values * 2, group, seed=1, nothing="", is_share=False).low is None


def test_pairs_of_one_pool_have_the_spread_of_their_clips():
    """All pairs of twenty clips, some of them hard to judge: the width is the scatter over other clips, or a little more."""
    generator = np.random.default_rng(8)
    a, b = np.triu_indices(20, k=1)

    def accuracy() -> tuple[np.ndarray, float]:
        ease = generator.normal(size=20)
        right = (generator.random(len(a)) < stats.norm.cdf(0.3 + ease[a] + ease[b])).astype(float)
        return right, right.mean()

    spread = np.std([accuracy()[1] for _ in range(400)])
    found = [mean_over_items(accuracy()[0], np.stack([a, b], axis=1), seed=seed, nothing="") for seed in range(40)]
    widths = [(one.high - one.low) / (2 * 1.96) for one in found]
    assert 0.9 * spread < np.mean(widths) < 1.3 * spread
    as_if_independent = mean_over_items(accuracy()[0], np.arange(len(a)), seed=1, nothing="")
    assert np.mean(widths) > 2 * (as_if_independent.high - as_if_independent.low) / (2 * 1.96)


def test_all_pairs_of_a_pool_right_is_wilsons_for_half_of_the_clips():
    """One pair is one item."""
    one = mean_over_items(np.array([1.0]), np.array([[0, 1]]), seed=1, nothing="")
    assert one.low == pytest.approx(stats.binomtest(1, 1).proportion_ci(0.95, method="wilson").low)
    twenty = np.stack([np.arange(20), np.roll(np.arange(20), 1)], axis=1)
    assert mean_over_items(np.ones(20), twenty, seed=1, nothing="").low == pytest.approx(0.7225, abs=1e-4)


def test_one_group_has_no_interval_and_nothing_has_no_value():
    found = mean_over_items(np.array([0.0, 1.0]), np.zeros(2, dtype=int), seed=1, nothing="")
    assert (found.value, found.low, found.high) == (0.5, None, None)
    assert mean_over_items(np.array([]), np.array([], dtype=int), seed=1, nothing="no pair").why == "no pair"


def test_a_draw_of_equal_scores_has_no_correlation_and_is_left_out():
    """One score of 3 among thirty, all others 4: most of the draws without it leave dust of rounding in place of a variance."""
    truth = np.random.default_rng(6).normal(size=30)
    said = np.full(30, 4.0)
    said[0] = 3.0
    found = correlation(said, truth, np.arange(30), seed=1)
    drawn = np.random.default_rng(7).integers(0, 30, (4000, 30))
    values = [np.corrcoef(said[rows], truth[rows])[0, 1] for rows in drawn if 0 in rows]
    assert (found.low, found.high) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.02)


def test_correlation_is_scipys_with_about_its_interval():
    generator = np.random.default_rng(4)
    x = generator.normal(size=500)
    y = 0.6 * x + generator.normal(size=500)
    x[0] = np.nan
    found = correlation(x, y, np.arange(500), seed=1)
    oracle = stats.pearsonr(x[1:], y[1:])
    assert (found.value, found.n) == (pytest.approx(oracle.statistic), 499)
    interval = oracle.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.03)
