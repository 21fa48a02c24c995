"""After rebalancing the audit is silent; as few pairs leave as have to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.audit.rebalancing import BINS, rows_to_drop
from tests.scoring.audit.planted import Simulated, pairs
from tests.scoring.audit.test_association import audited, named
from tests.scoring.audit.test_reader import read


def mixed(seed, shortcuts, *, groups=150):
    """Return pairs of which two thirds have shortcuts: the others tell the other way often enough."""
    spoilt, clean = pairs(seed, groups=2 * groups, shortcuts=shortcuts), pairs(seed + 1, groups=groups)
    return Simulated(
        {name: np.concatenate([spoilt.differences[name], clean.differences[name]]) for name in spoilt.differences},
        np.concatenate([spoilt.chosen, clean.chosen]),
        np.concatenate([spoilt.groups, clean.groups + 2 * groups]),
    )


def balanced(simulated, features, **options):
    told = {name: simulated.differences[name] * simulated.chosen for name in features}
    rank = np.random.default_rng(9).permutation(len(simulated.chosen))
    dropped = rows_to_drop(told, rank, **options)
    stays = np.ones(len(simulated.chosen), dtype=bool)
    stays[list(dropped)] = False
    return simulated.taken(stays), dropped


@pytest.mark.parametrize(
    ("shortcuts", "features"),
    [
        (("longer",), ("duration_s",)),
        (("louder",), ("loudness_lufs",)),
        (("real",), ("is_synthetic",)),
        (("longer", "louder", "real"), ("duration_s", "loudness_lufs", "is_synthetic")),
    ],
)
def test_the_audit_is_silent_afterwards(shortcuts, features):
    """What was found before is not found afterwards, by no feature and by no reader."""
    before = mixed(31, shortcuts)
    assert named(audited(before)) == set(features)
    after, dropped = balanced(before, features)
    assert 0 < len(dropped) < len(before.chosen)
    assert named(audited(after)) == set()
    assert not read(after).is_found


def test_the_fewest_pairs_leave_of_a_feature_with_two_values():
    """Seven real clips were chosen over synthetic ones, three the other way, two pairs have no difference: four leave."""
    told = {"is_synthetic": np.array([-1.0] * 7 + [1.0] * 3 + [0.0] * 2)}
    rank = np.arange(12)
    assert rows_to_drop(told, rank) == dict.fromkeys((3, 4, 5, 6), "is_synthetic")  # the last ones by hash
    assert len(rows_to_drop(told, rank, bound=0.6)) == 3  # 4 of 7 are within 60 %, 5 of 8 are not


def test_a_feature_that_always_tells_takes_all_its_pairs():
    """Nothing can be balanced where real clips are always the better ones; pairs without a difference stay."""
    told = {"is_synthetic": np.array([-1.0] * 5 + [0.0] * 4)}
    assert sorted(rows_to_drop(told, np.arange(9))) == [0, 1, 2, 3, 4]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 0.55, 0.7]))
def test_every_bin_keeps_the_bound(seed, bound):
    """Where the rule ends, no feature has more of one direction than the bound, and balanced pairs all stay."""
    before = mixed(seed, ("longer", "louder"), groups=20)
    after, _ = balanced(before, ("duration_s", "loudness_lufs"), bound=bound)
    for name in ("duration_s", "loudness_lufs"):
        more = np.sign(after.differences[name] * after.chosen)
        assert max(np.sum(more > 0), np.sum(more < 0)) <= bound * np.sum(more != 0) + BINS
    again, dropped = balanced(after, (), bound=bound)
    assert not dropped
    assert len(again.chosen) == len(after.chosen)


def test_a_lost_pair_moves_at_most_its_own_direction():
    """Without one pair of the surplus, the others that stay are the same."""
    told = {"is_synthetic": np.array([-1.0] * 40 + [1.0] * 25)}
    rank = np.random.default_rng(0).permutation(65)
    dropped = set(rows_to_drop(told, rank))
    lost = min(dropped)
    rest = np.array([row for row in range(65) if row != lost])
    assert {int(rest[row]) for row in rows_to_drop({"is_synthetic": told["is_synthetic"][rest]}, rank[rest])} == dropped - {
        lost
    }
