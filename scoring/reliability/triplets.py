"""Cycles of three samples: A beats B, B beats C, C beats A.

A triplet is complete if its three pairs have verdicts. The share of circles among the complete triplets is the preference-cycle
rate of MOS-RMBench (appendix C.2), here over all triplets instead of a sample of them.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import among, attach
from scoring.reliability.measures import Measure, share


def circles(rulings: pa.Table, pairs: pa.Table) -> tuple[Measure, Measure]:
    """Return the share of complete triplets that are cycles, and of groups with a complete triplet that have a cycle.

    Args:
        rulings: ``pair_id`` and ``verdict`` (``a``, ``b`` or null), one row per pair.
        pairs: ``pair_id, group_id, sample_a, sample_b``, no two samples twice; pairs without a ruling do not count.
    """
    from scipy.sparse import csr_array

    edges = attach(among(pairs, "pair_id", rulings["pair_id"]), "pair_id", rulings, "pair_id", {"verdict": "verdict"})
    edges = edges.filter(pc.is_valid(edges["verdict"]))
    nodes = pa.concat_arrays([edges[f"sample_{side}"].combine_chunks() for side in "ab"]).dictionary_encode()
    left, right = np.split(nodes.indices.to_numpy(zero_copy_only=False).astype(np.int64), 2)
    group_of_edge = edges["group_id"].combine_chunks().dictionary_encode()
    group = np.zeros(len(nodes.dictionary), dtype=np.int64)
    group[left] = group_of_edge.indices.to_numpy(zero_copy_only=False)
    group[right] = group[left]
    a_wins = pc.equal(edges["verdict"], "a").to_numpy()
    size = len(nodes.dictionary)
    beats = csr_array(
        (np.ones(len(left), dtype=np.int64), (np.where(a_wins, left, right), np.where(a_wins, right, left))), shape=(size, size)
    )
    judged = beats + beats.T
    # Row i of w @ w counts the ways of two steps from i; a third step closes them. Undirected, each triangle is met twice.
    cyclic = (beats @ beats).multiply(beats.T).sum(axis=1)
    complete = (judged @ judged).multiply(judged).sum(axis=1) // 2
    nothing = "no three samples of a text group have three verdicts"
    if not complete.any():
        return Measure.undefined(nothing), Measure.undefined(nothing)
    n = int(complete.sum()) // 3
    in_group = [np.bincount(group, weights=through) > 0 for through in (cyclic, complete)]
    return Measure(value=int(cyclic.sum()) / 3 / n, n=n), share(int(in_group[0].sum()), int(in_group[1].sum()), nothing=nothing)
