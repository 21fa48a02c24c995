"""Rows of CSV, XLSX and JSONL files, one at a time, whatever the size of the file."""

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

from contracts.errors import DataError
from contracts.json_text import json_value

_DELIMITERS: Final = (",", ";", "\t")
_ZIP: Final = b"PK\x03\x04"
_SEPARATOR: Final = re.compile('"?sep=(.)"?')
_ESCAPED: Final = re.compile("[\udc80-\udcff]")
_CHINESE_WORD: Final = re.compile("[\u4e00-\u9fff]{2}")


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
    """Open a CSV file in UTF-8, or in UTF-16 with a byte order mark, as spreadsheet programs save it.

    A row that cannot be read is a row with a problem, and the next line begins the next row: a lost quotation mark takes no
    other rows with it.

    Args:
        path: the file.
        delimiter: None = what a first line ``sep=;`` says, else the one of comma, semicolon and tab that gives most columns.

    Raises:
        DataError: no such file, or no header that can be read.
    """
    refuse_foreign(path)
    lines = _lines(path)
    first = next(lines, "")
    if (said := _SEPARATOR.fullmatch(first.rstrip("\r\n"))) is not None:  # Excel's own line, of which nothing is shown
        delimiter, first = delimiter or said[1], next(lines, "")
    if (problem := _undecoded(first)) is not None or "\0" in first:
        raise DataError(f"{path}: line 1: {problem or 'this is UTF-16 without its mark, or no text: save it as CSV UTF-8'}")
    if delimiter is None:
        delimiter = max(_DELIMITERS, key=lambda each: _width(path, first, each))
    records = _records(chain([first], lines), delimiter)
    record, problem = next(records, ([], None))
    if problem is not None:
        raise DataError(f"{path}: line 1: {problem}")
    header = tuple(cell.strip() for cell in record)
    if not any(header):
        raise DataError(f"{path}: there is no header: the first row must name the columns")

    def rows() -> Iterator[Row]:
        for number, (record, problem) in enumerate(records, start=2):
            if problem is not None:
                yield Row(number=number, cells=dict(zip(header, record, strict=False)), problem=problem)
            elif any(cell.strip() for cell in record):
                yield fitted(number, header, record)

    return Sheet(name=None, header=header, rows=rows())


def _width(path: Path, header: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([header], delimiter=delimiter), []))
    except csv.Error as error:
        raise DataError(f"{path}: line 1: no valid CSV ({error}): save the file again as CSV") from None


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file; a byte that is none of its encoding becomes half a surrogate pair."""
    with path.open(encoding=encoding_of(path), errors="surrogateescape", newline="") as file:
        yield from file


def _records(lines: Iterator[str], delimiter: str) -> Iterator[tuple[list[str], str | None]]:
    """Yield the cells of each record, and why it cannot be read; None = it can."""
    waiting: deque[str] = deque()
    used: list[str] = []
    width: int | None = None

    def feed() -> Iterator[str]:
        while (line := waiting.popleft() if waiting else next(lines, None)) is not None:
            used.append(line)
            yield line

    while True:
        used.clear()
        problem = None
        try:
            record = next(csv.reader(feed(), delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except csv.Error as error:
            record, problem = used[0].rstrip("\r\n").split(delimiter), f"no valid CSV ({error}): mend the quotation marks"
        if problem is None and len(used) > 1 and width is not None and len(record) != width:
            record = used[0].rstrip("\r\n").split(delimiter)
            problem = "a quotation mark is missing or too many: mend the row"
        if problem is not None:
            waiting.extendleft(reversed(used[1:]))
        width = len(record) if width is None else width
        yield record, problem or _undecoded(used[0] if problem else "".join(used))


def fitted(number: int, header: tuple[str, ...], record: list[Any]) -> Row:
    """Return a row of the cells under a header; one with too few or too many has a problem."""
    cells = dict(zip(header, record, strict=False))
    problem = None
    if len(record) != len(header):
        problem = f"{len(record)} cells stand under a header of {len(header)}: mend the row"
    return Row(number=number, cells=cells, problem=problem)


def read_jsonl(path: Path) -> Sheet:
    """Open a file with one JSON object per line, in UTF-8 or in UTF-16 with a byte order mark.

    Raises:
        DataError: no such file. A line that is no object is a row with a problem.
    """
    refuse_foreign(path)

    def rows() -> Iterator[Row]:
        for number, line in enumerate(_lines(path), start=1):
            if line.strip():
                yield _object(number, line)

    return Sheet(name=None, header=None, rows=rows())


def _object(number: int, line: str) -> Row:
    if (undecoded := _undecoded(line)) is not None:
        return Row(number=number, cells={}, problem=undecoded)
    try:
        value = json_value(line)
    except ValueError as error:
        advice = "write a backslash twice" if "escape" in str(error) else "one object per line is needed"
        return Row(number=number, cells={}, problem=f"no valid JSON ({error}): {advice}")
    if not isinstance(value, dict):
        return Row(number=number, cells={}, problem=f"a JSON object is needed, this is {type(value).__name__}")
    return Row(number=number, cells=value)


def refuse_foreign(path: Path) -> None:
    """Refuse a file that cannot be opened, or that is plainly no text.

    Raises:
        DataError: says what to do.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if start.startswith(_ZIP):
        raise DataError(f"{path}: this is a ZIP archive, perhaps XLSX: save it as CSV UTF-8, or give it its right ending")


def encoding_of(path: Path) -> str:
    """Return UTF-16 for a file that begins with its mark, else UTF-8."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _undecoded(text: str) -> str | None:
    """Return what is wrong with a text that holds bytes of another encoding, and how to convert it; None = nothing."""
    found = _ESCAPED.search(text)
    if found is None:
        return None
    # A program that writes Chinese in its old encoding gives whole words of it; one odd letter is Western.
    data = text.encode("utf-8", "surrogateescape")
    is_chinese = _CHINESE_WORD.search(data.decode("gb18030", "replace")) is not None
    encoding = "GB18030" if is_chinese else "BIG5" if _CHINESE_WORD.search(_decoded(data, "big5")) else "WINDOWS-1252"
    return (
        f"byte 0x{ord(found[0]) - 0xDC00:02x} is no UTF-8: save the file as 'CSV UTF-8', "
        f"or convert it with iconv -f {encoding} -t UTF-8"
    )
