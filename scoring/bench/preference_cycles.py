"""Preference cycles over triplets of clips with three different ratings (MOS-RMBench, appendix C.2, Tables 4 and 5).

A triplet is three clips of which all three pairs are in the benchmark. The paper draws some of them: 65 of SOMOS, 100 of each
other source. A judge contradicts itself on a triplet if it prefers the first clip to the second, the second to the third, and
the third to the first; without a preference in one of the pairs there is no cycle. An answer that cannot be read says nothing
either way: only triplets with three readable answers count.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.rng import hash_fraction
from scoring.bench.figure import Figure
from scoring.bench.intervals import Floats, Ints, mean_over_items
from scoring.bench.judged import JudgedPairs

MOST: Final = 100
"""Most triplets of a source."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Clips:
    """The clips of pairs.

    Attributes:
        a: id of clip A of each pair.
        b: id of clip B.
        rating_a: rating of A, shape (items,).
        rating_b: rating of B.
        source: where each pair comes from.
    """

    a: Sequence[str]
    b: Sequence[str]
    rating_a: Floats
    rating_b: Floats
    source: Sequence[str]


def triplets(clips: Clips, *, seed: int, most: int = MOST) -> Ints:
    """Return the pairs of up to ``most`` triplets of each source, drawn by hash, shape (triplets, 3).

    The rows of a triplet (x, y, z), in the order of their ids, are the pairs (x, y), (y, z) and (x, z).
    """
    pair_of: dict[tuple[str, str], int] = {}
    neighbours: defaultdict[str, set[str]] = defaultdict(set)
    rating: dict[str, float] = {}
    for number, (a, b) in enumerate(zip(clips.a, clips.b, strict=True)):
        pair_of.setdefault((min(a, b), max(a, b)), number)
        neighbours[min(a, b)].add(max(a, b))
        rating |= {a: float(clips.rating_a[number]), b: float(clips.rating_b[number])}
    found: defaultdict[str, list[tuple[float, tuple[int, int, int]]]] = defaultdict(list)
    for (x, y), first in pair_of.items():
        for z in neighbours[x] & neighbours.get(y, set()):
            if len({rating[x], rating[y], rating[z]}) == 3:
                pairs = (first, pair_of[y, z], pair_of[x, z])
                found[clips.source[first]].append((hash_fraction(seed, "bench_triplets", f"{x} {y} {z}"), pairs))
    drawn = [pairs for name in sorted(found) for _, pairs in sorted(found[name])[:most]]
    return np.array(drawn, dtype=np.int64).reshape(-1, 3)


def cycles(pairs: JudgedPairs, clips: Clips, *, seed: int, most: int = MOST) -> Iterator[Figure]:
    """Yield the share of triplets with a cycle and the accuracy on their pairs, of all and of each source.

    Each order and vote is a run of its own; the figures are means over these, that of cycles over those runs in which all three
    answers can be read. A pair counts once for each of its triplets.
    """
    chosen = triplets(clips, seed=seed, most=most)
    if not len(chosen):
        return
    # Sign of the first clip by id, whichever of them is stored as A.
    is_turned = np.array([a > b for a, b in zip(clips.a, clips.b, strict=True)])
    ahead = np.where(is_turned[:, None, None], -pairs.said, pairs.said)
    xy, yz, xz = (ahead[chosen[:, place]] for place in range(3))
    is_read = pairs.readable[chosen].all(axis=1)
    runs = is_read.sum(axis=(1, 2))
    cyclic = (is_read & (xy != 0) & (xy == yz) & (xz == -xy)).sum(axis=(1, 2)) / np.maximum(runs, 1)
    right = pairs.correct[chosen].mean(axis=1)
    source = np.array(clips.source)[chosen[:, 0]]
    units = pairs.units[chosen[:, 0]]
    for of, mask in [
        ({}, np.ones(len(chosen), dtype=bool)),
        *(({"corpus": str(one)}, source == one) for one in np.unique(source)),
    ]:
        read = mask & (runs > 0)
        unread = "no triplet has three answers that can be read"
        rate = mean_over_items(cyclic[read], units[read], seed=seed, nothing=unread)
        yield Figure(name="cycle_rate", of=of, measure=rate)
        accuracy = mean_over_items(right[mask], units[mask], seed=seed, nothing="no triplet")
        yield Figure(name="triplet_accuracy", of=of, measure=accuracy)
