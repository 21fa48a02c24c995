"""Errors by the difference of the two ratings of a pair (MOS-RMBench, section 5.2, Figures 3 and 4, Tables 6 and 7)."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from scoring.bench.accuracy import accuracy
from scoring.bench.figure import Figure
from scoring.bench.intervals import Floats, Ints, mean_over_items
from scoring.bench.judged import Bools, JudgedPairs

BINS: Final = 10
SMALL: Final = (("<= 0.5", 0.5, True), ("< 0.2", 0.2, False))
"""Small gaps: what they are called, the bound, and whether it belongs to them."""

_DECIMALS: Final = 9  # a difference of two ratings, such as 4.7 - 4.2, is not exactly 0.5


def percentile_bins(gap: Floats, source: Sequence[str]) -> Ints:
    """Return the bin of each pair among those of its source, from 0, in order of its gap; equal gaps stay in their order.

    The bins of a source have equal sizes, up to one pair. A source with fewer pairs than bins has none: -1.

    Args:
        gap: difference of the ratings, shape (items,).
        source: where each pair comes from.
    """
    names = np.array(source)
    found = np.full(len(gap), -1)
    for name in np.unique(names):
        mine = np.flatnonzero(names == name)
        if len(mine) >= BINS:
            ordered = mine[np.argsort(np.round(gap[mine], _DECIMALS), kind="stable")]
            for number, part in enumerate(np.array_split(ordered, BINS)):
                found[part] = number
    return found


def errors_by_gap(pairs: JudgedPairs, gap: Floats, source: Sequence[str], *, seed: int) -> Iterator[Figure]:
    """Yield the share of wrong replies by percentile bin, of each source and of all together."""
    bins, names = percentile_bins(gap, source), np.array(source)
    every: Bools = np.ones(len(names), dtype=bool)
    for of, mask in [({}, every), *(({"corpus": str(name)}, names == name) for name in np.unique(names))]:
        for number in np.unique(bins[mask & (bins >= 0)]):
            part = pairs.where(mask & (bins == number))
            wrong = mean_over_items(1 - part.correct, part.units, seed=seed, nothing="no pair")
            yield Figure(name="error", of={**of, "gap_bin": str(number + 1)}, measure=wrong)


def accuracy_on_small_gaps(pairs: JudgedPairs, gap: Floats, source: Sequence[str], *, seed: int) -> Iterator[Figure]:
    """Yield the accuracy on the pairs whose ratings hardly differ, of all and of each source."""
    names, rounded_gap = np.array(source), np.round(gap, _DECIMALS)
    for title, bound, is_included in SMALL:
        small: Bools = rounded_gap <= bound if is_included else rounded_gap < bound
        if small.any():
            yield Figure(name="accuracy", of={"gap": title}, measure=accuracy(pairs.where(small), seed=seed))
        for name in np.unique(names[small]):
            measure = accuracy(pairs.where(small & (names == name)), seed=seed)
            yield Figure(name="accuracy", of={"gap": title, "corpus": str(name)}, measure=measure)
