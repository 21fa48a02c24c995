"""Streamed rows of CSV and JSONL files, for files of any size."""

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
class FileRow:
    """One row.

    Attributes:
        number: row as a spreadsheet program counts, the header being row 1; of JSONL the line.
        cells: column -> raw value.
        problem: why the row as a whole cannot be read; None = it can be read.
    """

    number: int
    cells: Mapping[str, Any]
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class FileTable:
    """The table of a file; its rows can be read once.

    Attributes:
        name: name of the sheet; None where a file has one table only.
        header: columns, in order, doubled ones included; None where each row has its own.
        rows: all rows that are not empty.
    """

    name: str | None
    header: tuple[str, ...] | None
    rows: Iterator[FileRow]


def read_csv(path: Path, delimiter: str | None = None) -> FileTable:
    """Open a CSV file in UTF-8, or in UTF-16 with a byte order mark, as spreadsheet programs save it.

    A bad row becomes a row with a problem, and reading continues with the next line, so that a missing quotation mark affects
    no other row.

    Args:
        path: the file.
        delimiter: None = that of a first line ``sep=;``, else the one of comma, semicolon and tab that gives most columns.

    Raises:
        DataError: there is no such file, or no readable header.
    """
    check_is_text(path)
    lines = _lines(path)
    first = next(lines, "")
    if (found := _SEPARATOR.fullmatch(first.rstrip("\r\n"))) is not None:  # Excel's own line, which it does not show
        delimiter, first = delimiter or found[1], next(lines, "")
    if (problem := _encoding_problem(first)) is not None or "\0" in first:
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

    def rows() -> Iterator[FileRow]:
        for number, (record, problem) in enumerate(records, start=2):
            if problem is not None:
                yield FileRow(number=number, cells=dict(zip(header, record, strict=False)), problem=problem)
            elif any(cell.strip() for cell in record):
                yield row_of_cells(number, header, record)

    return FileTable(name=None, header=header, rows=rows())


def _width(path: Path, header: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([header], delimiter=delimiter), []))
    except csv.Error as error:
        raise DataError(f"{path}: line 1: no valid CSV ({error}): save the file again as CSV") from None


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file; an undecodable byte becomes half a surrogate pair."""
    with path.open(encoding=encoding_of(path), errors="surrogateescape", newline="") as file:
        yield from file


def _records(lines: Iterator[str], delimiter: str) -> Iterator[tuple[list[str], str | None]]:
    """Yield the cells of each record, and why it cannot be read; None = it can be read."""
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
        yield record, problem or _encoding_problem(used[0] if problem else "".join(used))


def row_of_cells(number: int, header: tuple[str, ...], record: list[Any]) -> FileRow:
    """Return the row of a record; one with too few or too many cells has a problem."""
    cells = dict(zip(header, record, strict=False))
    problem = None
    if len(record) != len(header):
        problem = f"{len(record)} cells stand under a header of {len(header)}: mend the row"
    return FileRow(number=number, cells=cells, problem=problem)


def read_jsonl(path: Path) -> FileTable:
    """Open a file with one JSON object per line, in UTF-8 or in UTF-16 with a byte order mark.

    Raises:
        DataError: there is no such file. A line that is no object becomes a row with a problem.
    """
    check_is_text(path)

    def rows() -> Iterator[FileRow]:
        for number, line in enumerate(_lines(path), start=1):
            if line.strip():
                yield _object(number, line)

    return FileTable(name=None, header=None, rows=rows())


def _object(number: int, line: str) -> FileRow:
    if (undecoded := _encoding_problem(line)) is not None:
        return FileRow(number=number, cells={}, problem=undecoded)
    try:
        value = json_value(line)
    except ValueError as error:
        advice = "write a backslash twice" if "escape" in str(error) else "one object per line is needed"
        return FileRow(number=number, cells={}, problem=f"no valid JSON ({error}): {advice}")
    if not isinstance(value, dict):
        return FileRow(number=number, cells={}, problem=f"a JSON object is needed, this is {type(value).__name__}")
    return FileRow(number=number, cells=value)


def check_is_text(path: Path) -> None:
    """Check that a file can be opened and is no ZIP archive.

    Raises:
        DataError: it cannot be opened, or is no text; says what to do.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if start.startswith(_ZIP):
        raise DataError(f"{path}: this is a ZIP archive, perhaps XLSX: save it as CSV UTF-8, or give it its right ending")


def encoding_of(path: Path) -> str:
    """Return UTF-16 for a file with its byte order mark, else UTF-8."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _encoding_problem(text: str) -> str | None:
    """Return the problem of a text with bytes of another encoding, and how to convert it; None = no problem."""
    found = _ESCAPED.search(text)
    if found is None:
        return None
    # Text in an old Chinese encoding decodes to whole Chinese words; a single odd byte is a Western letter.
    data = text.encode("utf-8", "surrogateescape")
    is_chinese = _CHINESE_WORD.search(data.decode("gb18030", "replace")) is not None
    encoding = "GB18030" if is_chinese else "BIG5" if _CHINESE_WORD.search(_decoded(data, "big5")) else "WINDOWS-1252"
    return (
        f"byte 0x{ord(found[0]) - 0xDC00:02x} is no UTF-8: save the file as 'CSV UTF-8', "
        f"or convert it with iconv -f {encoding} -t UTF-8"
    )
