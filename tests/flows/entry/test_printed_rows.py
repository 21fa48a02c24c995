"""Tables on the terminal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.entry.printed_rows import json_text, legible, print_rows


def test_a_table_shows_numbers_as_people_read_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Shares and small sums keep four digits, large sums cents; names that look like markup stay what they are."""
    print_rows([{"name": "[red]x", "kappa": 0.123456789, "usd": 12345.678901, "none": None, "by": {"cycle": 3}}], False)
    words = capsys.readouterr().out.split()
    assert words == ["name", "kappa", "usd", "none", "by", "[red]x", "0.1235", "12345.68", "cycle", "3"]


@given(st.text())
def test_json_on_the_terminal_is_what_it_says(text: str) -> None:
    """No character of a text turns the direction of writing, moves the cursor or hides; programs read the same text."""
    printed = json_text({"text": text})
    assert all(line.isprintable() for line in printed.split("\n"))
    assert json.loads(printed) == {"text": text}


def test_letters_of_all_scripts_stay_letters() -> None:
    assert json_text("你好 é \u202eabc\x1b[31m \U000e0041") == '"你好 é \\u202eabc\\u001b[31m \\udb40\\udc41"'


def test_a_line_stays_one_line() -> None:
    assert legible("你好 \x1b[31m\nred") == "你好 \\u001b[31m\\nred"
