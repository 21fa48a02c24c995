"""How likely chance alone makes what was counted: exact tails of the binomial distribution, and a bound for means."""

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


def mean_at_most(mean: float, trials: int, expected: float) -> float:
    """Return an upper bound of the chance that a mean of numbers in [0, 1] is so low (Hoeffding 1963, Theorem 1, Eq. 2.1).

    Args:
        mean: what was seen.
        trials: how many independent numbers it is the mean of.
        expected: mean of their expectations; at the ends of [0, 1] the bound is 0 or 1.
    """
    if mean >= expected or not trials:
        return 1.0
    terms = [(mean, expected), (1.0 - mean, 1.0 - expected)]
    if any(seen > 0 and likely <= 0 for seen, likely in terms):
        return 0.0
    divergence = sum(seen * np.log(seen / likely) for seen, likely in terms if seen > 0)
    return float(np.exp(-trials * divergence))


def check_shares(**shares: float) -> None:
    """Check thresholds that are shares or chances.

    Raises:
        ValueError: one does not lie in [0, 1].
    """
    for name, share in shares.items():
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"{name} must lie between 0 and 1, got {share}")


def check_counts(**counts: int) -> None:
    """Check thresholds that are numbers of answers.

    Raises:
        ValueError: one is below 1.
    """
    for name, number in counts.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
