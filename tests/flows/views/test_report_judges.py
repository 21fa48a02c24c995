"""The report's section about judges: its numbers, what it says where there are none, and that it escapes."""

import re

import pyarrow as pa
import pytest

from annotate.models.inquiry_rows import inquiries_of
from contracts.schemas import PAIRS, empty
from flows.views.report import judges_content, render
from tests.annotate.judgments import judgment, table


def section(judgments, pairs=None, failed=None):
    shown = judges_content(inquiries_of(judgments), empty("pairs") if pairs is None else pairs, failed)
    return render("report_judges.html.jinja", {"judges": shown})


def cells(page):
    """Return the texts of all table rows."""
    lines = re.findall(r"<tr>(.*?)</tr>", page)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line)] for line in lines]


def test_each_inquiry_and_each_two_of_them_are_shown():
    """Two judges on three pairs of one text: bias, flips, ties, cycle and consistency of each, then how they agree."""
    said = {"p0": "a", "p1": "a", "p2": "b"}
    first = [judgment(pair, order, 0, verdict) for pair, verdict in said.items() for order in ("ab", "ba")]
    second = [
        judgment(pair, "ab", vote, "a", judgment_id=f"{pair}-{vote}", judge="openai", model="omni")
        for pair in said
        for vote in range(2)
    ]
    keys = [("p0", "x", "y"), ("p1", "y", "z"), ("p2", "x", "z")]
    filled = {field.name: "-" for field in PAIRS}
    pairs = pa.Table.from_pylist(
        [filled | {"pair_id": pair, "group_id": "g", "sample_a": a, "sample_b": b} for pair, a, b in keys], schema=PAIRS
    )
    rows = cells(section(table([*first, *second]), pairs, failed=[2, None]))
    assert rows[1] == [
        "gemini", "flash", "task1", "v1", "s1", "recipe", "6", "3", "50.0 % [18.8, 81.2]", "0.0 % [0.0, 56.1]", "0.0 % [0.0, 39.0]", "100.0 %", "undefined", "25.0 % [7.1, 59.1]",
    ]  # fmt: skip
    assert rows[2] == [
        "openai", "omni", "task1", "v1", "s1", "recipe", "6", "3", "100.0 % [61.0, 100.0]", "undefined", "0.0 % [0.0, 39.0]", "0.0 %", "100.0 %", "undefined",
    ]  # fmt: skip
    assert rows[4] == ["0.000", "0.000", "66.7 % [20.8, 93.9]", "3", "33.3 % [6.1, 79.2]"]
    assert rows[6][0] == "naturalness"
    assert rows[6][1] == "undefined"  # the second judge's lead is the same on every pair


def test_no_number_where_there_is_none():
    """What is undefined says why, and a workspace without judgments says so."""
    assert "None yet." in section(empty("judgments"))
    page = section(table([judgment("p", "ab", 0, None)]))
    assert 'title="no judgment has a preference">undefined' in page
    assert "nan" not in page.lower()


@pytest.mark.parametrize("column", ["model", "judge", "prompt_version", "task"])
def test_names_are_escaped(column):
    """A model may call itself what it likes."""
    evil = "<script>alert(1)</script>"
    page = section(table([judgment("p", "ab", 0, "a", **{column: evil})]))
    assert evil not in page
    assert "&lt;script&gt;" in page


def test_dimensions_are_escaped():
    """So may a dimension."""
    rows = [
        judgment("p", "ab", 0, "a", a={"<b>": 2.0}, b={"<b>": 1.0}, model=model, judgment_id=model) for model in ("one", "two")
    ]
    page = section(table(rows))
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
