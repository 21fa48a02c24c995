"""Measures of reliability as plain numbers: shares with their interval, chance-corrected agreement, correlation.

A measure that cannot be computed has a reason instead of a value, so that a 0 is always a measurement.
"""

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

CONFIDENCE: Final = 0.95
"""Level of every interval, two-sided."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number with its sample size and interval, or the reason why it is missing.

    Attributes:
        value: the number; None = undefined.
        n: how many judgments, pairs or scores it rests on.
        low: lower end of its interval; None = none is given.
        high: upper end.
        why: why ``value`` is None.
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    why: str | None = None

    @classmethod
    def undefined(cls, why: str, n: int = 0) -> Self:
        """Return the measure that has no value."""
        return cls(value=None, n=n, why=why)


def share(successes: int, n: int, *, nothing: str) -> Measure:
    """Return a share with its score interval (Wilson 1927; Newcombe 1998, method 3).

    Args:
        successes: how many of them.
        n: how many at all.
        nothing: what to say where there are none.
    """
    if n == 0:
        return Measure.undefined(nothing)
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return Measure(value=successes / n, n=n, low=float(interval.low), high=float(interval.high))


def score_interval(value: float, n: int) -> tuple[float, float]:
    """Return the score interval of a share of independent items, each of which may be right in part (Wilson 1927).

    Args:
        value: the share.
        n: how many items, at least one.
    """
    from scipy.stats import norm

    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    middle, half = value + z * z / (2 * n), z * sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    low, high = ((middle + side * half) / (1 + z * z / n) for side in (-1, 1))
    return 0.0 if value == 0 else low, 1.0 if value == 1 else high


def kappa(first: npt.NDArray[np.integer[Any]], second: npt.NDArray[np.integer[Any]]) -> Measure:
    """Return Cohen's kappa, (p_o - p_e) / (1 - p_e) (Cohen 1960, Eq. 1).

    Args:
        first: category of each item by the first judge, integers from 0.
        second: the same by the second.
    """
    if not first.size:
        return Measure.undefined("no pair has a verdict of both")
    size = 1 + int(max(first.max(), second.max()))
    table = np.bincount(first * size + second, minlength=size * size).reshape(size, size)
    n = int(table.sum())
    by_chance = int(table.sum(axis=1) @ table.sum(axis=0))  # p_e * n * n, whole, so that 1 - p_e is 0 where it should be
    if by_chance == n * n:
        return Measure.undefined("both give one and the same verdict on every pair", n)
    return Measure(value=float((n * int(np.trace(table)) - by_chance) / (n * n - by_chance)), n=n)


def pearson(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> Measure:
    """Return the product-moment correlation; NaN in either = not scored, left out."""
    known = ~(np.isnan(first) | np.isnan(second))
    return _correlation(first[known], second[known])


def spearman(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> Measure:
    """Return the correlation of the ranks, equal values sharing their mean rank (Spearman 1904); NaN = not scored, left out."""
    from scipy.stats import rankdata

    known = ~(np.isnan(first) | np.isnan(second))
    return _correlation(rankdata(first[known]), rankdata(second[known]))


def _correlation(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> Measure:
    n = len(first)
    if n < 2:
        return Measure.undefined("fewer than two scores of both", n)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return Measure.undefined("all scores of one judge are equal", n)
    return Measure(value=float(np.corrcoef(first, second)[0, 1]), n=n)


def mean(values: npt.NDArray[np.float64], *, nothing: str) -> Measure:
    """Return the mean of what is not NaN.

    Args:
        values: numbers; NaN = not scored.
        nothing: what to say where there are none.
    """
    known = values[~np.isnan(values)]
    return Measure(value=float(known.mean()), n=known.size) if known.size else Measure.undefined(nothing)


def mean_interval(values: npt.NDArray[np.float64], *, nothing: str) -> Measure:
    """Return the mean of independent values with its interval by Student's t; no interval for a single one.

    Args:
        values: numbers.
        nothing: what to say where there are none.
    """
    found = mean(values, nothing=nothing)
    if found.value is None or found.n < 2:
        return found
    from scipy.stats import t

    half = float(t.ppf((1 + CONFIDENCE) / 2, found.n - 1) * values.std(ddof=1) / sqrt(found.n))
    return replace(found, low=found.value - half, high=found.value + half)
