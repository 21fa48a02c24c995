"""Tables on the terminal."""

import pytest

from flows.entry.printed_rows import print_rows


def test_a_table_shows_numbers_as_people_read_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Shares and small sums keep four digits, large sums cents; names that look like markup stay what they are."""
    print_rows([{"name": "[red]x", "kappa": 0.123456789, "usd": 12345.678901, "none": None, "by": {"cycle": 3}}], False)
    words = capsys.readouterr().out.split()
    assert words == ["name", "kappa", "usd", "none", "by", "[red]x", "0.1235", "12345.68", "cycle", "3"]
