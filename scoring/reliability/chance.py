"""How likely chance alone makes what was counted: exact tails of the binomial distribution, and those of means."""

from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.integer[Any]]


def at_least(hits: Counts, trials: Counts, share: Floats | float) -> Floats:
    """Return the chance of so many hits or more in independent trials, exactly: the regularised incomplete beta function.

    Args:
        hits: how many trials hit.
        trials: how many there were.
        share: chance of a hit in one trial.
    """
    from scipy.special import betainc

    hits, trials = np.asarray(hits), np.asarray(trials)
    tail = betainc(np.maximum(hits, 1), np.maximum(trials - hits + 1, 1), share)
    return np.where(hits <= 0, 1.0, np.where(hits > trials, 0.0, tail))


def at_most(hits: Counts, trials: Counts, share: Floats | float) -> Floats:
    """Return the chance of so many hits or fewer; arguments as for ``at_least``."""
    hits, trials = np.asarray(hits), np.asarray(trials)
    return at_least(trials - hits, trials, 1.0 - np.asarray(share))


def mean_at_most(mean: float, trials: int, expected: float, spread: float) -> float:
    """Return about the chance that a mean is so low, by the normal distribution (a score test).

    Args:
        mean: what was seen.
        trials: how many independent numbers it is the mean of.
        expected: mean of their expectations.
        spread: standard deviation of one of them.
    """
    if spread <= 0 or not trials:
        return 0.0 if mean < expected and trials else 1.0
    return NormalDist().cdf((mean - expected) * trials**0.5 / spread)
