"""Cells: what they say, and that none of ours runs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.people.exchange.cells import as_bool, as_count, as_number, as_text, escape_formula, unescape_formula
from contracts.errors import DataError

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width forms are what is tested


@given(st.text() | st.builds(lambda head, tail: head + tail, st.sampled_from([*RISKY, "'", "'=", "''+"]), st.text()))
def test_any_text_is_written_so_that_it_does_not_run_and_read_as_it_was(text):
    """OWASP names the characters; XML 1.0 those that it has no way to write."""
    written = escape_formula(text)
    assert not written.startswith(RISKY)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", written)
    assert unescape_formula(written) == re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "\ufffd", text)


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, ""), (" a ", "a"), (True, "true"), (3, "3"), (3.0, "3"), (2.5, "2.5"), (-0.0, "0"), (1e20, str(10**20))],
)
def test_a_cell_says_the_same_whatever_the_program_stored(cell, text):
    assert as_text(cell) == text


@pytest.mark.parametrize("cell", [[1], {"a": 1}, float("nan"), float("inf"), b"x", object()])
def test_what_is_no_word_is_refused(cell):
    with pytest.raises(DataError):
        as_text(cell)


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-1", "1,5", "1:30"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(DataError, match="is no number"):
        as_number(text)


def test_half_a_play_is_refused():
    assert as_count("2.0") == 2
    with pytest.raises(DataError, match="no whole number"):
        as_count("2.5")


@pytest.mark.parametrize("text", ["maybe", "", "2", "oui"])
def test_what_is_neither_yes_nor_no_is_refused(text):
    with pytest.raises(DataError, match="is none of yes, no"):
        as_bool(text)
