"""Errors by the gap of the ratings."""

import numpy as np
import pandas as pd

from scoring.bench.gap_bins import accuracy_on_small_gaps, errors_by_gap, percentile_bins
from tests.scoring.bench.judged import pairs_of


def test_bins_are_pandas_deciles_within_each_source():
    generator = np.random.default_rng(1)
    gap, source = generator.random(200), np.repeat(["bvcc", "somos"], 100).tolist()
    frame = pd.DataFrame({"gap": gap, "source": source})
    oracle = frame.groupby("source")["gap"].transform(lambda one: pd.qcut(one, 10, labels=False))
    assert percentile_bins(gap, source).tolist() == oracle.tolist()


def test_equal_gaps_make_bins_of_equal_size_all_the_same():
    """Ratings come in steps, so that many gaps are equal."""
    assert np.bincount(percentile_bins(np.full(50, 0.5), ["somos"] * 50)).tolist() == [5] * 10


def test_a_small_source_has_no_bins():
    assert percentile_bins(np.arange(9.0), ["somos"] * 9).tolist() == [-1] * 9


def test_errors_fall_as_the_gap_widens():
    """A judge that is wrong on the smaller half alone."""
    gap = np.arange(40) / 10
    pairs = pairs_of([1] * 40, np.where(gap < 2, -1, 1))
    found = {
        int(one.of["gap_bin"]): one.measure.value for one in errors_by_gap(pairs, gap, ["a"] * 40, seed=1) if len(one.of) == 1
    }
    assert found == {number: float(number <= 5) for number in range(1, 11)}


def test_small_gaps_are_at_most_a_half_and_below_a_fifth():
    """MOS-RMBench: 4.7 - 4.2 is not .5 in floating point, and belongs to it; .2 is not below .2."""
    gap = np.array([4.7 - 4.2, 0.2, 4.1 - 4.0, 0.6])
    pairs = pairs_of([1, 1, 1, 1], [1, -1, 1, 1])
    found = {one.of["gap"]: one.measure for one in accuracy_on_small_gaps(pairs, gap, ["a"] * 4, seed=1) if len(one.of) == 1}
    assert {name: (round(measure.value, 3), measure.n) for name, measure in found.items()} == {
        "<= 0.5": (0.667, 3),
        "< 0.2": (1.0, 1),
    }
