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
    """Drop what names no winner.

    Reasons: ``totals_unknown`` (a total is null), ``tied_totals`` and, where mean totals differ but the judgments do not say
    who is better (as many for A as for B, or opposite verdicts in the two orders), ``no_verdict``.
    """

    columns: ClassVar[tuple[str, ...]] = ("total_a", "total_b", "verdict")
    makes_labels: ClassVar[bool] = False
    needed_by: ClassVar[tuple[str, ...]] = ("judge", "ratings")

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return per row why it drops; null = keep."""
        tied = pc.equal(table["total_a"], table["total_b"])
        rules = [("totals_unknown", pc.is_null(tied)), ("tied_totals", tied), ("no_verdict", pc.is_null(table["verdict"]))]
        return first_reason(rules)

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return both totals of each dropped row, and its verdict."""
        return quote(table, reasons, self.columns)


PLUGIN = TiedTotals
