"""Rows of XLSX workbooks, streamed, with results of formulas, and merged cells filled down.

A merged range holds its value in its first cell only (ECMA-376, 18.3.1.55); here every cell of the range has it, as it looks on
the screen. A formula without a stored result is reported as a problem, not read as an empty cell.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Final, NamedTuple

from annotate.people.exchange.cells import UnreadableCell
from annotate.people.exchange.file_rows import FileRow, FileTable, row_of_cells
from contracts.errors import DataError

_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[\s/>]")
_MERGED: Final = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+[0-9]+:[A-Z]+[0-9]+)"')
_CHUNK: Final = 1 << 20
_LONGEST: Final = 200  # bytes of an XML tag that may lie across two chunks
_BLANK: Final = 5  # rows read to find out whether a sheet is empty

# Parsers of XML raise kinds of SyntaxError.
_DAMAGES: Final = (SyntaxError, zipfile.BadZipFile, zlib.error, EOFError)

_NO_RESULT: Final = UnreadableCell(
    "a formula stands here whose result is not stored: open the file in a spreadsheet program, put values in place of formulas "
    "and save it"
)


class _Range(NamedTuple):
    """A merged range; rows and columns from 1, both ends included."""

    top: int
    left: int
    bottom: int
    right: int


def read_xlsx(path: Path, sheet: str | None = None) -> FileTable:
    """Open one sheet of a workbook.

    Args:
        path: the file.
        sheet: its name; None = the only one that is not empty.

    Raises:
        DataError: there is no such file, workbook or sheet, several sheets are possible, the header is missing, or a part is
            damaged; the last perhaps while reading.
    """
    try:
        found = _opened(path, sheet)
    except _DAMAGES as error:
        raise _damaged(path, error) from None

    def rows() -> Iterator[FileRow]:
        try:
            yield from found.rows
        except _DAMAGES as error:
            raise _damaged(path, error) from None

    return FileTable(name=found.name, header=found.header, rows=rows())


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: the workbook is damaged ({error}): open it in a spreadsheet program and save it again")


def _opened(path: Path, sheet: str | None) -> FileTable:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: no XLSX workbook, or one with a password ({error}): save it as plain XLSX") from None
    name = _chosen(path, book, sheet)
    marks = _sheet_features(path, name)
    rows = _cells(book[name])
    if marks.formulas:
        sources = openpyxl.load_workbook(path, read_only=True)[name]
        rows = _with_sources(rows, sources)
    numbered = enumerate(_filled(rows, marks.merged), start=1)
    header: tuple[str, ...] = ()
    for _, cells in numbered:
        header = tuple(cell.strip() if isinstance(cell, str) else "" if cell is None else str(cell) for cell in _trimmed(cells))
        if any(header):
            break
    if not any(header):
        raise DataError(f"{path}: sheet {name!r}: there is no header: the first row must name the columns")

    def body() -> Iterator[FileRow]:
        for number, cells in numbered:
            kept = _trimmed(cells)
            if kept:
                yield row_of_cells(number, header, [*kept, *repeat(None, len(header) - len(kept))])

    return FileTable(name=name, header=header, rows=body())


def _chosen(path: Path, book: Any, sheet: str | None) -> str:
    names = [each.title for each in book.worksheets]
    if sheet is not None:
        if sheet not in names:
            raise DataError(f"{path}: there is no sheet {sheet!r}: it has {', '.join(map(repr, names))}")
        return sheet
    used = [each.title for each in book.worksheets if _in_use(each)]
    if len(used) == 1:
        return str(used[0])
    if not used:
        raise DataError(f"{path}: all sheets are empty")
    raise DataError(f"{path}: it has several sheets ({', '.join(map(repr, used))}): name one as 'sheet' in the mapping")


def _in_use(sheet: Any) -> bool:
    return any(
        any(cell is not None for cell in row) for row, _ in zip(sheet.iter_rows(values_only=True), range(_BLANK), strict=False)
    )


class _SheetFeatures(NamedTuple):
    """What the streaming reader does not report: whether there are formulas, and which cells are merged."""

    formulas: bool
    merged: list[_Range]


def _sheet_features(path: Path, name: str) -> _SheetFeatures:
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.utils.cell import range_boundaries

    reader = ExcelReader(str(path), read_only=True)
    reader.read_manifest()
    reader.read_workbook()
    parts = {sheet.name: rel.target for sheet, rel in reader.parser.find_sheets()}
    formulas, refs = False, set()
    with zipfile.ZipFile(path) as archive, archive.open(parts[name].lstrip("/")) as part:
        before = b""
        while chunk := part.read(_CHUNK):
            window = before + chunk
            formulas = formulas or _FORMULA.search(window) is not None
            refs |= {match.decode() for match in _MERGED.findall(window)}
            before = window[-_LONGEST:]
    ranges = []
    for ref in refs:
        left, top, right, bottom = range_boundaries(ref)
        ranges.append(_Range(top, left, bottom, right))  # type: ignore[arg-type]
    return _SheetFeatures(formulas, sorted(ranges))


def _cells(sheet: Any) -> Iterator[list[Any]]:
    sheet.reset_dimensions()  # some programs write a wrong one, and the reader would stop there
    for row in sheet.iter_rows():
        yield [
            UnreadableCell(f"the error {cell.value} stands here: type the answer") if cell.data_type == "e" else cell.value
            for cell in row
        ]


def _with_sources(rows: Iterator[list[Any]], sources: Any) -> Iterator[list[Any]]:
    sources.reset_dimensions()
    for cells, source in zip(rows, sources.iter_rows(), strict=True):
        yield [
            _NO_RESULT if value is None and origin is not None and origin.data_type == "f" else value
            for value, origin in zip(
                chain(cells, repeat(None, max(0, len(source) - len(cells)))), chain(source, repeat(None)), strict=False
            )
        ]


def _filled(rows: Iterator[list[Any]], ranges: Sequence[_Range]) -> Iterator[list[Any]]:
    """Fill every cell of a merged range with the value of its first one."""
    waiting = list(reversed(ranges))
    open_ranges: list[tuple[_Range, Any]] = []
    for number, cells in enumerate(rows, start=1):
        while waiting and waiting[-1].top <= number:
            each = waiting.pop()
            open_ranges.append((each, cells[each.left - 1] if each.left <= len(cells) else None))
        open_ranges = [(each, value) for each, value in open_ranges if each.bottom >= number]
        for each, value in open_ranges:
            cells.extend(repeat(None, each.right - len(cells)))
            cells[each.left - 1 : each.right] = repeat(value, each.right - each.left + 1)
        yield cells


def _trimmed(cells: list[Any]) -> list[Any]:
    """Drop empty cells at the end, which only some programs write."""
    end = len(cells)
    while end and (cells[end - 1] is None or cells[end - 1] == ""):
        end -= 1
    return cells[:end]
