"""Rows of a vendor's file, taken apart: one voice per annotator, its cells by what the mapping says they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from annotate.people.exchange.cells import as_text
from annotate.people.exchange.column_mapping import MARK, ColumnMap
from annotate.people.exchange.file_rows import Row, Sheet
from contracts.errors import DataError
from contracts.text_forms import compared

Role = tuple[str, ...]
"""What a cell is: ``("annotator",)``, ``("answers", question)``, ``("answers", question, option)`` ..."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """One annotator's cells.

    Attributes:
        cells: role -> what stands there, untouched; only roles that the mapping has.
        columns: role -> column of the file.
    """

    cells: Mapping[Role, Any]
    columns: Mapping[Role, str]

    def name(self) -> str | None:
        """Return the annotator as the file has it; None where it names nobody.

        Raises:
            DataError: the cell has no text.
        """
        return as_text(self.cells["annotator",]) if ("annotator",) in self.cells else None


def roles_of(mapping: ColumnMap) -> dict[Role, str]:
    """Return role -> column, as the mapping names it."""
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


def check_columns(path: Path, sheet: Sheet, mapping: ColumnMap, header: Sequence[str]) -> None:
    """Refuse a file that lacks a column of the mapping, has one twice, or may have a summary among the annotators' columns.

    Raises:
        DataError: names the column, and those that are there.
    """
    place = f"{path}: sheet {sheet.name!r}" if sheet.name is not None else str(path)
    for column in mapping.columns():
        if MARK in column:
            _check_marked(place, header, column, mapping)
        found = [name for name in header if (_counts(mapping, _varying(name, column)) if MARK in column else name == column)]
        lacking = [] if found else [column]
        if isinstance(mapping.wide, tuple):
            lacking = [name for mark in mapping.wide if (name := column.replace(MARK, mark)) not in header]
        if lacking:
            there = ", ".join(repr(name) for name in header if name) or "none"
            raise DataError(f"{place}: there is no column {lacking[0]!r}, only {there}: correct the mapping or the file")
        if len(set(found)) < len(found):
            raise DataError(f"{place}: there are two columns of the name {column!r}: rename one of them")


def _varying(column: str, pattern: str) -> str | None:
    """Return what stands for the mark in a column's name; None = the name does not fit."""
    head, _, tail = pattern.partition(MARK)
    fits = len(column) > len(head) + len(tail) and column.startswith(head) and column.endswith(tail)
    return column[len(head) : len(column) - len(tail)] if fits else None


def _check_marked(place: str, header: Sequence[str], pattern: str, mapping: ColumnMap) -> None:
    """Refuse columns that may be an annotator's or not: without a number, or in another spelling."""
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
    """Return whether what stands for the mark, if anything does, is an annotator's."""
    return mark is not None and (mark in mapping.wide if isinstance(mapping.wide, tuple) else _is_number(mark))


class VoiceReader:
    """Takes the rows of one file apart."""

    def __init__(self, mapping: ColumnMap) -> None:
        self._mapping = mapping
        self._roles = roles_of(mapping)
        self._numbers: dict[tuple[str, ...], list[str]] = {}

    def voices(self, row: Row) -> Iterator[Voice]:
        """Yield the voices of a row.

        Raises:
            DataError: lists of a row that should be parallel are not, or a column of the mapping is there under another
                spelling only.
        """
        self._check_spelling(row)
        if self._mapping.wide:
            for number in self._varied(tuple(row.cells)):
                yield self._wide(row, number)
        elif self._mapping.lists:
            yield from self._parallel(row)
        else:
            yield Voice(cells={role: row.cells.get(column) for role, column in self._roles.items()}, columns=self._roles)

    def _varied(self, names: tuple[str, ...]) -> list[str]:
        """Return what stands for the mark in these columns, in their order."""
        if names not in self._numbers:
            patterns = [column for role, column in self._roles.items() if MARK in column and role[0] == "answers"]
            found = [_varying(name, pattern) for name in names for pattern in patterns]
            counted = (number for number in found if number is not None and _counts(self._mapping, number))
            self._numbers[names] = list(dict.fromkeys(counted))
        return self._numbers[names]

    def _check_spelling(self, row: Row) -> None:
        """Refuse a row (of JSONL) without a column of the mapping, but with one so much like it that it must be meant."""
        if MARK in "".join(self._roles.values()) or all(column in row.cells for column in self._roles.values()):
            return
        others = {compared(name): name for name in row.cells if name not in self._roles.values()}
        for column in self._roles.values():
            close = get_close_matches(compared(column), others, n=1, cutoff=0.8) if column not in row.cells else []
            if close:
                raise DataError(f"there is no {column!r} here, but {others[close[0]]!r}: correct the key")

    def _wide(self, row: Row, number: str) -> Voice:
        columns = {role: column.replace(MARK, number) for role, column in self._roles.items()}
        cells = {role: row.cells.get(column) for role, column in columns.items()}
        if self._mapping.names_annotators and self._mapping.annotator == MARK:
            cells["annotator",] = number
        return Voice(cells=cells, columns=columns)

    def _parallel(self, row: Row) -> Iterator[Voice]:
        cells = {role: row.cells.get(column) for role, column in self._roles.items()}
        lists = {role: value for role, value in cells.items() if isinstance(value, list)}
        lengths = {self._roles[role]: len(value) for role, value in lists.items()}
        if len(set(lengths.values())) > 1:
            counted = ", ".join(f"{column!r} {length}" for column, length in lengths.items())
            raise DataError(f"lists of one row must be equally long, one entry per annotator: {counted}")
        if self._mapping.names_annotators and ("annotator",) not in lists:
            raise DataError(f"{self._mapping.annotator!r} holds no list: one entry per annotator is needed")
        for place in range(next(iter(lengths.values()), 0)):
            yield Voice(
                cells={role: lists[role][place] if role in lists else value for role, value in cells.items()},
                columns=self._roles,
            )
