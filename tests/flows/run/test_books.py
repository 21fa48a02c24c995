"""The books balance or the build stops."""

import pyarrow as pa
import pytest

from contracts.errors import BooksError
from flows.run.books import Books, count, in_words, reasons_of


def test_balanced_books_pass():
    """In = out + failed + dropped."""
    page = Books(stage="s", unit="rows", rows_in=10, rows_out=6, failed={"timeout": 1}, dropped={"cycle": 2, "tie": 1})
    assert page.balanced() is page
    assert in_words([page]) == ["s: 10 rows -> 6; 1 failed (timeout 1); 3 dropped (cycle 2, tie 1)"]


@pytest.mark.parametrize("rows_out", [5, 7])
def test_a_row_too_few_or_too_many_is_an_error(rows_out):
    """A row that vanishes and a row that is counted twice are both defects."""
    with pytest.raises(BooksError, match="stage s: 10 rows in, but"):
        Books(stage="s", unit="rows", rows_in=10, rows_out=rows_out, failed={"timeout": 4}).balanced()


def test_counting_is_by_reason_and_subject():
    """Only the rows asked for are counted, most frequent reason first."""
    table = pa.table({"row_id": ["a", "b", "c", "d"], "reason": ["x", "y", "y", "z"]})
    assert reasons_of(table, pa.array(["a", "b", "c"])) == {"y": 2, "x": 1}
    assert list(count(table["reason"])) == ["y", "x", "z"]
