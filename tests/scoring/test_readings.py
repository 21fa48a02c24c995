"""Graphs of readings, against trying every reading of both texts."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from scoring.readings import Units, closest

forms = st.recursive(
    st.sampled_from("abc"),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.lists(inner, min_size=1, max_size=3),
    max_leaves=6,
)


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
