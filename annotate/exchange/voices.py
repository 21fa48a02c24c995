"""Rows of a vendor's file, taken apart: one voice per annotator, its cells by what the mapping says they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotate.exchange.mapping import MARK, ColumnMap
from annotate.exchange.rows import Row, Sheet
from contracts.errors import DataError

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
    """Refuse a file that lacks a column of the mapping, or has one twice.

    Raises:
        DataError: names the column, and those that are there.
    """
    place = f"{path}: sheet {sheet.name!r}" if sheet.name is not None else str(path)
    for column in mapping.columns():
        found = [name for name in header if (_varying(name, column) is not None if MARK in column else name == column)]
        if not found:
            there = ", ".join(repr(name) for name in header if name) or "none"
            raise DataError(f"{place}: there is no column {column!r}, only {there}: correct the mapping or the file")
        if len(set(found)) < len(found):
            raise DataError(f"{place}: there are two columns of the name {column!r}: rename one of them")


def _varying(column: str, pattern: str) -> str | None:
    """Return what stands for the mark in a column's name; None = the name does not fit."""
    head, _, tail = pattern.partition(MARK)
    fits = len(column) > len(head) + len(tail) and column.startswith(head) and column.endswith(tail)
    return column[len(head) : len(column) - len(tail)] if fits else None


class VoiceReader:
    """Takes the rows of one file apart."""

    def __init__(self, mapping: ColumnMap) -> None:
        self._mapping = mapping
        self._roles = roles_of(mapping)
        self._numbers: dict[tuple[str, ...], list[str]] = {}

    def voices(self, row: Row) -> Iterator[Voice]:
        """Yield the voices of a row.

        Raises:
            DataError: lists of a row that should be parallel are not.
        """
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
            self._numbers[names] = list(dict.fromkeys(number for number in found if number is not None))
        return self._numbers[names]

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
