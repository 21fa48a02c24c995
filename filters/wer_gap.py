"""Pairs whose clips differ too much in intelligibility for their naturalness to be compared.

Source: SpeechJudge, appendix A.2: the ``hq`` subset keeps the pairs whose absolute WER gap is below 12 %.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from filters.verdict import first_reason, quote

_DECIMALS: Final = 9


@dataclass(frozen=True, kw_only=True)
class WerGap:
    """Keep ``|wer_a - wer_b| < max_gap``; reasons ``wer_unknown`` (a WER is null) and ``wer_gap``.

    Attributes:
        max_gap: smallest gap that drops, as a ratio (0.12 = 12 %).
    """

    columns: ClassVar[tuple[str, ...]] = ("wer_a", "wer_b")
    makes_labels: ClassVar[bool] = False
    needed_by: ClassVar[tuple[str, ...]] = ()
    max_gap: Annotated[float, Field(gt=0, le=1000)] = 0.12

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return per row why it drops; null = keep."""
        # WERs are fractions: without rounding, 0.37 - 0.25 falls short of 0.12 by a bit of the last place.
        gap = pc.round(pc.abs(pc.subtract(table["wer_a"], table["wer_b"])), _DECIMALS)
        return first_reason([("wer_unknown", pc.is_null(gap)), ("wer_gap", pc.greater_equal(gap, self.max_gap))])

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return both WERs of each dropped row."""
        return quote(table, reasons, self.columns)


PLUGIN = WerGap
