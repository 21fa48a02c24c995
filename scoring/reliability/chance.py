"""Tail probabilities: exact ones of the binomial distribution, and approximate ones of means."""

from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.integer[Any]]


def at_least(hits: Counts, trials: Counts, share: Floats | float) -> Floats:
    """Return the exact probability of at least so many hits in independent trials.

    Args:
        hits: number of hits.
        trials: number of trials.
        share: probability of a hit in one trial.
    """
    from scipy.special import bdtrc

    chances: Floats = bdtrc(np.asarray(hits) - 1, trials, share)
    return chances


def at_most(hits: Counts, trials: Counts, share: Floats | float) -> Floats:
    """Return the exact probability of at most so many hits; arguments as for ``at_least``."""
    from scipy.special import bdtr

    chances: Floats = bdtr(hits, trials, share)
    return chances


def mean_at_most(mean: float, trials: int, expected: float, spread: float) -> float:
    """Return the approximate probability that a mean is so low, by the normal distribution (a score test).

    Args:
        mean: observed mean.
        trials: number of independent values.
        expected: expected mean.
        spread: standard deviation of one value.
    """
    if spread <= 0 or not trials:
        return 0.0 if mean < expected and trials else 1.0
    return NormalDist().cdf((mean - expected) * trials**0.5 / spread)
