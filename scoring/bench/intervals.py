"""Intervals of figures by a bootstrap over what the items share.

Items of one leakage group share a text or a recording, so that their outcomes are not independent. Whole groups are drawn with
replacement (cluster bootstrap: Davison & Hinkley 1997, section 3.8), and the interval lies between percentiles of the draws.
Pairs that are drawn of a pool of clips are all one group. There the clips are drawn, and a pair counts as often as its two
clips together: the product of how often each was drawn (Davezies, D'Haultfoeuille & Guyonvarch 2021, for dyadic data).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.rng import generator_for
from scoring.audit.association import group_sums
from scoring.reliability.measures import CONFIDENCE, Measure, pearson, score_interval

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DRAWS: Final = 1000
_CELLS_AT_ONCE: Final = 1 << 22
_CONSTANT: Final = 1e-12  # what rounding leaves of the variance of equal values, as a share of their mean square


def bootstrap(terms: Floats, units: Ints, statistic: Callable[[Floats], Floats], *, seed: int) -> tuple[float, float] | None:
    """Return the interval of a statistic of sums over items; None for fewer than two units, or if no draw has a value.

    Args:
        terms: what each item adds, shape (items, k).
        units: number of each item's group, shape (items,), or of its two clips, shape (items, 2).
        statistic: from totals of shape (draws, k) to the values of these draws, NaN where there is none.
        seed: of the draws.
    """
    if _independent(units) < 2:
        return None
    generator = generator_for(seed, "bench_bootstrap", "")
    found, numbers = np.unique(units, return_inverse=True)
    ends = numbers.reshape(units.shape)
    sums = terms if units.ndim == 2 else group_sums(terms, ends)
    step = max(1, _CELLS_AT_ONCE // max(len(found), len(sums)))
    totals = list[Floats]()
    for start in range(0, DRAWS, step):
        times = _drawn(generator, min(step, DRAWS - start), len(found))
        totals.append((times if units.ndim == 1 else times[:, ends[:, 0]] * times[:, ends[:, 1]]) @ sums)
    drawn = statistic(np.concatenate(totals))
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return None
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def mean_over_items(values: Floats, units: Ints, *, seed: int, nothing: str, is_share: bool = True) -> Measure:
    """Return the mean of one value per item with its interval.

    Where every draw comes to the same, as where all items are right, the bootstrap would give an interval without width.
    A share then has the score interval of as many independent items as there are groups, or as half of the clips; another
    mean has none.

    Args:
        values: shape (items,), without NaN.
        units: see ``bootstrap``.
        seed: of the draws.
        nothing: what to say where there are no items.
        is_share: whether the values are in [0, 1].
    """
    if not values.size:
        return Measure.undefined(nothing)
    mean = float(values.mean())
    found = Measure(value=mean, n=values.size)
    terms = np.stack([values, np.ones_like(values)], axis=1)
    is_constant = np.ptp(values) == 0
    interval = None if is_constant else bootstrap(terms, units, _mean_of_totals, seed=seed)
    if is_constant or (interval is not None and interval[1] - interval[0] < _CONSTANT):
        interval = score_interval(mean, _independent(units)) if is_share else None
    return _with(found, interval)


def correlation(first: Floats, second: Floats, units: Ints, *, seed: int) -> Measure:
    """Return Pearson's correlation with its interval; items with a NaN on either side are left out.

    Args:
        first: shape (items,).
        second: shape (items,).
        units: see ``bootstrap``.
        seed: of the draws.
    """
    found = pearson(first, second)
    if found.value is None:
        return found
    known = ~(np.isnan(first) | np.isnan(second))
    x, y = (side[known] - side[known].mean() for side in (first, second))
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    return _with(found, bootstrap(terms, units[known], _pearson_of_totals, seed=seed))


def _independent(units: Ints) -> int:
    """Return how many items could be independent of each other: one of each group, or one for two clips."""
    number = len(np.unique(units))
    return number if units.ndim == 1 else max(1, number // 2)


def _mean_of_totals(totals: Floats) -> Floats:
    found: Floats = np.full(len(totals), np.nan)
    np.divide(totals[:, 0], totals[:, 1], out=found, where=totals[:, 1] > 0)
    return found


def _pearson_of_totals(totals: Floats) -> Floats:
    n, x, y, xx, yy, xy = totals.T
    of_x, of_y = n * xx - x * x, n * yy - y * y
    varies = (of_x > _CONSTANT * n * xx) & (of_y > _CONSTANT * n * yy)
    found: Floats = np.full(len(totals), np.nan)
    np.divide(n * xy - x * y, np.sqrt(np.where(varies, of_x, 1)) * np.sqrt(np.where(varies, of_y, 1)), out=found, where=varies)
    return found


def _drawn(generator: np.random.Generator, count: int, groups: int) -> Floats:
    """Return how often each group is drawn, shape (count, groups)."""
    numbers = generator.integers(0, groups, (count, groups)) + groups * np.arange(count)[:, None]
    times: Floats = np.bincount(numbers.ravel(), minlength=count * groups).reshape(count, groups).astype(np.float64)
    return times


def _with(found: Measure, interval: tuple[float, float] | None) -> Measure:
    return found if interval is None else replace(found, low=interval[0], high=interval[1])
