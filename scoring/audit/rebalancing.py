"""Which pairs to leave out, so that features no longer tell which clip was chosen.

For each feature, pairs of about the same absolute difference are put together. Among them the chosen clip must have more as
often as it has less; the surplus of one direction is left out, by hash, those pairs first that are surplus in several features.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from scoring.audit.association import Floats, Ints

BINS: Final = 8
"""Into how many bins of equal size the absolute differences of a feature are put."""


def rows_to_drop(told: Mapping[str, Floats], rank: Ints, *, bound: float = 0.5) -> dict[int, str]:
    """Return the pairs to leave out, and the feature that each is left out for.

    Args:
        told: feature -> value of the chosen clip less that of the other, NaN = unknown, shape (pairs,).
        rank: place of each pair in an order by hash: the last ones are left out first.
        bound: the largest share of one direction among the pairs of a bin, from 0.5 to below 1.
    """
    names = list(told)
    signs = {name: np.sign(np.nan_to_num(told[name], nan=0.0)) for name in names}
    bins = {name: _bins(told[name]) for name in names}
    alive, dropped = np.ones(len(rank), dtype=np.bool_), dict[int, str]()
    while (worst := _worst(names, signs, bins, alive, bound)) is not None:
        excess, name, cell, direction = worst
        towards = _towards(names, signs, bins, alive, bound)
        rows = np.flatnonzero(alive & (bins[name] == cell) & (signs[name] == direction))
        leaving = rows[np.lexsort((-rank[rows], -towards[rows]))][:excess]
        alive[leaving] = False
        dropped |= dict.fromkeys(leaving.tolist(), name)
    return dropped


def _bins(differences: Floats) -> Ints:
    """Return the bin of each absolute difference; -1 where the clips are equal or unknown."""
    sizes = np.nan_to_num(np.abs(differences), nan=0.0)
    differ = sizes > 0
    if not differ.any():
        return np.full(len(sizes), -1)
    edges = np.unique(np.quantile(sizes[differ], np.arange(1, BINS) / BINS))
    return np.where(differ, np.searchsorted(edges, sizes, side="right"), -1)


def _excess(more: int, less: int, bound: float) -> int:
    """Return how many of ``more`` must leave so that they are at most this share."""
    return max(0, more - int(less * bound / (1 - bound) + 1e-9))


def _cells(
    names: Sequence[str], signs: Mapping[str, Floats], bins: Mapping[str, Ints], alive: npt.NDArray[np.bool_], bound: float
) -> list[tuple[int, str, int, float]]:
    """Return the bins with a surplus: its size, the feature, the bin and the direction."""
    found = []
    for name in names:
        here = alive & (bins[name] >= 0)
        counts = [np.bincount(bins[name][here & (signs[name] == sign)], minlength=BINS) for sign in (1.0, -1.0)]
        for cell, (more, less) in enumerate(zip(*counts, strict=True)):
            if more > less and (excess := _excess(int(more), int(less), bound)):
                found.append((excess, name, cell, 1.0))
            elif less > more and (excess := _excess(int(less), int(more), bound)):
                found.append((excess, name, cell, -1.0))
    return found


def _worst(
    names: Sequence[str], signs: Mapping[str, Floats], bins: Mapping[str, Ints], alive: npt.NDArray[np.bool_], bound: float
) -> tuple[int, str, int, float] | None:
    return max(_cells(names, signs, bins, alive, bound), key=lambda cell: cell[0], default=None)


def _towards(
    names: Sequence[str], signs: Mapping[str, Floats], bins: Mapping[str, Ints], alive: npt.NDArray[np.bool_], bound: float
) -> Ints:
    """Return in how many features each pair is of the surplus, less those in which it is of the other direction."""
    found = np.zeros(len(alive), dtype=np.int64)
    for _, name, cell, direction in _cells(names, signs, bins, alive, bound):
        found += np.where(bins[name] == cell, direction * signs[name], 0.0).astype(np.int64)
    return found
