"""Splits the rows of a vendor's file into the cells of each annotator, by their role in the mapping."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from annotate.people.exchange.cells import as_text
from annotate.people.exchange.column_mapping import MARK, ColumnMap
from annotate.people.exchange.file_rows import FileRow, FileTable
from contracts.errors import DataError
from contracts.text_forms import compared

Role = tuple[str, ...]
"""Role of a cell: ``("annotator",)``, ``("answers", question)``, ``("answers", question, option)`` ..."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnnotatorCells:
    """The cells of one annotator in one row.

    Attributes:
        cells: role -> raw value; only roles that the mapping has.
        columns: role -> column of the file.
    """

    cells: Mapping[Role, Any]
    columns: Mapping[Role, str]

    def name(self) -> str | None:
        """Return the annotator's name in the file; None where it has none.

        Raises:
            DataError: the cell has no text.
        """
        return as_text(self.cells["annotator",]) if ("annotator",) in self.cells else None


def roles_of(mapping: ColumnMap) -> dict[Role, str]:
    """Return role -> column of a mapping."""
    single = ("subject", "task", "annotator", "order", "seconds", "plays_a", "plays_b", "text_accurate_a", "text_accurate_b")
    roles: dict[Role, str] = {(name,): column for name in single if (column := getattr(mapping, name)) is not None}
    if not mapping.names_annotators:
        del roles["annotator",]
    for question, columns in mapping.answers.items():
        if isinstance(columns, str):
            roles["answers", question] = columns
        else:
            roles |= {("answers", question, option): column for option, column in columns.items()}
    return roles


def check_columns(path: Path, sheet: FileTable, mapping: ColumnMap, header: Sequence[str]) -> None:
    """Check that a file has every column of the mapping once, and no column that is perhaps an annotator's.

    Raises:
        DataError: a column is missing, doubled or ambiguous; names it, and the columns that exist.
    """
    place = f"{path}: sheet {sheet.name!r}" if sheet.name is not None else str(path)
    for column in mapping.columns():
        if MARK in column:
            _check_marked(place, header, column, mapping)
        found = [name for name in header if (_counts(mapping, _varying(name, column)) if MARK in column else name == column)]
        missing = [] if found else [column]
        if isinstance(mapping.wide, tuple):
            missing = [name for mark in mapping.wide if (name := column.replace(MARK, mark)) not in header]
        if missing:
            existing = ", ".join(repr(name) for name in header if name) or "none"
            raise DataError(f"{place}: there is no column {missing[0]!r}, only {existing}: correct the mapping or the file")
        if len(set(found)) < len(found):
            raise DataError(f"{place}: there are two columns of the name {column!r}: rename one of them")


def _varying(column: str, pattern: str) -> str | None:
    """Return the part of a column's name at the place of the mark; None = the name does not fit the pattern."""
    head, _, tail = pattern.partition(MARK)
    fits = len(column) > len(head) + len(tail) and column.startswith(head) and column.endswith(tail)
    return column[len(head) : len(column) - len(tail)] if fits else None


def _check_marked(place: str, header: Sequence[str], pattern: str, mapping: ColumnMap) -> None:
    """Refuse columns that are perhaps an annotator's: without a number, or in another spelling."""
    for name in header:
        mark = _varying(name, pattern)
        if mark is not None and mapping.wide is True and not _is_number(mark):
            raise DataError(
                f"{place}: column {name!r} fits {pattern!r}, but {MARK} stands for a number: if it is no annotator's, or "
                "annotators have names there, list whose columns count in the mapping, such as wide: [1, 2] or wide: [ann, bob]"
            )
        if mark is None and _counts(mapping, _varying(compared(name), compared(pattern))):
            raise DataError(f"{place}: column {name!r} is spelled otherwise than {pattern!r}: correct the mapping or the file")


def _is_number(mark: str) -> bool:
    return mark.isascii() and mark.isdigit()


def _counts(mapping: ColumnMap, mark: str | None) -> bool:
    """Return whether the part at the place of the mark belongs to an annotator."""
    return mark is not None and (mark in mapping.wide if isinstance(mapping.wide, tuple) else _is_number(mark))


class RowSplitter:
    """Splits the rows of one file by annotator."""

    def __init__(self, mapping: ColumnMap) -> None:
        self._mapping = mapping
        self._roles = roles_of(mapping)
        self._numbers: dict[tuple[str, ...], list[str]] = {}

    def split(self, row: FileRow) -> Iterator[AnnotatorCells]:
        """Yield the cells of each annotator of a row.

        Raises:
            DataError: lists of a row have different lengths, or a column of the mapping exists only in another spelling.
        """
        self._check_spelling(row)
        if self._mapping.wide:
            for number in self._varied(tuple(row.cells)):
                yield self._wide(row, number)
        elif self._mapping.lists:
            yield from self._parallel(row)
        else:
            yield AnnotatorCells(
                cells={role: row.cells.get(column) for role, column in self._roles.items()}, columns=self._roles
            )

    def _varied(self, names: tuple[str, ...]) -> list[str]:
        """Return the annotators' parts of these column names, in their order."""
        if names not in self._numbers:
            patterns = [column for role, column in self._roles.items() if MARK in column and role[0] == "answers"]
            found = [_varying(name, pattern) for name in names for pattern in patterns]
            counted = (number for number in found if number is not None and _counts(self._mapping, number))
            self._numbers[names] = list(dict.fromkeys(counted))
        return self._numbers[names]

    def _check_spelling(self, row: FileRow) -> None:
        """Refuse a row (of JSONL) that lacks a column of the mapping, but has one of nearly the same name."""
        if MARK in "".join(self._roles.values()) or all(column in row.cells for column in self._roles.values()):
            return
        others = {compared(name): name for name in row.cells if name not in self._roles.values()}
        for column in self._roles.values():
            close = get_close_matches(compared(column), others, n=1, cutoff=0.8) if column not in row.cells else []
            if close:
                raise DataError(f"there is no {column!r} here, but {others[close[0]]!r}: correct the key")

    def _wide(self, row: FileRow, number: str) -> AnnotatorCells:
        columns = {role: column.replace(MARK, number) for role, column in self._roles.items()}
        cells = {role: row.cells.get(column) for role, column in columns.items()}
        if self._mapping.names_annotators and self._mapping.annotator == MARK:
            cells["annotator",] = number
        return AnnotatorCells(cells=cells, columns=columns)

    def _parallel(self, row: FileRow) -> Iterator[AnnotatorCells]:
        cells = {role: row.cells.get(column) for role, column in self._roles.items()}
        lists = {role: value for role, value in cells.items() if isinstance(value, list)}
        lengths = {self._roles[role]: len(value) for role, value in lists.items()}
        if len(set(lengths.values())) > 1:
            counted = ", ".join(f"{column!r} {length}" for column, length in lengths.items())
            raise DataError(f"lists of one row must be equally long, one entry per annotator: {counted}")
        if self._mapping.names_annotators and ("annotator",) not in lists:
            raise DataError(f"{self._mapping.annotator!r} holds no list: one entry per annotator is needed")
        for place in range(next(iter(lengths.values()), 0)):
            yield AnnotatorCells(
                cells={role: lists[role][place] if role in lists else value for role, value in cells.items()},
                columns=self._roles,
            )
