"""Triplets and cycles, against the paper's rates and networkx."""

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.bench.preference_cycles import Clips, cycles, triplets
from tests.scoring.bench.judged import pairs_of

CYCLES = {"BVCC": (100, 2), "NISQA": (100, 2), "SingMOS": (100, 2), "SOMOS": (65, 1), "TMHINT-QI": (100, 0), "VMC'23": (100, 9)}
"""GRM+SFT: triplets of each source, and how many of them have a cycle: MOS-RMBench Table 5 prints 2.00 %, 1.54 %, 9.00 %."""


def clips_of(pairs, ratings, source=None) -> Clips:
    a, b = zip(*pairs, strict=True)
    return Clips(
        a=a,
        b=b,
        rating_a=np.array([ratings[one] for one in a], dtype=float),
        rating_b=np.array([ratings[one] for one in b], dtype=float),
        source=source or ["somos"] * len(pairs),
    )


def figures(judged, clips, name):
    return {one.of.get("corpus", "all"): one.measure for one in cycles(judged, clips, seed=1) if one.name == name}


def test_rates_of_mos_rmbench():
    """565 triplets of their own clips, 16 with a cycle: 2.83 % overall, and every source as printed."""
    pairs, ratings, said, source = [], {}, [], []
    for name, (n, cyclic) in CYCLES.items():
        for number in range(n):
            x, y, z = (f"{name} {number} {letter}" for letter in "xyz")
            ratings |= {x: 3, y: 2, z: 1}
            pairs += [(x, y), (y, z), (x, z)]
            said += [1, 1, -1 if number < cyclic else 1]
            source += [name] * 3
    found = figures(pairs_of([1] * len(pairs), said), clips_of(pairs, ratings, source), "cycle_rate")
    assert (found["all"].n, round(100 * found["all"].value, 2)) == (565, 2.83)
    assert {name: round(100 * found[name].value, 2) for name in CYCLES} == {
        "BVCC": 2.0, "NISQA": 2.0, "SingMOS": 2.0, "SOMOS": 1.54, "TMHINT-QI": 0.0, "VMC'23": 9.0,
    }  # fmt: skip


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=10, max_size=10), st.randoms(use_true_random=False))
def test_cycles_are_networkxs_whatever_the_stored_order(said, random):
    """All pairs of five clips, some stored the other way round."""
    pairs = [pair if random.random() < 0.5 else pair[::-1] for pair in itertools.combinations("vwxyz", 2)]
    clips = clips_of(pairs, dict(zip("vwxyz", range(5), strict=True)))
    wins = nx.DiGraph((a, b) if sign > 0 else (b, a) for (a, b), sign in zip(pairs, said, strict=True) if sign)
    count = sum(len(cycle) == 3 for cycle in nx.simple_cycles(wins, length_bound=3))
    found = figures(pairs_of([1] * 10, said), clips, "cycle_rate")["all"]
    assert (round(found.value * found.n), found.n) == (count, 10)


def test_answers_that_cannot_be_read_are_no_evidence_against_cycles():
    """A judge that answers nothing has no rate; a triplet with one unreadable answer does not count."""
    ratings = {"x": 3, "y": 2, "z": 1, "u": 3, "v": 2, "w": 1}
    clips = clips_of([("x", "y"), ("y", "z"), ("x", "z"), ("u", "v"), ("v", "w"), ("u", "w")], ratings)
    silent = pairs_of([1] * 6, [0] * 6, readable=[False] * 6)
    assert figures(silent, clips, "cycle_rate")["all"].value is None
    assert figures(silent, clips, "triplet_accuracy")["all"].value == 0.0
    half = pairs_of([1] * 6, [1, 1, -1, 1, 1, 0], readable=[True] * 5 + [False])
    found = figures(half, clips, "cycle_rate")["all"]
    assert (found.value, found.n) == (1.0, 1)


def test_triplets_have_three_ratings_and_all_pairs():
    assert not len(triplets(clips_of([("x", "y"), ("y", "z"), ("x", "z")], {"x": 1, "y": 1, "z": 2}), seed=1))
    assert not len(triplets(clips_of([("x", "y"), ("y", "z")], {"x": 1, "y": 3, "z": 2}), seed=1))


def test_as_many_triplets_as_asked_for_the_same_ones_each_time():
    pairs = list(itertools.combinations("abcdefgh", 2))
    clips = clips_of(pairs, {one: number for number, one in enumerate("abcdefgh")})
    assert len(triplets(clips, seed=1)) == 56
    assert triplets(clips, seed=1, most=5).tolist() == triplets(clips, seed=1, most=5).tolist()
    assert len(triplets(clips, seed=1, most=5)) == 5


def test_accuracy_is_over_the_pairs_of_the_triplets():
    """One of three pairs wrong, as in a cycle."""
    clips = clips_of([("x", "y"), ("y", "z"), ("x", "z")], {"x": 3, "y": 2, "z": 1})
    assert figures(pairs_of([1, 1, 1], [1, 1, -1]), clips, "triplet_accuracy")["all"].value == pytest.approx(2 / 3)
