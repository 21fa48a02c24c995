"""Voting@N: accuracy of the majority of the first N replies (SpeechJudge, Table 3)."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from scoring.bench.figure import Figure
from scoring.bench.intervals import mean_over_items
from scoring.bench.judged import JudgedPairs

MOST_VOTES: Final = 10


def voting(pairs: JudgedPairs, *, seed: int) -> Iterator[Figure]:
    """Yield the accuracy with 1 to 10 votes, as many as there are; with one vote there is nothing to yield.

    Replies without a preference abstain, and as many votes for A as for B are no preference, which is wrong. In two orders each
    order votes by itself, and the figure is their mean.
    """
    votes = pairs.said.shape[2]
    for number in range(1, min(votes, MOST_VOTES) + 1) if votes > 1 else ():
        majority = np.sign(pairs.said[:, :, :number].sum(axis=2))
        right = (majority == pairs.truth[:, None]).mean(axis=1)
        measure = mean_over_items(right, pairs.units, seed=seed, nothing="no item")
        yield Figure(name="voting_accuracy", of={"votes": str(number)}, measure=measure)
