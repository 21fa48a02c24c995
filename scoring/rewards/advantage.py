"""Advantages within a group of completions of one prompt (UniSRM, Eq. 12)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def advantages(rewards: Sequence[float], *, epsilon: float = 1e-4) -> npt.NDArray[np.float64]:
    """Return how far each reward lies from the mean of its group, in standard deviations of the group.

    Args:
        rewards: those of all completions of one prompt; one alone has an advantage of 0.
        epsilon: added to the standard deviation, which is that of the population.
    """
    values = np.asarray(rewards, np.float64)
    found: npt.NDArray[np.float64] = (values - values.mean()) / (values.std() + epsilon)
    return found
