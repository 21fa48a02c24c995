"""How much a label goes along with other things known of an item: effects, intervals and what chance does alone.

An item adds to each column a number that has mean zero where the label is independent of the column: +1 where the chosen clip
has more of something, -1 where it has less, 0 where the clips are equal or the value is unknown; or the product of two
standardised ranks. Items of one leakage group depend on each other, so whole groups are turned at random: the sign of all that
a group adds. For pairs that is exact (Fisher's randomisation: without a shortcut, exchanging the labels of all pairs of a group
changes nothing); for ranks it is the wild bootstrap of clusters (Cameron, Gelbach & Miller 2008).

Pairs that are drawn of one pool are all of one leakage group. There the clips are turned instead: each adds what all its pairs
add, so that a pair stands with two of them. The variance of that is the one for dyads (Aronow, Samii & Assenova 2015) and, once
more, that of single pairs: it errs towards silence, by a factor of at most 1.4 in the spread.

The largest of all columns is compared with the largest under such turns (maximum statistic; Westfall & Young 1993), so that the
rate of false alarms holds for all columns together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ALPHA: Final = 0.01
"""The rate of false alarms of an audit."""

TURNS: Final = 1999
RESAMPLES: Final = 999
INTERVAL: Final = (2.5, 97.5)
FEWEST_GROUPS: Final = 20
"""With fewer leakage groups than these nothing could be found by turning them."""
_BLOCK: Final = 4_000_000
_TOLERANCE: Final = 1e-9

GRAIN: Final = 2.0**20
"""Numbers are multiples of 1 / ``GRAIN``: their sums are exact, in whatever order a linear algebra library adds."""


@dataclass(frozen=True, kw_only=True)
class Association:
    """What was found of one column.

    Attributes:
        items: items of which the value is known.
        differing: items that say something.
        effect: mean of what the items add, from -1 to 1; 0 = none.
        low: lower end of its 95 % interval, by bootstrap over groups.
        high: upper end.
        bound: the absolute effect that chance alone exceeds, in any of the columns, at the rate of false alarms.
        p_value: share of turns in which any column stands out as much.
        is_found: whether it does not, at that rate.
    """

    items: int
    differing: int
    effect: float
    low: float
    high: float
    bound: float
    p_value: float
    is_found: bool


def grained(values: Floats, grain: float = GRAIN) -> Floats:
    """Return the values as multiples of ``1 / grain``."""
    return np.round(values * grain) / grain


def numbered(groups: Sequence[object]) -> Ints:
    """Return the number of each item's group, by sorted name: the order of the items does not matter."""
    _, numbers = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    return numbers.astype(np.int64)


def group_sums(values: Floats, groups: Ints) -> Floats:
    """Return the sums over the items of each group, shape (groups, columns)."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    sums: Floats = np.add.reduceat(values[order], starts, axis=0)
    return sums


def turns(random: np.random.Generator, count: int, groups: int) -> Floats:
    """Return random signs, shape (count, groups)."""
    return 2.0 * random.integers(0, 2, (count, groups), dtype=np.int8).astype(np.float64) - 1


def associations(
    added: Floats,
    known: npt.NDArray[np.bool_],
    groups: Ints,
    random: np.random.Generator,
    *,
    alpha: float = ALPHA,
    times: int = 1,
) -> list[Association]:
    """Return what is found of each column.

    Args:
        added: what each item adds to each column, shape (items, columns); 0 where nothing is known.
        known: whether the value of the column is known, of the same shape.
        groups: number of each item's leakage group, from 0.
        random: draws turns and resamples.
        alpha: rate of false alarms of all columns together.
        times: how often each item stands here: 2 = once with each of its clips.
    """
    if not added.size:
        return []
    sums, counts = group_sums(grained(added), groups), group_sums(known.astype(np.float64), groups)
    size = max(1, _BLOCK // len(sums))
    spread = np.sqrt((sums**2).sum(axis=0))
    scale = np.where(spread > 0, spread, 1.0)
    stands_out = np.abs(sums.sum(axis=0)) / scale / times
    largest = np.concatenate(
        [
            np.abs(turns(random, min(size, TURNS - start), len(sums)) @ sums / scale).max(axis=1)
            for start in range(0, TURNS, size)
        ]
    )
    p_values = (1 + (largest[:, None] >= stands_out - _TOLERANCE).sum(axis=0)) / (TURNS + 1)
    items = counts.sum(axis=0)
    shares = np.concatenate(
        [_resampled(random, min(size, RESAMPLES - start), sums, counts) for start in range(0, RESAMPLES, size)]
    )
    effects = sums.sum(axis=0) / np.maximum(items, 1)
    low, high = np.clip(effects + times * (np.percentile(shares, INTERVAL, axis=0) - effects), -1, 1)
    threshold = critical(largest, alpha) * times
    return [
        Association(
            items=int(items[column]) // times,
            differing=int(np.count_nonzero(added[:, column])) // times,
            effect=float(effects[column]),
            low=float(low[column]),
            high=float(high[column]),
            bound=float(min(threshold * spread[column] / max(items[column], 1), 1.0)),
            p_value=float(p_values[column]),
            is_found=bool(p_values[column] <= alpha),
        )
        for column in range(added.shape[1])
    ]


def critical(drawn: Floats, alpha: float) -> float:
    """Return the value that chance exceeds at this rate: a larger one has a p-value of at most ``alpha``; inf = none has."""
    allowed = int(alpha * (len(drawn) + 1) + _TOLERANCE) - 1
    return float(np.sort(drawn)[::-1][allowed]) if allowed >= 0 else float("inf")


def _resampled(random: np.random.Generator, count: int, sums: Floats, counts: Floats) -> Floats:
    """Return the effects of some bootstrap samples of the groups, shape (count, columns)."""
    groups = len(sums)
    drawn = random.integers(0, groups, (count, groups)) + groups * np.arange(count)[:, None]
    times = np.bincount(drawn.ravel(), minlength=count * groups).reshape(count, groups).astype(np.float64)
    there = times @ counts
    return np.divide(times @ sums, there, out=np.zeros_like(there), where=there > 0)
