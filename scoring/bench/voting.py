"""Voting@N: accuracy of the majority of the first N replies (SpeechJudge, Table 3)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from scoring.bench.accuracy import Facets, accuracy, accuracy_by
from scoring.bench.figure import Figure
from scoring.bench.judged import Bools, JudgedPairs

MOST_VOTES: Final = 10


def majority(pairs: JudgedPairs, votes: int) -> JudgedPairs:
    """Return the pairs with one reply for each order: what most of the first replies prefer.

    Replies without a preference abstain, and as many votes for A as for B are no preference, which is wrong. In two orders each
    order votes by itself.
    """
    said = np.sign(pairs.said[:, :, :votes].sum(axis=2, keepdims=True))
    readable: Bools = np.logical_or.reduce(pairs.readable[:, :, :votes], axis=2, keepdims=True)
    return replace(pairs, said=said, readable=readable, leads={}, true_leads={})


def voting(pairs: JudgedPairs, facets: Facets, crossed: Sequence[tuple[str, ...]], *, seed: int) -> Iterator[Figure]:
    """Yield the accuracy with 1 to 10 votes, as many as there are, and with most of them that of parts; nothing for one vote.

    Args:
        pairs: the pairs.
        facets: what tells parts of them apart.
        crossed: facets whose values are looked at together.
        seed: of the intervals.
    """
    most = min(pairs.said.shape[2], MOST_VOTES)
    if most == 1:
        return
    for number in range(1, most + 1):
        measure = accuracy(majority(pairs, number), seed=seed)
        yield Figure(name="voting_accuracy", of={"votes": str(number)}, measure=measure)
    for part in accuracy_by(majority(pairs, most), facets, crossed, seed=seed):
        yield replace(part, name="voting_accuracy", of={**part.of, "votes": str(most)})
