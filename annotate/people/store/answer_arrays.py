"""Numpy arrays of a table of answers: annotator codes, preferred positions, and right answers to gold items."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.gold import is_right
from annotate.people.store.item import Answer

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

FIRST: Final = 0
SECOND: Final = 1
NEITHER: Final = 2
UNKNOWN: Final = 3


def annotator_codes(answers: pa.Table) -> tuple[list[str], Ints]:
    """Return the annotators of a table of schema ANSWERS, sorted, and per row the index of its annotator among them."""
    ids = pc.unique(answers["annotator_id"]).sort()
    return ids.to_pylist(), _ints(pc.index_in(answers["annotator_id"], value_set=ids))


def preferred_positions(answers: pa.Table) -> Ints:
    """Return per row which clip was preferred: FIRST or SECOND as played, NEITHER, or UNKNOWN where the order is unknown.

    A listener knows the order of playing only, so the stored side does not matter.
    """
    side, order = answers["side"], answers["order"]
    first = pc.equal(side, pc.utf8_slice_codeunits(order, 0, 1))
    preferred = np.where(as_mask(pc.is_null(order)), UNKNOWN, np.where(as_mask(first), FIRST, SECOND))
    return np.where(as_mask(pc.is_null(side)), NEITHER, preferred)


def gold_masks(answers: pa.Table) -> tuple[Mask, Mask]:
    """Return which answers are to a gold item, and which of those are right by their value or their ratings."""
    golden = answers["gold"].combine_chunks()
    parent = pc.list_parent_indices(golden)
    row = np.asarray(parent.to_numpy(zero_copy_only=False), dtype=np.int64)
    same = as_mask(pc.equal(pc.list_flatten(golden), answers["value"].combine_chunks().take(parent)))
    right = np.bincount(row[same], minlength=answers.num_rows) > 0
    gold = np.bincount(row, minlength=answers.num_rows) > 0
    rated = np.flatnonzero(gold & as_mask(pc.is_null(answers["value"])))
    for place, answer in zip(rated, answers.select(["scores", "gold"]).take(pa.array(rated)).to_pylist(), strict=True):
        right[place] = is_right(Answer(scores=dict(answer["scores"])), answer["gold"])
    return gold, right


def as_mask(column: Any) -> Mask:
    """Return a boolean column as numpy; null counts as false."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    marks: Mask = pc.fill_null(whole, False).to_numpy(zero_copy_only=False)
    return marks


def _ints(column: Any) -> Ints:
    return np.asarray(column.to_numpy(), dtype=np.int64)
