"""Agreement levels of the votes on a pair, their majority, and agreement rates of annotators.

Source: SpeechJudge (section 3.2 for the levels, appendices B.1 and B.2 for reliability). The paper defines the levels by the
cases of two and three votes that its own test has. Imported pairs may have any number, so here they follow from two questions,
whose answers are the paper's wherever it gives one. The majority is the label of more than half of all votes, at least two.

- ``FA``, full agreement: all votes are the same.
- ``WA``, weak agreement: a majority, and no A stands against a B.
- ``WD``, weak disagreement: a majority, although an A stands against a B.
- ``FD``, full disagreement: no majority.

Where the paper is silent:

- Two annotators who differ in any way, ``A`` against ``B`` as much as ``A`` against a tie, are ``needs_third``, not a level: a
  third annotator joins "if any disagreements". The published figures say the same: full agreement is 51.5 % of the pairs, and
  2 * 0.515 + 3 * 0.485 is the published mean of 2.49 votes a pair (to its rounding), so every other pair had three votes.
- One vote is ``needs_second``; none is ``no_votes``.
- An imported label, aggregated from votes that are not here, is no vote. A pair whose own votes are too few has its label and
  no level: the word is ``aggregated``. Two such labels that differ are no majority.
- A value that is not in the list below is an error. It is never read as a tie.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError

MIN_ITEMS: Final = 10
"""An annotator of fewer pairs is not rated (SpeechJudge, appendix B.1)."""

MIN_RATE: Final = 0.30
"""An annotator below this rate is removed (SpeechJudge, appendix B.1, footnote)."""

TERNARY: Final[Mapping[str, str]] = MappingProxyType({
    "A+2": "A", "A+1": "A", "A": "A",
    "B+1": "B", "B+2": "B", "B": "B",
    "T": "T", "Tie": "T",
    "Tie (missing reason)": "T", "Tie (both not good)": "T", "Tie (both very good)": "T",
})  # fmt: skip
"""Five-point CMOS value -> A, B or T; the three reasons of a tie are those of the published data set."""

LEVELS: Final = ("FA", "WA", "WD", "FD")
AGGREGATED: Final = "aggregated"
"""Level of a pair with an imported label that was aggregated from votes that are not here."""

UNFINISHED: Final = ("no_votes", "needs_second", "needs_third")

_LABELS: Final = "ABT"


def ternary(value: str) -> str:
    """Return ``A``, ``B`` or ``T`` for a five-point CMOS vote.

    Raises:
        DataError: unknown value.
    """
    if value not in TERNARY:
        raise DataError(f"unknown CMOS vote {value!r}; known: {', '.join(TERNARY)}")
    return TERNARY[value]


def level(votes: Sequence[str]) -> str:
    """Return ``FA``, ``WA``, ``WD``, ``FD``, or ``needs_third``, ``needs_second``, ``no_votes`` for the votes of one pair.

    Raises:
        DataError: unknown value.
    """
    return _outcome(*_counted(votes))[0]


def majority(votes: Sequence[str]) -> str | None:
    """Return ``a``, ``b`` or ``tie`` where more than half of the votes, and at least two, say so, else None.

    Raises:
        DataError: unknown value.
    """
    return _outcome(*_counted(votes))[1]


def _counted(votes: Sequence[str]) -> tuple[int, int, int]:
    outcomes = [ternary(vote) for vote in votes]
    return outcomes.count("A"), outcomes.count("B"), outcomes.count("T")


def _outcome(a: int, b: int, ties: int, *made: int) -> tuple[str, str | None]:
    """Return level and majority of so many votes, and of so many aggregated labels for A, B and a tie."""
    cast = a + b + ties
    label = next((word for word, n in (("a", a), ("b", b), ("tie", ties)) if n > 1 and 2 * n > cast), None)
    if cast == 0:
        found = "no_votes"
    elif cast == 1:
        found = "needs_second"
    elif label is None:
        found = "needs_third" if cast == 2 else "FD"
    elif max(a, b, ties) == cast:
        found = "FA"
    else:
        found = "WD" if a and b else "WA"
    if found in UNFINISHED and any(made):
        labels = [word for word, n in zip(("a", "b", "tie"), made, strict=True) if n]
        return AGGREGATED, labels[0] if len(labels) == 1 else None
    return found, label


def levels(votes: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """Return ``level`` of each row of a votes column, or ``aggregated``; never null.

    Args:
        votes: list<struct<annotator_id: string, value: string>>, perhaps with a boolean ``aggregated`` in the struct, true of
            imported labels; a null list is no votes.

    Raises:
        DataError: unknown value, or an annotator who voted twice on one pair; names the row.
    """
    return _look_up(votes, 0)


def majorities(votes: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """Return ``majority`` of each row of a votes column: ``a``, ``b``, ``tie`` or null.

    Args:
        votes: as for ``levels``.

    Raises:
        DataError: as for ``levels``.
    """
    return _look_up(votes, 1)


def _look_up(votes: pa.Array | pa.ChunkedArray, part: int) -> pa.StringArray:
    cases, case_of = np.unique(_label_counts(votes), axis=0, return_inverse=True)
    words = pa.array([_outcome(*case)[part] for case in cases.tolist()], pa.string())
    return words.take(pa.array(case_of.reshape(-1)))


def _label_counts(votes: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return how many votes for A, B and T each row holds, and how many aggregated labels, shape (rows, 6)."""
    column = votes.combine_chunks() if isinstance(votes, pa.ChunkedArray) else votes
    cast_votes = pc.list_flatten(column)
    row_of = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
    labels = _label_codes(pc.struct_field(cast_votes, "value"), row_of)
    refuse_second_ballots(row_of, pc.struct_field(cast_votes, "annotator_id"))
    kinds = 2 * len(_LABELS)
    codes = labels + len(_LABELS) * are_aggregated(cast_votes)
    return np.bincount(row_of * kinds + codes, minlength=len(column) * kinds).reshape(-1, kinds)


def are_aggregated(cast_votes: pa.StructArray) -> npt.NDArray[np.bool_]:
    """Return per entry of a flat votes column whether it is an imported label, no vote of a person."""
    if cast_votes.type.get_field_index(AGGREGATED) < 0:
        return np.zeros(len(cast_votes), dtype=np.bool_)
    flags = pc.fill_null(pc.struct_field(cast_votes, AGGREGATED), False)
    return np.asarray(flags.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _label_codes(values: Any, row_of: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return 0, 1, 2 for A, B, T; refuse anything else."""
    found = pc.index_in(values, value_set=pa.array(list(TERNARY)))
    unknown = pc.index(pc.is_null(found), True).as_py()
    if unknown >= 0:
        value = values[unknown].as_py()
        raise DataError(f"votes, row {row_of[unknown]}: unknown CMOS vote {value!r}; known: {', '.join(TERNARY)}")
    code_of = np.array([_LABELS.index(label) for label in TERNARY.values()], dtype=np.int64)
    codes: npt.NDArray[np.int64] = code_of[found.to_numpy(zero_copy_only=False)]
    return codes


def refuse_second_ballots(row_of: npt.NDArray[np.int64], annotators: Any) -> None:
    """Check that no annotator voted twice on one pair; unnamed annotators may.

    Args:
        row_of: row of the pair, per vote.
        annotators: array of annotator ids, per vote.

    Raises:
        DataError: an annotator did; names the row.
    """
    named = pc.is_valid(annotators).to_numpy(zero_copy_only=False)
    codes = annotators.dictionary_encode().indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    ballots = (row_of * (codes.max(initial=0) + 1) + codes)[named]
    _, first = np.unique(ballots, return_index=True)
    if first.size < ballots.size:
        again = int(np.flatnonzero(named)[np.setdiff1d(np.arange(ballots.size), first)[0]])
        raise DataError(f"votes, row {row_of[again]}: annotator {annotators[again].as_py()!r} voted twice on one pair")


def annotator_rates(votes: pa.Table, *, peers: Any = None, min_items: int = MIN_ITEMS) -> pa.Table:
    """Rate every annotator by agreement with the others on the same pairs (SpeechJudge, appendix B.1).

    For annotator i and pair j with M votes, r_ij is the share of the other M - 1 that gave exactly i's ternary label; R_i is
    the mean of r_ij over i's pairs. Pairs on which i was alone have no r_ij and do not count.

    Args:
        votes: columns pair_id, annotator_id, value (CMOS); other columns are ignored.
        peers: boolean per vote: whether others are compared with it; None = with every vote. A vote that is no peer of
            others', such as an excluded annotator's, is still rated itself.
        min_items: an annotator of fewer pairs is not rated.

    Returns:
        Columns annotator_id (sorted), items (int64, pairs that count), rate (double in [0, 1]; null below ``min_items``
        pairs), removed (bool: rated and below ``MIN_RATE``).

    Raises:
        DataError: unknown value, or an annotator who voted twice on one pair.
    """
    pairs, labels, counts = counted_by_pair(votes)
    if peers is None:
        own = np.ones(votes.num_rows, dtype=np.int64)
    else:
        own = np.asarray(peers, dtype=np.int64)
        chosen = own > 0
        counts = np.bincount((pairs * len(_LABELS) + labels)[chosen], minlength=counts.size).reshape(counts.shape)
    annotators = votes["annotator_id"].combine_chunks().dictionary_encode()
    who = annotators.indices.to_numpy(zero_copy_only=False)
    others = counts.sum(axis=1)[pairs] - own
    shared = others > 0
    agreeing = (counts[pairs, labels] - own)[shared] / others[shared]
    items = np.bincount(who[shared], minlength=len(annotators.dictionary))
    total = np.bincount(who[shared], weights=agreeing, minlength=len(annotators.dictionary)).astype(np.float64)
    rated = items >= min_items
    rate = np.divide(total, items, out=np.zeros_like(total), where=items > 0)
    table = pa.table(
        {
            "annotator_id": annotators.dictionary,
            "items": pa.array(items, pa.int64()),
            "rate": pa.array(rate, pa.float64(), mask=~rated),
            "removed": pa.array(rated & (rate < MIN_RATE)),
        }
    )
    return table.sort_by("annotator_id")


def counted_by_pair(votes: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return per vote the number of its pair and the code of its label, and per pair how many A, B and T it has.

    Pairs are numbered in the order in which they occur; codes are 0, 1, 2 for A, B, T.

    Args:
        votes: columns pair_id, annotator_id, value (CMOS); other columns are ignored.

    Raises:
        DataError: unknown value, a vote of nobody, or an annotator who voted twice on one pair.
    """
    encoded = votes["pair_id"].combine_chunks().dictionary_encode()
    pairs = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    labels = _label_codes(votes["value"].combine_chunks(), np.arange(votes.num_rows))
    ids = votes["annotator_id"].combine_chunks()
    if ids.null_count:
        row = pc.index(pc.is_null(ids), True).as_py()
        raise DataError(f"votes, row {row}: annotator_id is null; rating needs to know who voted")
    refuse_second_ballots(pairs, ids)
    flat = np.bincount(pairs * len(_LABELS) + labels, minlength=len(encoded.dictionary) * len(_LABELS))
    return pairs, labels, flat.reshape(-1, len(_LABELS))
