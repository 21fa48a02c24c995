"""Voting@N and the effects of order."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.bench.order_effects import order_effects
from scoring.bench.voting import voting
from tests.scoring.bench.judged import pairs_of

VOTES = st.lists(st.lists(st.sampled_from([-1, 0, 1]), min_size=10, max_size=10), min_size=1, max_size=8)


@given(VOTES)
def test_the_majority_is_that_of_a_count(votes):
    """Abstentions count for nobody, and a draw is wrong."""
    truth = [1 if number % 2 else -1 for number in range(len(votes))]
    found = {
        int(one.of["votes"]): one.measure.value for one in voting(pairs_of(truth, np.array(votes)[:, None, :]), {}, [], seed=1)
    }
    assert list(found) == list(range(1, 11))
    for number, value in found.items():
        counts = [Counter(row[:number]) for row in votes]
        assert value == pytest.approx(np.mean([c[t] > c[-t] for c, t in zip(counts, truth, strict=True)]))


def test_one_vote_is_no_election():
    assert not list(voting(pairs_of([1], [1]), {}, [], seed=1))


def test_parts_are_voted_on_with_all_votes():
    """Two of three votes are right in English, one in Chinese."""
    pairs = pairs_of([1, 1], [[[1, 1, -1]], [[1, -1, -1]]])
    found = [one for one in voting(pairs, {"language": ["en", "zh"]}, [("language",)], seed=1) if "language" in one.of]
    assert [(one.of, one.measure.value) for one in found] == [
        ({"language": "en", "votes": "3"}, 1.0),
        ({"language": "zh", "votes": "3"}, 0.0),
    ]


def effects(said) -> dict[str, float]:
    """Return the figures of pairs whose A is better; ``said`` in the stored order of clips."""
    pairs = pairs_of([1] * len(said), np.array(said)[:, :, None])
    return {" ".join([one.name, *one.of.values()]): one.measure.value for one in order_effects(pairs, seed=1)}


def test_a_judge_that_always_takes_the_first_clip():
    """Right in one order, wrong in the other, never consistent."""
    assert effects([[1, -1]] * 6) == {
        "first_preferred": 1.0, "order_consistency": 0.0, "accuracy stored": 1.0, "accuracy swapped": 0.0,
    }  # fmt: skip


def test_a_judge_that_hears_the_clips_is_consistent_right_or_wrong():
    assert effects([[1, 1], [-1, -1], [1, 0]]) == {
        "first_preferred": pytest.approx(2 / 3),
        "order_consistency": pytest.approx(2 / 3),
        "accuracy stored": pytest.approx(2 / 3),
        "accuracy swapped": pytest.approx(1 / 3),
    }


def test_one_order_says_which_clip_is_preferred_and_no_more():
    assert effects([[1], [1], [-1], [0]]) == {"first_preferred": pytest.approx(2 / 3)}
