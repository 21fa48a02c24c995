"""What a judge's preference owes to the order in which it heard the clips."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from scoring.bench.figure import Figure
from scoring.bench.intervals import mean_over_items
from scoring.bench.judged import JudgedPairs

ORDERS: Final = ("stored", "swapped")


def order_effects(pairs: JudgedPairs, *, seed: int) -> Iterator[Figure]:
    """Yield the share of preferences for the clip that was heard first; with both orders also how often they agree.

    ``first_preferred`` is over the items with any preference, and .5 for a judge without a bias. ``order_consistency`` is the
    share of items on which both orders prefer the same clip: a reply without a preference agrees with nothing.
    ``accuracy`` by ``order`` is that of one order alone.
    """
    nothing, orders = "no item", pairs.said.shape[1]
    heard = pairs.said * np.array([1, -1])[:orders, None]
    counted = (heard != 0).sum(axis=(1, 2))
    some = counted > 0
    first = (heard[some] == 1).sum(axis=(1, 2)) / counted[some]
    yield Figure(name="first_preferred", measure=mean_over_items(first, pairs.units[some], seed=seed, nothing=nothing))
    if orders != len(ORDERS):
        return
    same = ((pairs.said[:, 0] == pairs.said[:, 1]) & (pairs.said[:, 0] != 0)).mean(axis=1)
    yield Figure(name="order_consistency", measure=mean_over_items(same, pairs.units, seed=seed, nothing=nothing))
    for place, order in enumerate(ORDERS):
        right = (pairs.said[:, place] == pairs.truth[:, None]).mean(axis=1)
        measure = mean_over_items(right, pairs.units, seed=seed, nothing=nothing)
        yield Figure(name="accuracy", of={"order": order}, measure=measure)
