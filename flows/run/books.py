"""The books of a stage: rows in = rows out + failures + drops, counted from the tables after the fact."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import BooksError


@dataclass(frozen=True, kw_only=True)
class Books:
    """The rows that went into a stage, by outcome.

    Attributes:
        stage: name of the stage.
        unit: what is counted.
        rows_in: rows that the stage took in.
        rows_out: rows that it produced.
        failed: reason -> rows that could not be produced.
        dropped: reason -> rows that a rule removed.
        notes: what a person should know of the outcome, as lines.
    """

    stage: str
    unit: str
    rows_in: int
    rows_out: int
    failed: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """Rows that are not done yet."""
        return self.rows_in - self.rows_out - sum(self.failed.values()) - sum(self.dropped.values())

    def balanced(self) -> Self:
        """Return the books.

        Raises:
            BooksError: they do not balance.
        """
        if self.missing:
            raise BooksError(
                f"stage {self.stage}: {self.rows_in} {self.unit} in, but {self.rows_out} out + "
                f"{sum(self.failed.values())} failed + {sum(self.dropped.values())} dropped; this is a defect, "
                "please report it with the output of `unisrm-data status`"
            )
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return the books as JSON-ready literals."""
        return asdict(self)


def count(column: pa.ChunkedArray | pa.Array) -> dict[str, int]:
    """Return value -> number of rows, most frequent first."""
    counted = [(item["values"].as_py(), item["counts"].as_py()) for item in pc.value_counts(column)]
    return dict(sorted(counted, key=lambda pair: (-pair[1], pair[0])))


def reasons_of(table: pa.Table, row_ids: pa.Array | pa.ChunkedArray) -> dict[str, int]:
    """Count the reasons of those rows of ``drops`` or ``failures`` whose ``row_id`` is among ``row_ids``."""
    flat = row_ids.combine_chunks() if isinstance(row_ids, pa.ChunkedArray) else row_ids
    return count(table.filter(pc.is_in(table["row_id"], value_set=flat))["reason"])


def in_words(books: Iterable[Books]) -> list[str]:
    """Return one line of plain text per stage."""
    lines = []
    for page in books:
        parts = [f"{page.rows_in} {page.unit} -> {page.rows_out}"]
        for what, reasons in (("failed", page.failed), ("dropped", page.dropped)):
            if reasons:
                parts.append(f"{sum(reasons.values())} {what} ({', '.join(f'{name} {n}' for name, n in reasons.items())})")
        lines.append(f"{page.stage}: {'; '.join([*parts, *page.notes])}")
    return lines
