"""How likely chance alone makes what was counted: exact tails of the binomial distribution, and those of means."""

from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.integer[Any]]


def at_least(hits: Counts, trials: Counts, share: Floats | float) -> Floats:
    """Return the chance of so many hits or more in independent trials, exactly.

    Args:
        hits: how many trials hit.
        trials: how many there were.
        share: chance of a hit in one trial.
    """
    from scipy.special import bdtrc

    chances: Floats = bdtrc(np.asarray(hits) - 1, trials, share)
    return chances


def at_most(hits: Counts, trials: Counts, share: Floats | float) -> Floats:
    """Return the chance of so many hits or fewer; arguments as for ``at_least``."""
    from scipy.special import bdtr

    chances: Floats = bdtr(hits, trials, share)
    return chances


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
