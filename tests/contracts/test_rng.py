"""Seeded randomness depends on the row alone."""

from contracts.rng import generator_for, hash_fraction


def test_a_row_has_its_own_stream():
    """Other rows, drawn before or not, do not change a row's numbers."""
    first = generator_for(1, "s", "a").random(5).tolist()
    generator_for(1, "s", "b").random(100)
    assert generator_for(1, "s", "a").random(5).tolist() == first
    assert generator_for(1, "s", "b").random(5).tolist() != first
    assert generator_for(2, "s", "a").random(5).tolist() != first
    assert generator_for(1, "t", "a").random(5).tolist() != first


def test_the_stream_is_frozen():
    """These numbers must never change: releases depend on them. Philox is fixed by NumPy's compatibility policy."""
    assert generator_for(1, "s", "a").integers(1000, size=3).tolist() == FROZEN


def test_hash_fraction_is_uniform():
    """Ten thousand keys fill ten bins evenly (six standard deviations)."""
    counts = [0] * 10
    for number in range(10_000):
        counts[int(hash_fraction(7, "s", str(number)) * 10)] += 1
    assert all(abs(count - 1000) < 6 * 30 for count in counts)


FROZEN = [564, 47, 788]
