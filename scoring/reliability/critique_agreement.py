"""Whether the scores of a paired critique agree with the label of its pair (MOS-RMBench, Sec. 4.2).

A critique is kept only if the chosen clip gets the strictly higher score: it is to teach a model reasons for the label.
"""

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.joins import attach


def disagreements(judgments: pa.Table, labels: pa.Table) -> pa.Array:
    """Return why each critique is not kept, shape (judgments,); null = it is kept.

    Reasons are ``tied_scores`` (both clips got the same) and ``contradicts_label`` (the rejected one got more).

    Args:
        judgments: ``pair_id, total_a, total_b`` of schema JUDGMENTS, in any order.
        labels: ``item_id, label`` of schema LABELS, with a row for each of these pairs.

    Raises:
        DataError: a pair has no label.
    """
    found = attach(judgments.select(["pair_id", "total_a", "total_b"]), "pair_id", labels, "item_id", {"label": "label"})
    place = pc.index(pc.is_valid(found["label"]), False).as_py()
    if place >= 0:
        raise DataError(
            f"pair {found['pair_id'][place].as_py()} has a critique and no label: remove the mark stages/judgments.json, "
            "and run the same command again"
        )
    is_a = pc.equal(found["label"], "a")
    chosen, rejected = (pc.if_else(side, found["total_a"], found["total_b"]) for side in (is_a, pc.invert(is_a)))
    reason = pc.if_else(pc.equal(chosen, rejected), "tied_scores", "contradicts_label")
    reason = pc.if_else(pc.greater(chosen, rejected), pa.scalar(None, pa.string()), reason)
    return reason.combine_chunks() if isinstance(reason, pa.ChunkedArray) else reason
