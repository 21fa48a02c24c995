"""Pairs that were made with a better and a worse clip: which is which must be certain, and a judge must not contradict it.

Source: UniSRM, section 3: positives are recordings or speak the text, hard negatives are corrupted on purpose; what a judge
finds the other way round is noise.
"""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from filters.verdict import first_reason, quote


@dataclass(frozen=True, kw_only=True)
class Construction:
    """Keep pairs of one clip that speaks the text and one that is corrupted on purpose, or speaks a negative text.

    Reasons: ``no_construction`` (both are good, or neither is) and ``judge_contradicts_construction``. A pair that
    no judge compared, or on which it has no preference, is kept.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "verdict",
        "judge_verdict",
        "spoken_text_a",
        "spoken_text_b",
        "corruption_a",
        "corruption_b",
        "judgment_ids",
    )
    makes_labels: ClassVar[bool] = False
    needed_by: ClassVar[tuple[str, ...]] = ("construction",)

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return per row why it drops; null = keep."""
        contradicts = pc.not_equal(table["verdict"], table["judge_verdict"])
        return first_reason(
            [("no_construction", pc.is_null(table["verdict"])), ("judge_contradicts_construction", contradicts)]
        )

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return the two verdicts, what the clips speak, what is wrong with them, and the judgments of each dropped row."""
        return quote(table, reasons, self.columns)


PLUGIN = Construction
