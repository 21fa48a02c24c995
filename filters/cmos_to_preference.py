"""From five-point votes to a preference: the majority must say A or B.

Source: SpeechJudge, appendix A.2: majority vote per pair, ties discarded, gives the ``pref`` subset. A majority is more
than half of all votes, however many they are (``scoring.reliability.agreement_levels``).
"""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from filters.verdict import first_reason, quote
from scoring.reliability.agreement_levels import UNFINISHED, levels, majorities


def labels(votes: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """Return the preference that each row of a votes column ends with: ``a``, ``b``, or null where there is none.

    Raises:
        DataError: a vote that is no CMOS value, or an annotator who voted twice on a pair.
    """
    found = majorities(votes)
    return pc.if_else(pc.equal(found, "tie"), pa.scalar(None, pa.string()), found)


@dataclass(frozen=True, kw_only=True)
class CmosToPreference:
    """Keep pairs with a majority for A or B.

    Reasons: ``tie``, ``no_majority`` (such as one A, one B, one tie), and ``no_votes``, ``needs_second``, ``needs_third`` for
    pairs that still wait for a vote.
    """

    columns: ClassVar[tuple[str, ...]] = ("votes",)
    makes_labels: ClassVar[bool] = True
    needed_by: ClassVar[tuple[str, ...]] = ()

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return per row why it drops; null = keep.

        Raises:
            DataError: as for ``labels``.
        """
        level, majority = levels(table["votes"]), majorities(table["votes"])
        waiting = [(word, pc.equal(level, word)) for word in UNFINISHED]
        return first_reason([*waiting, ("tie", pc.equal(majority, "tie")), ("no_majority", pc.is_null(majority))])

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return the votes of each dropped row."""
        return quote(table, reasons, self.columns)


PLUGIN = CmosToPreference
