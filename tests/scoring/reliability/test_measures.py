"""Measures against published examples, scipy and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from scoring.reliability.measures import kappa, mean, pearson, share, spearman


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_printed(successes, n, low, high):
    """The four examples of Newcombe 1998 (Statistics in Medicine 17, 857-872), Table I, method 3."""
    found = share(successes, n, nothing="")
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [1, 20, 5000])
def test_the_interval_of_all_or_nothing_ends_there(n):
    """Rounding puts no end of an interval outside [0, 1] nor beside a share of 0 or 1."""
    nothing, everything = share(0, n, nothing=""), share(n, n, nothing="")
    assert (nothing.low, everything.high) == (0.0, 1.0)


def test_a_share_of_nothing_is_undefined():
    """No trials: no value, and the reason."""
    assert share(0, 0, nothing="nobody was asked").value is None
    assert share(0, 0, nothing="nobody was asked").why == "nobody was asked"
    assert share(1, 4, nothing="").value == 0.25


def pairs_of(table):
    """Return two lists of categories that have this contingency table."""
    cells = [(row, column) for row, line in enumerate(table) for column, n in enumerate(line) for _ in range(n)]
    return np.array([row for row, _ in cells]), np.array([column for _, column in cells])


@pytest.mark.parametrize(
    ("table", "expected"),
    [([[20, 5], [10, 15]], 0.4), ([[45, 15], [25, 15]], 0.1304), ([[25, 35], [5, 35]], 0.2593)],
)
def test_kappa_as_printed(table, expected):
    """The worked examples of Wikipedia's article on Cohen's kappa: grant readers, and the same p_o with other margins."""
    found = kappa(*pairs_of(table))
    assert found.value == pytest.approx(expected, abs=5e-5)
    assert found.n == sum(map(sum, table))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=60))
def test_kappa_as_scikit_learn(cases):
    """Same as scikit-learn's; where both sides are one constant it is undefined and says so, instead of NaN."""
    first, second = np.array(cases).T
    found = kappa(first, second)
    if len({*first.tolist(), *second.tolist()}) == 1:
        assert found.value is None
        assert "one and the same verdict" in found.why
    else:
        assert found.value == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
        assert kappa(second, first).value == pytest.approx(found.value, abs=1e-12)


def test_kappa_of_nothing():
    """No pairs: no value, and the reason."""
    assert kappa(np.array([], dtype=np.int64), np.array([], dtype=np.int64)).why == "no pair has a verdict of both"


def test_pearson_as_printed():
    """Anscombe's first data set (1973, The American Statistician 27, 17-21) has r = 0.816."""
    x = np.array([10.0, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5])
    y = np.array([8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68])
    assert pearson(x, y).value == pytest.approx(0.816, abs=5e-4)


def test_spearman_as_printed():
    """Wikipedia's example, IQ against hours of television: rho = -29/165."""
    iq = np.array([106.0, 100, 86, 101, 99, 103, 97, 113, 112, 110])
    hours = np.array([7.0, 27, 2, 50, 28, 29, 20, 12, 6, 17])
    assert spearman(iq, hours).value == pytest.approx(-29 / 165)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=2, max_size=40))
def test_correlations_as_scipy(cases):
    """With ties, as scores have them; scores that are not there are left out; a constant has no correlation."""
    first, second = np.array(cases, dtype=np.float64).T
    gap = np.array([np.nan, 3.0])
    found = [measure(np.append(first, gap), np.append(second, gap[::-1])) for measure in (pearson, spearman)]
    assert [measure.n for measure in found] == [len(cases)] * 2
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert [measure.value for measure in found] == [None, None]
        assert found[0].why == "all scores of one judge are equal"
    else:
        assert found[0].value == pytest.approx(stats.pearsonr(first, second).statistic, abs=1e-9)
        assert found[1].value == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-9)


def test_too_few_to_correlate():
    """One common score has no correlation."""
    assert pearson(np.array([1.0, np.nan]), np.array([2.0, 3.0])).why == "fewer than two scores of both"


def test_mean_leaves_out_what_is_not_there():
    """NaN is not scored, and not zero."""
    found = mean(np.array([1.0, np.nan, 4.0]), nothing="none")
    assert (found.value, found.n) == (2.5, 2)
    assert mean(np.array([np.nan]), nothing="none").why == "none"
