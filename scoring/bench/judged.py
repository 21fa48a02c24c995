"""What a judge said of the items of a benchmark, beside the truth, as arrays.

Every item has the same number of replies: one for each order in which its clips were played and each vote. A reply that cannot
be read, or that never came, is there as such, so that nothing falls out of a denominator.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from scoring.bench.intervals import Floats, Ints

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgedPairs:
    """Replies about pairs. Signs are 1 for A, -1 for B, by the pair's stored order whatever was played first.

    Attributes:
        truth: sign of the better clip, shape (items,).
        said: sign of the preferred clip, 0 for none; shape (items, orders, votes), the stored order first.
        readable: whether there is a reply that could be read, same shape.
        units: number of each item's leakage group, or of its two clips (see ``scoring.bench.intervals``).
        leads: dimension -> score of A minus score of B in the reply, same shape as ``said``; NaN = not scored.
        true_leads: dimension -> the same of the release, shape (items,); NaN = not scored.
    """

    truth: Ints
    said: Ints
    readable: Bools
    units: Ints
    leads: Mapping[str, Floats] = field(default_factory=dict)
    true_leads: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def correct(self) -> Floats:
        """Share of each item's replies that prefer the better clip; no preference and no reply are wrong."""
        share: Floats = (self.said == self.truth[:, None, None]).mean(axis=(1, 2))
        return share

    def where(self, mask: Bools) -> Self:
        """Return some of the items."""
        return type(self)(
            truth=self.truth[mask],
            said=self.said[mask],
            readable=self.readable[mask],
            units=self.units[mask],
            leads={name: values[mask] for name, values in self.leads.items()},
            true_leads={name: values[mask] for name, values in self.true_leads.items()},
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgedClips:
    """Replies about single clips.

    Attributes:
        truth: scale -> score of the release, shape (items,); NaN = none.
        said: scale -> score of the reply, shape (items, votes); NaN = none, as the reply cannot be read or leaves it out.
        readable: whether there is a reply that could be read, shape (items, votes).
        units: number of each item's leakage group, or of its two clips (see ``scoring.bench.intervals``).
    """

    truth: Mapping[str, Floats]
    said: Mapping[str, Floats]
    readable: Bools
    units: Ints

    def where(self, mask: Bools) -> Self:
        """Return some of the items."""
        return type(self)(
            truth={name: values[mask] for name, values in self.truth.items()},
            said={name: values[mask] for name, values in self.said.items()},
            readable=self.readable[mask],
            units=self.units[mask],
        )


def signs(differences: npt.NDArray[Any]) -> Ints:
    """Return the signs of numbers, 0 for NaN."""
    found: Ints = np.sign(np.nan_to_num(differences)).astype(np.int64)
    return found
