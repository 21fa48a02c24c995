"""Rows of CSV, XLSX and JSONL files, one at a time, whatever the size of the file."""

import codecs
import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Never

from contracts.errors import DataError
from contracts.json_text import json_value

_DELIMITERS: Final = (",", ";", "\t")
_FOREIGN: Final = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16", b"PK\x03\x04": "a ZIP archive, perhaps XLSX"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row.

    Attributes:
        number: row as a spreadsheet program counts, the header being row 1; of JSONL the line.
        cells: column -> what stands there, untouched.
        problem: why the row as a whole cannot be read; None = it can.
    """

    number: int
    cells: Mapping[str, Any]
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table of a file, to be read once.

    Attributes:
        name: name of the sheet; None where files have one table only.
        header: columns, in order, doubled ones included; None where each row names its own.
        rows: all rows that are not empty.
    """

    name: str | None
    header: tuple[str, ...] | None
    rows: Iterator[Row]


def read_csv(path: Path, delimiter: str | None = None) -> Sheet:
    """Open a CSV file in UTF-8, with or without a byte order mark.

    Args:
        path: the file.
        delimiter: None = the one of comma, semicolon and tab that gives the header most columns.

    Raises:
        DataError: no such file, no UTF-8, no header, or a quote that never ends. The last ones may be raised while reading.
    """
    refuse_foreign(path)
    if delimiter is None:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = _guarded(path, file.readline)
        delimiter = max(_DELIMITERS, key=lambda each: _width(path, first, each))
    records = _records(path, delimiter)
    header = tuple(cell.strip() for cell in next(records, []))
    if not any(header):
        raise DataError(f"{path}: there is no header: the first row must name the columns")

    def rows() -> Iterator[Row]:
        for number, record in enumerate(records, start=2):
            if any(cell.strip() for cell in record):
                yield fitted(number, header, record)

    return Sheet(name=None, header=header, rows=rows())


def _width(path: Path, header: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([header], delimiter=delimiter), []))
    except csv.Error as error:
        raise DataError(f"{path}: line 1: no valid CSV ({error}): save the file again as CSV") from None


def _records(path: Path, delimiter: str) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            yield from reader
        except csv.Error as error:
            raise DataError(f"{path}: line {reader.line_num}: no valid CSV ({error}): save the file again as CSV") from None
        except UnicodeDecodeError as error:
            _no_utf8(path, error)


def fitted(number: int, header: tuple[str, ...], record: list[Any]) -> Row:
    """Return a row of the cells under a header; one with too few or too many has a problem."""
    cells = dict(zip(header, record, strict=False))
    problem = None
    if len(record) != len(header):
        problem = f"{len(record)} cells stand under a header of {len(header)}: mend the row"
    return Row(number=number, cells=cells, problem=problem)


def read_jsonl(path: Path) -> Sheet:
    """Open a file with one JSON object per line, in UTF-8.

    Raises:
        DataError: no such file or no UTF-8; the latter perhaps while reading. A line that is no object is a row with a problem.
    """
    refuse_foreign(path)

    def rows() -> Iterator[Row]:
        with path.open(encoding="utf-8-sig") as file:
            try:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield _object(number, line)
            except UnicodeDecodeError as error:
                _no_utf8(path, error)

    return Sheet(name=None, header=None, rows=rows())


def _object(number: int, line: str) -> Row:
    try:
        value = json_value(line)
    except ValueError as error:
        return Row(number=number, cells={}, problem=f"no valid JSON ({error}): one object per line is needed")
    if not isinstance(value, dict):
        return Row(number=number, cells={}, problem=f"a JSON object is needed, this is {type(value).__name__}")
    return Row(number=number, cells=value)


def refuse_foreign(path: Path) -> None:
    """Refuse a file that cannot be opened, or that is plainly not UTF-8 text.

    Raises:
        DataError: says what to do.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    for mark, what in _FOREIGN.items():
        if start.startswith(mark):
            raise DataError(f"{path}: this is {what}, not UTF-8 text: save it as CSV UTF-8, or give it its right ending")


def _guarded(path: Path, read: Any) -> str:
    try:
        return str(read())
    except UnicodeDecodeError as error:
        _no_utf8(path, error)


def _no_utf8(path: Path, error: UnicodeDecodeError) -> Never:
    raise DataError(
        f"{path}: byte 0x{error.object[error.start]:02x} is no UTF-8: save the file as 'CSV UTF-8', "
        "or convert it with iconv -f WINDOWS-1252 -t UTF-8"
    ) from None
