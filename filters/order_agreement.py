"""Pairs whose winner changed with the order of playing, so that the judge preferred a place and not a speech.

Source: UniSRM, appendix G.1, shuffles the order against position bias; judging in both orders and keeping what holds in both
is the rule of Zheng et al. 2023 ("Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena"), section 3.4.
"""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from filters.verdict import first_reason, quote


@dataclass(frozen=True, kw_only=True)
class OrderAgreement:
    """Drop what has opposite verdicts in the two orders and none in the end; reason ``order_disagreement``.

    Whatever else the label comes from, such a pair is one that the judge did not confirm. A pair judged in one order only is
    kept, and so is one whose disagreement was settled by the mean totals.
    """

    columns: ClassVar[tuple[str, ...]] = ("judge_verdict", "order_flip", "votes_a", "votes_b", "votes_none", "judgment_ids")
    makes_labels: ClassVar[bool] = False
    needed_by: ClassVar[tuple[str, ...]] = ("both_orders",)

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return per row why it drops; null = keep."""
        return first_reason([("order_disagreement", pc.and_(table["order_flip"], pc.is_null(table["judge_verdict"])))])

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return the judge's votes and the judgments of each dropped row."""
        return quote(table, reasons, self.columns[2:])


PLUGIN = OrderAgreement
