"""Accuracy of preferences: over all items, over parts of them, and by dimension.

A reply without a preference and a reply that cannot be read are wrong (MOS-RMBench, section 4.1: only a strictly higher score
for the better clip is right); how many there are is a figure of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from scoring.bench.figure import Figure
from scoring.bench.intervals import mean_over_items
from scoring.bench.judged import JudgedPairs, signs
from scoring.reliability.measures import Measure

Facets = Mapping[str, Sequence[str | None]]
"""Name -> value of each item; None = the item has none."""

EVERY: Final[Mapping[str, str]] = MappingProxyType({})
_NOTHING: Final = "no item"


def accuracy(pairs: JudgedPairs, *, seed: int) -> Measure:
    """Return the mean over items of the share of right replies: over all pairs, whatever their source (micro)."""
    return mean_over_items(pairs.correct, pairs.units, seed=seed, nothing=_NOTHING)


def accuracy_by(pairs: JudgedPairs, facets: Facets, crossed: Sequence[tuple[str, ...]], *, seed: int) -> Iterator[Figure]:
    """Yield the accuracy of the items of each value of a facet, or of each combination of the values of several.

    Args:
        pairs: the items.
        facets: what tells them apart.
        crossed: names of facets that are looked at together.
        seed: of the intervals.
    """
    for names in crossed:
        values = list(zip(*(facets[name] for name in names), strict=True))
        found = {value for value in values if None not in value}
        for value in sorted(found, key=str):
            mask = np.array([one == value for one in values])
            of = dict(zip(names, map(str, value), strict=True))
            yield Figure(name="accuracy", of=of, measure=accuracy(pairs.where(mask), seed=seed))


def accuracy_by_dimension(pairs: JudgedPairs, of: Mapping[str, str] = EVERY, *, seed: int) -> Iterator[Figure]:
    """Yield how often a dimension ranks the two clips as the release's scores of it do, equal scores being a rank of their own.

    This is the agreement of signs of UniSRM's Eq. 10, item by item. Items that the release does not score are left out; a reply
    that does not score a dimension is wrong in it.

    Args:
        pairs: the items.
        of: what these items are, for the figures.
        seed: of the intervals.
    """
    for name, truth in pairs.true_leads.items():
        known = ~np.isnan(truth)
        if name not in pairs.leads or not known.any():
            continue
        said = pairs.leads[name][known]
        alike = (signs(said) == signs(truth[known])[:, None, None]) & ~np.isnan(said)
        measure = mean_over_items(alike.mean(axis=(1, 2)), pairs.units[known], seed=seed, nothing=_NOTHING)
        yield Figure(name="accuracy", of={"dimension": name, **of}, measure=measure)


def ties(pairs: JudgedPairs, *, seed: int) -> Measure:
    """Return the share of replies that could be read and prefer neither clip."""
    tied = (pairs.readable & (pairs.said == 0)).mean(axis=(1, 2))
    return mean_over_items(tied, pairs.units, seed=seed, nothing=_NOTHING)


def unreadable(pairs: JudgedPairs, *, seed: int) -> Measure:
    """Return the share of replies that cannot be read or never came."""
    return mean_over_items((~pairs.readable).mean(axis=(1, 2)), pairs.units, seed=seed, nothing=_NOTHING)
