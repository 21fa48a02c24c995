"""Graphs of readings, against trying every reading of both texts."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from scoring import readings
from scoring.readings import Units, closest

forms = st.recursive(
    st.sampled_from("abc"),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.lists(inner, min_size=1, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def no_pair_is_affordable():
    """Every graph is too large for an exact search."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readings, "MOST_PAIRS", 0)
        yield


def expanded(form):
    """All readings of a form, the usual one first."""
    if isinstance(form, str):
        return [(form,)]
    if isinstance(form, tuple):
        return [sum(parts, ()) for parts in product(*map(expanded, form))]
    return [reading for one in form for reading in expanded(one)]


@given(st.lists(forms, max_size=3), st.lists(forms, max_size=3))
def test_closest_readings_are_the_closest(one, other):
    """What is chosen are readings of the two, and no other two are closer."""
    left, right = expanded(tuple(one)), expanded(tuple(other))
    said, heard = closest(Units(one), Units(other))
    assert tuple(said) in left
    assert tuple(heard) in right
    assert Levenshtein.distance(said, heard) == min(Levenshtein.distance(a, b) for a, b in product(left, right))


@given(st.lists(forms, max_size=4))
def test_a_text_is_its_usual_reading(form):
    """As a list it is the first of all choices."""
    assert tuple(Units(form)) == expanded(tuple(form))[0]


def test_usual_readings_win_a_tie():
    """Where nothing is heard, the usual reading is taken even if another is shorter by nothing."""
    assert closest(Units([["a", "b"], ["c", "d"]]), []) == (["a", "c"], [])
    assert closest(Units([["a", "b"]]), ["b"]) == (["b"], ["b"])


@given(st.lists(forms, max_size=3), st.lists(st.sampled_from("abc"), max_size=4))
def test_large_graphs_against_one_reading_are_exact(no_pair_is_affordable, one, words):
    """What is read against a text with a single reading is the closest reading."""
    said, heard = closest(Units(one), words)
    possible = expanded(tuple(one))
    assert heard == words
    assert tuple(said) in possible
    assert Levenshtein.distance(said, heard) == min(Levenshtein.distance(a, words) for a in possible)


@given(st.lists(forms, max_size=3), st.lists(forms, max_size=3))
def test_large_graphs_have_readings_of_theirs_either_way(no_pair_is_affordable, one, other):
    """Two graphs are read as two of their readings, the same ones whichever comes first, and none worse than the usual ones."""
    said, heard = closest(Units(one), Units(other))
    assert tuple(said) in expanded(tuple(one))
    assert tuple(heard) in expanded(tuple(other))
    assert closest(Units(other), Units(one)) == (heard, said)
    assert Levenshtein.distance(said, heard) <= Levenshtein.distance(list(Units(one)), list(Units(other)))


def test_two_long_lists_of_numbers_are_read():
    """Texts of 2000 characters of digits have more pairs than can be compared; equal numbers cost nothing."""
    one = [["a", ("b", "c"), "d"]] * 400
    assert closest(Units([*one, "x"]), Units([*one, "y"])) == ([*"a" * 400, "x"], [*"a" * 400, "y"])
