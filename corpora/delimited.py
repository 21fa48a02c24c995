"""Rows of CSV and TSV files, by the names of their columns.

CSV has a header and double quotes; TSV has a header and no quoting at all.
"""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from contracts.errors import DataError

_MOST_NAMED: Final = 20
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


def separated_rows(
    text: str, where: str, check: Callable[[list[str], str], None], required: Collection[str], *, tabs: bool
) -> Iterator[tuple[int, Mapping[str, str] | None]]:
    """Yield row number (of its last line) and fields; None for a row with too few, too many or badly quoted fields.

    Args:
        text: the file.
        where: its name, for messages.
        check: raises where the header names a column that it must not; gets the header and where it stands.
        required: columns that must be there.
        tabs: TSV instead of CSV.

    Raises:
        DataError: the header lacks a column or has one twice, or a quote is not closed.
    """
    rows = _tab_separated(text) if tabs else _comma_separated(text, where)
    header = [name.strip() for name in next(rows, (0, []))[1] or []]
    check(header, f"{where}, header")
    missing = [column for column in required if column not in header]
    if missing:
        it_has = [name[:40] for name in header[:_MOST_NAMED]]
        more = f" and {len(header) - _MOST_NAMED} more" if len(header) > _MOST_NAMED else ""
        raise DataError(
            f"{where}, header: no column {missing[0]!r}, it has {it_has}{more}; the first line must name the columns, in UTF-8"
        )
    if twice := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
        raise DataError(f"{where}, header: a column occurs twice: {twice[0][:40]!r}; name each once")
    for number, values in rows:
        if values is None or len(values) != len(header):
            yield number, None
        else:
            yield number, dict(zip(header, values, strict=True))


def unknown(name: str, known: Collection[str], where: str) -> DataError:
    """Return the error for an unknown column, with the nearest known one."""
    close = get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return DataError(f"{where}: unknown column {name[:80]!r}.{hint} Known: {', '.join(known)}")


def _tab_separated(text: str) -> Iterator[tuple[int, list[str] | None]]:
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if line:
            yield number, line.split("\t")


def _comma_separated(text: str, where: str) -> Iterator[tuple[int, list[str] | None]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        before = reader.line_num
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > before + 1:  # nobody knows at which of these lines the next row begins
                advice = "look for a double quote that is not closed or not doubled"
                raise DataError(f"{where}, row {reader.line_num}: {error}; {advice}") from error
            yield reader.line_num, None
            continue
        if values:
            yield reader.line_num, values
