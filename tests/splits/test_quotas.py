"""Quotas, and dividing them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import RecipeError
from splits.quotas import apportion, read


def test_hamilton_worked_example():
    """A textbook case of largest remainders: votes 47000, 16000, 15800, 12000, 6100, 3100 for 10 seats give 5, 2, 1, 1, 1, 0."""
    votes = {"yellows": 47000, "whites": 16000, "reds": 15800, "greens": 12000, "blues": 6100, "pinks": 3100}
    assert list(apportion(10, votes).values()) == [5, 2, 1, 1, 1, 0]


@settings(deadline=None)
@given(
    st.integers(0, 10_000),
    st.dictionaries(st.text("abc", min_size=1), st.integers(0, 1000), min_size=1).filter(lambda d: any(d.values())),
)
def test_apportionment_keeps_the_quota_rule(total, sizes):
    """Shares add up and each lies within one of the exact share, whatever the order of the names."""
    shares = apportion(total, sizes)
    assert sum(shares.values()) == total
    assert all(abs(shares[name] - total * size / sum(sizes.values())) < 1 for name, size in sizes.items())
    assert apportion(total, dict(reversed(sizes.items()))) == shares


def test_nothing_to_divide_among():
    """Seats without votes are an error, no seats are none."""
    with pytest.raises(ValueError, match="apportion"):
        apportion(3, {"a": 0})
    assert apportion(0, {"a": 0}) == {"a": 0}


def test_fractions_and_quotas_are_told_apart():
    """Floats are fractions, whole numbers are rows."""
    assert read({"sft": 0.8, "rl": 0.1, "bench": 0.1}).limits is None
    assert read({"sft": 80, "rl": 0, "bench": 10}).limits == {"sft": 80, "bench": 10}
    assert read({"sft": 1.0, "rl": 0}).weights == {"sft": 1.0}


@pytest.mark.parametrize(
    "targets", [{}, {"a": 0}, {"a": -1, "b": 2}, {"a": 0.5, "b": 10}, {"a": 0.5, "b": 0.4}, {"a": True}, {"a": float("nan")}]
)
def test_targets_without_sense(targets):
    """What is neither fractions of one whole nor numbers of rows is a recipe error."""
    with pytest.raises(RecipeError):
        read(targets)
