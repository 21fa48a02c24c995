"""What pairs and rated clips add to the columns of an audit (``scoring.audit.association``)."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from scoring.audit.association import Floats

Known = npt.NDArray[np.bool_]


def preferred(differences: Floats, chosen: Floats) -> tuple[Floats, Known]:
    """Return what pairs add: +1 where the chosen clip has more, -1 where it has less, 0 where both have the same.

    The mean over the pairs, as a probability (half of 1 + mean), is the probability of superiority with ties by half
    (Vargha & Delaney 2000): the chance that a rule "choose the clip with more" is right, tossing a coin for ties.

    Args:
        differences: value of A less that of B, NaN = unknown, shape (pairs,).
        chosen: +1 = A, -1 = B, 0 = neither, shape (pairs,).
    """
    known = ~np.isnan(differences) & (chosen != 0)
    return np.where(known, np.sign(np.where(known, differences, 0.0)) * chosen, 0.0), known


def correlated(values: Floats, scores: Floats) -> tuple[Floats, Known]:
    """Return what clips add: products of standardised ranks, whose mean is Spearman's correlation.

    Args:
        values: of a feature, NaN = unknown, shape (clips,).
        scores: of the clips, NaN = unknown, shape (clips,).
    """
    known = ~(np.isnan(values) | np.isnan(scores))
    added = np.zeros(len(values))
    if known.any():
        added[known] = _standardised(values[known]) * _standardised(scores[known])
    return added, known


def _standardised(values: Floats) -> Floats:
    from scipy.stats import rankdata

    ranks: Floats = rankdata(values)
    spread = ranks.std()
    return (ranks - ranks.mean()) / spread if spread > 0 else np.zeros(len(values))


def by_split(added: Floats, known: Known, members: Mapping[str | None, Known]) -> tuple[Floats, Known]:
    """Return the columns once per set of items, side by side: outside the set nothing is known.

    Args:
        added: shape (items, columns).
        known: of the same shape.
        members: name -> which items belong to it.
    """
    masks = [mask[:, None] for mask in members.values()]
    return np.hstack([np.where(mask, added, 0.0) for mask in masks]), np.hstack([known & mask for mask in masks])
