"""How often people find the words of a clip right, by its word error rate (SpeechJudge, appendix B.3 and Fig. 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from scoring.reliability.measures import Measure, share

EDGES: Final = (0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.3, 0.5)
"""Upper bounds of the bins, themselves included. The paper's two curves part at about 12 %."""


@dataclass(frozen=True, kw_only=True)
class AccuracyBin:
    """Clips of about the same word error rate.

    Attributes:
        above: lower bound of the rate, not included; None = the bin of rate 0.
        up_to: upper bound, included; None = there is none.
        accurate: share of the votes on these clips that find the words right.
    """

    above: float | None
    up_to: float | None
    accurate: Measure


def accuracy_by_wer(
    wer: npt.NDArray[np.float64], accurate: npt.NDArray[np.bool_], edges: Sequence[float] = EDGES
) -> list[AccuracyBin]:
    """Return the share of votes that find the words of a clip right, bin by bin; bins without a vote have no value.

    Args:
        wer: word error rate of the clip of each vote, as a ratio; NaN = unknown, left out.
        accurate: whether the vote finds its words right.
        edges: upper bounds of the bins, ascending; one more has the rest.
    """
    known = ~np.isnan(wer)
    places = np.digitize(np.round(wer[known], 9), edges, right=True)
    votes = np.bincount(places, minlength=len(edges) + 1)
    right = np.bincount(places, weights=accurate[known], minlength=len(edges) + 1)
    return [
        AccuracyBin(
            above=edges[place - 1] if place else None,
            up_to=edges[place] if place < len(edges) else None,
            accurate=share(int(right[place]), int(votes[place]), nothing="no vote on such a clip"),
        )
        for place in range(len(edges) + 1)
    ]
