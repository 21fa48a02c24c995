"""Pairs to which the judge gave equal totals, so that the higher total names no winner.

Source: UniSRM, section 3 (Eq. 3) and the prompts of appendix A, which forbid equal totals.
"""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from filters.verdict import first_reason, quote


@dataclass(frozen=True, kw_only=True)
class TiedTotals:
    """Drop equal totals; reasons ``tied_totals`` and, where a total is null, ``totals_unknown``."""

    columns: ClassVar[tuple[str, ...]] = ("total_a", "total_b")

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return per row why it drops; null = keep."""
        tied = pc.equal(table["total_a"], table["total_b"])
        return first_reason([("totals_unknown", pc.is_null(tied)), ("tied_totals", tied)])

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return both totals of each dropped row."""
        return quote(table, reasons, self.columns)


PLUGIN = TiedTotals
