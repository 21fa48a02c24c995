"""Answers about the items of a benchmark, whoever gave them, as one table; and the same as arrays."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotate.models.task import ParseError, TaskSpec, Written
from contracts.errors import DataError, RecipeError
from contracts.failures import legible
from contracts.schema_columns import FLOAT, INT, SCORES, TEXT, column
from flows.benchmark.released_items import ReleasedItems
from scoring.bench.intervals import Floats
from scoring.bench.judged import JudgedClips, JudgedPairs

JUDGE_ANSWERS: Final = pa.schema(
    [
        column("item_id", TEXT, "the item, as the release names it"),
        column("order", TEXT, "ab = the clips were played as they are stored; ba = exchanged; ab for single clips"),
        column("vote", INT, "how many equal questions went before"),
        column("reason", TEXT, "why there is no answer that can be read; null = there is one", nullable=True),
        column("message", TEXT, "what exactly is wrong", nullable=True),
        column("verdict", TEXT, "the preferred clip by the stored order, a or b; null = neither", nullable=True),
        column("scores_a", SCORES, "score of A by dimension", nullable=True),
        column("scores_b", SCORES, "score of B by dimension", nullable=True),
        column("scores", SCORES, "score of a single clip by scale", nullable=True),
        column("completion", TEXT, "the reply in the task's layout; it stays out of the file of answers", nullable=True),
        column("cost_usd", FLOAT, "what the answer cost; null = unknown", unit="USD", nullable=True),
        column("latency_s", FLOAT, "how long it took; null = unknown", unit="s", nullable=True),
    ]
)

COMPLETION: Final = "completion"
ORDERS: Final = ("ab", "ba")
_MESSAGE: Final = 300


def read_reply(task: TaskSpec, text: str, order: str) -> dict[str, Any]:
    """Return what a raw reply says, as columns of ``JUDGE_ANSWERS``, by the stored order of the clips.

    Args:
        task: the task in whose format the reply is.
        text: the reply.
        order: in which the clips were played.
    """
    try:
        content = task.parse(text)
    except ParseError as error:
        return unreadable(error.reason, error.message)
    if isinstance(content, Written):
        return {"scores": list(content.scores.items()), COMPLETION: content.completion}
    found = in_stored_order(content.verdict, content.scores_a, content.scores_b, order)
    return found | {COMPLETION: content.completion}


def in_stored_order(verdict: str | None, scores_a: Any, scores_b: Any, order: str) -> dict[str, Any]:
    """Return verdict and scores, given by the order of playing, as columns of ``JUDGE_ANSWERS``."""
    sides = {"a": "a", "b": "b"} if order == "ab" else {"a": "b", "b": "a"}
    scores = {"a": scores_a, "b": scores_b}
    return {
        "verdict": None if verdict is None else sides[verdict],
        **{f"scores_{sides[side]}": None if one is None else list(one.items()) for side, one in scores.items()},
    }


def unreadable(reason: str, message: str) -> dict[str, str]:
    """Return the columns of an answer that cannot be read."""
    return {"reason": reason, "message": legible(message)[:_MESSAGE]}


def judged_pairs(items: ReleasedItems, answers: pa.Table) -> JudgedPairs:
    """Return the answers about pairs as arrays.

    Args:
        items: the items.
        answers: rows of ``JUDGE_ANSWERS``, one for each item, order and vote.
    """
    place, shape = _places(items, answers)
    said = np.zeros(shape, dtype=np.int64)
    said[place] = pc.fill_null(pc.if_else(pc.equal(answers["verdict"], "a"), 1, -1), 0).to_numpy()
    readable = np.zeros(shape, dtype=bool)
    readable[place] = pc.is_null(answers["reason"]).to_numpy()
    scores = [answers[f"scores_{side}"].to_pylist() for side in "ab"]
    leads: dict[str, Floats] = {}
    rows = [(dict(a or ()), dict(b or ())) for a, b in zip(*scores, strict=True)]
    scored = {name for a, b in rows for name in a.keys() & b.keys()}
    for name in items.true_leads:
        if name in scored:  # a judge that scores other dimensions, or none, is not wrong in this one
            leads[name] = np.full(shape, np.nan)
            leads[name][place] = [a[name] - b[name] if name in a and name in b else np.nan for a, b in rows]
    return JudgedPairs(
        truth=items.truth, said=said, readable=readable, units=items.units, leads=leads, true_leads=items.true_leads
    )


def on_scale(items: ReleasedItems, answers: pa.Table, scale: str | None) -> pa.Table:
    """Return the answers with one of their scores under the name of the only scale on which the release rates its clips.

    Args:
        items: the items.
        answers: rows of ``JUDGE_ANSWERS``.
        scale: what the answers call it; None = as the release does.

    Raises:
        RecipeError: these are no clips rated on one scale.
    """
    if scale is None:
        return answers
    if items.about != "samples" or len(items.true_scores) != 1:
        raise RecipeError(f"--scale: {items} has no clips that are rated on one scale")
    (own,) = items.true_scores
    scores = [[(own, dict(one)[scale])] if one and scale in dict(one) else None for one in answers["scores"].to_pylist()]
    return answers.set_column(answers.column_names.index("scores"), "scores", pa.array(scores, SCORES))


def judged_clips(items: ReleasedItems, answers: pa.Table) -> JudgedClips:
    """Return the answers about clips as arrays; arguments as of ``judged_pairs``.

    Raises:
        DataError: the answers have scores, and none on a scale of the release.
    """
    place, shape = _places(items, answers)
    rows = [dict(one or ()) for one in answers["scores"].to_pylist()]
    names = {name for row in rows for name in row}
    if names and not names & items.true_scores.keys():
        raise DataError(
            f"the answers score {', '.join(sorted(names))}, and {items} has {', '.join(items.true_scores)}: say with --scale "
            "which one is meant"
        )
    said: dict[str, Floats] = {}
    for name in items.true_scores:
        if name in names:
            values = np.full(shape, np.nan)
            values[place] = [row.get(name, np.nan) for row in rows]
            said[name] = values[:, 0]
    readable = np.zeros(shape, dtype=bool)
    readable[place] = pc.is_null(answers["reason"]).to_numpy()
    return JudgedClips(truth=items.true_scores, said=said, readable=readable[:, 0], units=items.units)


def _places(items: ReleasedItems, answers: pa.Table) -> tuple[tuple[Any, Any, Any], tuple[int, int, int]]:
    """Return where each answer stands in an array (items, orders, votes), and the shape of that."""
    item = pc.index_in(answers["item_id"], value_set=pa.array(items.ids)).to_numpy()
    orders = [order for order in ORDERS if pc.any(pc.equal(answers["order"], order)).as_py()]
    votes = sorted(pc.unique(answers["vote"]).to_pylist())
    order = pc.index_in(answers["order"], value_set=pa.array(orders)).to_numpy()
    vote = pc.index_in(answers["vote"], value_set=pa.array(votes, pa.int64())).to_numpy()
    return (item, order, vote), (len(items.ids), len(orders), len(votes))
