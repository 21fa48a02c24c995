"""Problems of an imported file, reported together, each with its place and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.errors import DataError

SHOWN: Final = 20
"""Number of problems that one error lists."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowProblem:
    """One problem of a row.

    Attributes:
        row: row as a spreadsheet program counts, the header being row 1; the line of a JSONL file; the number of the task in
            a Label Studio export, from 1.
        what: the problem and what to do.
        column: column or field; None = the whole row.
        sheet: sheet of a workbook.
        detail: further place, such as the annotation of a task.
    """

    row: int
    what: str
    column: str | None = None
    sheet: str | None = None
    detail: str | None = None

    def __str__(self) -> str:
        place = [f"sheet {self.sheet!r}"] if self.sheet is not None else []
        place.append(f"row {self.row}")
        if self.detail:
            place.append(self.detail)
        if self.column is not None:
            place.append(f"column {self.column!r}")
        return f"{', '.join(place)}: {self.what}"


class BadRows(DataError):
    """A file has bad rows, so nothing was imported.

    Attributes:
        problems: all problems, in the order of the file.
    """

    def __init__(self, file: str, problems: Sequence[RowProblem]) -> None:
        self.problems = tuple(problems)
        noun = "problem" if len(problems) == 1 else "problems"
        listed = "; ".join(map(str, problems[:SHOWN]))
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        super().__init__(f"{file}: {len(problems)} {noun}, nothing was imported: {listed}{more}")
