"""Pairs that people confirm: three listeners, a majority for one side, and the same side as the automatic label.

Source: UniSRM, appendix G.2, acceptance criteria: at least two of three listeners do not say ``invalid``, at least two of three
prefer the same side, and that side is the automatic label. Where the paper is silent:

- More votes than asked for, as after a pardon, are judged by the same majority: more than half of all that are in.
- A value other than ``A``, ``B`` and ``invalid`` is an error. It is never read as one of them.
- A label that was made elsewhere is no listener's vote and confirms nothing.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from contracts.errors import DataError
from filters.verdict import first_reason, quote
from scoring.reliability.agreement_levels import are_aggregated, refuse_second_ballots

VALUES: Final = ("A", "B", "invalid")
"""What a listener may say (protocol ``unisrm``)."""


@dataclass(frozen=True, kw_only=True)
class HumanVerification:
    """Keep pairs whose automatic label a majority of listeners confirms.

    Reasons, the first that holds: ``no_label`` (the judge named no winner), ``needs_votes`` (too few so far), ``invalid`` (a
    majority says so: two or more of three), ``no_majority``, ``contradicts_label``.

    Attributes:
        votes: how many independent votes a pair needs; odd, at least 3.
    """

    columns: ClassVar[tuple[str, ...]] = ("votes", "verdict")
    makes_labels: ClassVar[bool] = False
    needed_by: ClassVar[tuple[str, ...]] = ()
    votes: Annotated[int, Field(ge=3, le=99)] = 3

    def __post_init__(self) -> None:
        if self.votes % 2 == 0:
            raise ValueError(f"votes must be an odd number, got {self.votes}")

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return per row why it drops; null = keep.

        Raises:
            DataError: a vote that is not A, B or invalid, or an annotator who voted twice on a pair; names the row.
        """
        counts = _counts(table["votes"])
        votes = counts.sum(axis=1)
        wins = 2 * counts > votes[:, None]
        label = table["verdict"]
        confirmed = np.choose(_codes(label), [wins[:, 0], wins[:, 1], np.zeros(len(wins), dtype=bool)])
        return first_reason(
            [
                ("no_label", pc.is_null(label)),
                ("needs_votes", pa.array(votes < self.votes)),
                ("invalid", pa.array(wins[:, 2])),
                ("no_majority", pa.array(~wins.any(axis=1))),
                ("contradicts_label", pa.array(~confirmed)),
            ]
        )

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return the votes and the automatic label of each dropped row."""
        return quote(table, reasons, self.columns)


def _codes(label: Any) -> npt.NDArray[np.int64]:
    """Return 0, 1, 2 for the labels a, b and null."""
    found = pc.index_in(label, value_set=pa.array(["a", "b"]))
    return np.asarray(pc.fill_null(found, 2).to_numpy(), dtype=np.int64)


def _counts(votes: Any) -> npt.NDArray[np.int64]:
    """Return how many A, B and invalid each row holds, shape (rows, 3)."""
    column = votes.combine_chunks() if isinstance(votes, pa.ChunkedArray) else votes
    votes = pc.list_flatten(column)
    row_of = np.asarray(pc.list_parent_indices(column).to_numpy(zero_copy_only=False), dtype=np.int64)
    values = pc.struct_field(votes, "value")
    found = pc.index_in(values, value_set=pa.array(VALUES))
    unknown = pc.index(pc.is_null(found), True).as_py()
    if unknown >= 0:
        raise DataError(
            f"votes, row {row_of[unknown]}: {values[unknown].as_py()!r} is no vote of a verification; "
            f"known: {', '.join(VALUES)}: collect the votes with the protocol unisrm"
        )
    refuse_second_ballots(row_of, pc.struct_field(votes, "annotator_id"))
    codes = found.to_numpy(zero_copy_only=False).astype(np.int64)
    of_people = ~are_aggregated(votes)
    return np.bincount((row_of * len(VALUES) + codes)[of_people], minlength=len(column) * len(VALUES)).reshape(-1, len(VALUES))


PLUGIN = HumanVerification
