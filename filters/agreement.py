"""Pairs on which the annotators agree too little.

Source: SpeechJudge, section 3.2 for the levels. Training data leaves out full disagreement (section 5.1), the evaluation
set keeps ``FA`` alone (section 4.1).
"""

from dataclasses import dataclass
from typing import ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc

from filters.verdict import first_reason, quote
from scoring.reliability.agreement_levels import AGGREGATED, LEVELS, UNFINISHED, levels

_WORDS: Final = (*LEVELS, AGGREGATED)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Keep pairs whose agreement level is in ``keep``.

    Reasons: ``agreement_fd`` and so on for the levels left out; ``no_votes``, ``needs_second`` and ``needs_third`` for pairs
    that have no level yet; ``agreement_aggregated`` for labels that were made elsewhere, of votes that nobody has here.

    Attributes:
        keep: levels to keep, of FA, WA, WD, FD; and ``aggregated``, which is none.
    """

    columns: ClassVar[tuple[str, ...]] = ("votes",)
    makes_labels: ClassVar[bool] = False
    needed_by: ClassVar[tuple[str, ...]] = ()
    keep: tuple[str, ...] = ("FA", "WA", "WD", AGGREGATED)

    def __post_init__(self) -> None:
        unknown = [level for level in self.keep if level not in _WORDS]
        if unknown or not self.keep:
            raise ValueError(f"keep must name some of {', '.join(_WORDS)}, got {list(self.keep)}")

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return per row why it drops; null = keep.

        Raises:
            DataError: a vote that is no CMOS value, or an annotator who voted twice on a pair.
        """
        found = levels(table["votes"])
        waiting = [(word, pc.equal(found, word)) for word in UNFINISHED]
        left_out = [(f"agreement_{word.lower()}", pc.equal(found, word)) for word in _WORDS if word not in self.keep]
        return first_reason([*waiting, *left_out])

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return the votes of each dropped row."""
        return quote(table, reasons, self.columns)


PLUGIN = Agreement
