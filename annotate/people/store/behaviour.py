"""What listeners did, answer by answer: who answered, and which place of playing was preferred."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.gold import is_right
from annotate.people.store.item import Answer

Ints = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

FIRST: Final = 0
SECOND: Final = 1
NEITHER: Final = 2
UNKNOWN: Final = 3


def annotators(answers: pa.Table) -> tuple[list[str], Ints]:
    """Return the annotators of a table of schema ANSWERS, sorted, and per row the place of its annotator among them."""
    ids = pc.unique(answers["annotator_id"]).sort()
    return ids.to_pylist(), _ints(pc.index_in(answers["annotator_id"], value_set=ids))


def places(answers: pa.Table) -> Ints:
    """Return per row which clip was preferred: FIRST or SECOND as played, NEITHER, or UNKNOWN where the order is.

    The stored side says nothing here: a listener cannot know it.
    """
    side, order = answers["side"], answers["order"]
    first = pc.equal(side, pc.utf8_slice_codeunits(order, 0, 1))
    preferred = np.where(mask(pc.is_null(order)), UNKNOWN, np.where(mask(first), FIRST, SECOND))
    return np.where(mask(pc.is_null(side)), NEITHER, preferred)


def gold_marks(answers: pa.Table) -> tuple[Marks, Marks]:
    """Return which answers are to a gold item, and which of them are right: by their value, or by their ratings."""
    golden = answers["gold"].combine_chunks()
    parent = pc.list_parent_indices(golden)
    row = np.asarray(parent.to_numpy(zero_copy_only=False), dtype=np.int64)
    same = mask(pc.equal(pc.list_flatten(golden), answers["value"].combine_chunks().take(parent)))
    right = np.bincount(row[same], minlength=answers.num_rows) > 0
    gold = np.bincount(row, minlength=answers.num_rows) > 0
    rated = np.flatnonzero(gold & mask(pc.is_null(answers["value"])))
    for place, said in zip(rated, answers.select(["scores", "gold"]).take(pa.array(rated)).to_pylist(), strict=True):
        right[place] = is_right(Answer(scores=dict(said["scores"])), said["gold"])
    return gold, right


def mask(column: Any) -> Marks:
    """Return a boolean column as numpy; null counts as false."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    marks: Marks = pc.fill_null(whole, False).to_numpy(zero_copy_only=False)
    return marks


def _ints(column: Any) -> Ints:
    return np.asarray(column.to_numpy(), dtype=np.int64)
