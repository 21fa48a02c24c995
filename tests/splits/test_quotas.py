"""Quotas, and dividing them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splits.quotas import Size, apportion, check


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


@pytest.mark.parametrize(
    "size",
    [
        {},
        {"fraction": 0.5, "quota": 2},
        {"fraction": 0.0},
        {"fraction": 1.5},
        {"fraction": float("nan")},
        {"quota": 0},
        {"quota": -1},
    ],
)
def test_sizes_without_sense(size):
    """A size is a fraction of one whole or a number of rows."""
    with pytest.raises(ValueError, match=r"fraction|quota"):
        Size(**size)


def test_sizes_that_do_not_go_together():
    """Fractions add up to 1, beside any quotas."""
    check({"a": Size(fraction=0.75), "b": Size(fraction=0.25), "c": Size(quota=10)})
    check({"c": Size(quota=10)})
    with pytest.raises(ValueError, match=r"add up to 1, got 0\.9"):
        check({"a": Size(fraction=0.9), "c": Size(quota=10)})
    with pytest.raises(ValueError, match="at least one"):
        check({})
