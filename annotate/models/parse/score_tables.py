"""Scores of two outputs in a table: read only where exactly one heading marks its numbers as the scores.

Outputs may be rows or columns. A table may also hold scores of the criteria. A rank, a count or a remark makes the meaning of
its numbers unclear, and nothing is read from it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_RULE: Final = re.compile(r"[\s|:-]*-[\s|:-]*")
_SCORE_HEADING: Final = re.compile(
    r"(?:(?:final|overall|total|naturalness|conclusion)\s)*(?:scores?|ratings?|overall|total|final|naturalness|points"
    r"|\u8bc4\u5206|\u5f97\u5206|\u5206\u6570)(?:\s(?:1\s(?:to\s)?10|(?:out\s)?(?:of\s)?10))?"
)
_NAMES_HEADING: Final = re.compile(r"(?:outputs?|audios?|criteri(?:on|a)|dimensions?|aspects?)?")


Cell = tuple[int, str]
"""Number of the line and text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreTable:
    """What a table gives.

    Attributes:
        lines: numbers of its lines, from 0.
        cells: those of the scores, one per label; none where all its headings are criteria, and None where it is not clear
            what its numbers are.
    """

    lines: range
    cells: tuple[Cell, ...] | None


def score_tables(
    lines: Sequence[str], labels: Sequence[frozenset[str]], is_criterion: Callable[[str], bool]
) -> Iterator[ScoreTable]:
    """Yield the tables of a text.

    Args:
        lines: its lines.
        labels: how each of the two outputs may be called in a cell, in lower case.
        is_criterion: whether a heading names one of the criteria.
    """
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and "|" in lines[end]:
            end += 1
        if end - start > 1 and (_has_rule(lines[start:end]) or all(line.lstrip().startswith("|") for line in lines[start:end])):
            rows = [_cells(place, lines[place]) for place in range(start, end) if not _RULE.fullmatch(lines[place])]
            yield ScoreTable(lines=range(start, end), cells=_scores(rows, labels, is_criterion))
        start = max(end, start + 1)


def _has_rule(lines: Sequence[str]) -> bool:
    return any(_RULE.fullmatch(line) for line in lines)


def _cells(place: int, line: str) -> list[Cell]:
    return [(place, cell.strip()) for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def _bare(cell: Cell) -> str:
    return re.sub(r"[\W_]+", " ", cell[1]).strip().casefold()


def _scores(
    rows: Sequence[Sequence[Cell]], labels: Sequence[frozenset[str]], is_criterion: Callable[[str], bool]
) -> tuple[Cell, ...] | None:
    """Return the cells of the scores, as ``ScoreTable.cells``."""
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        return None
    for head, *body in (rows, list(zip(*rows, strict=True))):
        columns = _columns([_bare(cell) for cell in head], labels)
        if columns is not None:
            return _of_columns(head, body, columns, is_criterion)
    return None


def _columns(head: Sequence[str], labels: Sequence[frozenset[str]]) -> list[int] | None:
    """Return the columns of the two outputs, which are all columns but one at most, the first."""
    found = [[place for place, name in enumerate(head) if name in names] for names in labels]
    if any(len(places) != 1 for places in found) or len(head) > len(labels) + 1:
        return None
    columns = [places[0] for places in found]
    return None if len(head) > len(labels) and 0 in columns else columns


def _of_columns(
    head: Sequence[Cell], body: Sequence[Sequence[Cell]], columns: Sequence[int], is_criterion: Callable[[str], bool]
) -> tuple[Cell, ...] | None:
    if len(head) == len(columns):
        return tuple(body[0][place] for place in columns) if len(body) == 1 else None
    if not _NAMES_HEADING.fullmatch(_bare(head[0])):
        return None
    others = [row for row in body if not is_criterion(_bare(row[0]))]
    if not others:
        return ()
    if len(others) > 1 or not _SCORE_HEADING.fullmatch(_bare(others[0][0])) or re.search(r"[=<>?]", others[0][0][1]):
        return None
    return tuple(others[0][place] for place in columns)
