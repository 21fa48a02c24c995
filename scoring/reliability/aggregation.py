"""Consensus: from the judgments of one inquiry to one ruling per pair.

A pair is judged in one order or in both (``ab``, ``ba``), and in each order one or more times (votes).

Within an order, the verdict is the majority of the votes for A and for B. Votes without a preference abstain; as many for A as
for B is no preference. Then, over the orders:

- only one order: its verdict; ``order_flip`` is null.
- the same verdict, or no preference in one of them: the verdict of whichever has one; ``order_flip`` is false.
- opposite verdicts: ``order_flip`` is true. The answer hangs on what was played first (Zheng et al. 2023, "Judging
  LLM-as-a-Judge with MT-Bench and Chatbot Arena", section 3.4, call a win only what holds in both orders). ``drop`` leaves the
  pair without a verdict, ``average`` gives it to the side with the higher mean total; null if they are equal.

Scores and totals are means; each order weighs the same, however many of its votes came back. Vote counts and the verdict come
from the judgments, not from the means: with several votes the majority may prefer the side of the lower mean total.
"""

from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.conformance import conform
from contracts.errors import DataError
from contracts.joins import taken
from contracts.schema_columns import SCORES
from contracts.schemas import RULINGS, empty

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ORDERS: Final = ("ab", "ba")
VERDICTS: Final = ("a", "b")

_INQUIRY: Final = ("task", "judge", "model", "prompt_version", "settings")
_SUMMED: Final = ("judgment_id", "pair_id", "order", "vote", "verdict", "scores_a", "scores_b", "total_a", "total_b")
RULED_ON: Final = (*_SUMMED, *_INQUIRY)
"""The columns of JUDGMENTS that decide a ruling: all but the texts of the replies."""

_SIGN_OF: Final = {"votes_a": 1, "votes_b": -1, "votes_none": 0}
_DECIMALS: Final = 9  # two means of the same scores in another order may differ by a bit of the last place


class Marks(NamedTuple):
    """Judgments as numbers, one each.

    Attributes:
        pair: rank of the pair id among the distinct ones, from 0.
        order: place in ``ORDERS``.
        sign: 1 for A, -1 for B, 0 for no preference.
    """

    pair: Ints
    order: Ints
    sign: Ints


def marks(judgments: pa.Table) -> Marks:
    """Return the judgments as numbers, in their order.

    Raises:
        DataError: an order or a verdict is none of the known words.
    """
    order = _codes(judgments, "order", ORDERS)
    verdict = _codes(judgments, "verdict", VERDICTS)
    return Marks(_ranks(judgments["pair_id"], "dense"), order, np.array([1, -1, 0])[verdict])


def _codes(table: pa.Table, column: str, words: tuple[str, ...]) -> Ints:
    """Return the place of each value in ``words``, -1 for a null of ``verdict``."""
    values = table[column].combine_chunks()
    found = pc.index_in(values, value_set=pa.array(words))
    unknown = pc.is_null(found) if column == "order" else pc.and_(pc.is_null(found), pc.is_valid(values))
    row = pc.index(unknown, True).as_py()
    if row >= 0:
        raise DataError(f"judgments, column {column}, row {row}: {values[row].as_py()!r}; wants {' or '.join(words)}")
    codes: Ints = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _ranks(column: pa.ChunkedArray, tiebreaker: str) -> Ints:
    ranks: Ints = pc.rank(column.combine_chunks(), tiebreaker=tiebreaker).to_numpy(zero_copy_only=False).astype(np.int64) - 1
    return ranks


def majority_signs(found: Marks) -> tuple[Ints, Ints]:
    """Return the majority's sign and the number of judgments per pair and order, each of shape (pairs, 2)."""
    cells = found.pair * len(ORDERS) + found.order
    size = len(ORDERS) * (int(found.pair.max(initial=-1)) + 1)
    balance = np.bincount(cells, weights=found.sign, minlength=size)
    counts = np.bincount(cells, minlength=size)
    return np.sign(balance).astype(np.int64).reshape(-1, len(ORDERS)), counts.reshape(-1, len(ORDERS))


def rulings(judgments: pa.Table, *, on_disagreement: Literal["drop", "average"] = "drop") -> pa.Table:
    """Return one ruling per pair, sorted by pair id, whatever the order of the judgments.

    Args:
        judgments: table of schema JUDGMENTS, of which ``RULED_ON`` suffices: those of one inquiry, in any orders and votes.
        on_disagreement: what becomes of a pair whose verdict changes with the order of playing.

    Returns:
        Table of schema RULINGS. ``judgment_ids`` begins with the deciding judgment: of those in order ``ab``
        that share the ruling's verdict the one of the lowest vote; failing these any in order ``ab``, then any that shares the
        verdict, then any. The others follow, sorted.

    Raises:
        DataError: a pair was judged in more than one inquiry, or an order or a verdict is unknown.
    """
    if not judgments.num_rows:
        return empty("rulings")
    _refuse_mixtures(judgments)
    id_rank = _ranks(judgments["judgment_id"], "first")
    # Sums of floats depend on the order of their terms: this one is the same for every order of the rows.
    by_id = np.argsort(id_rank)
    judgments = taken(judgments.select(_SUMMED), pa.array(by_id))
    found = marks(judgments)
    signs, counts = majority_signs(found)
    both = (counts > 0).all(axis=1)
    flip = both & (signs.prod(axis=1) < 0)
    cells = found.pair * len(ORDERS) + found.order
    mean_a, mean_b = (_order_means(cells, judgments[f"total_{side}"].to_numpy(), len(signs))[0] for side in "ab")
    sign = np.sign(signs.sum(axis=1))
    if on_disagreement == "average":
        sign = np.where(flip, np.sign(np.round(mean_a - mean_b, _DECIMALS)).astype(np.int64), sign)
    votes = {name: np.bincount(found.pair[found.sign == value], minlength=len(signs)) for name, value in _SIGN_OF.items()}
    first_of_pair = np.unique(found.pair, return_index=True)[1]
    table = {
        "pair_id": judgments["pair_id"].take(pa.array(first_of_pair)),
        "verdict": pa.array(VERDICTS, pa.string()).take(pa.array(np.where(sign > 0, 0, 1), mask=sign == 0)),
        "scores_a": _mean_scores(found, judgments["scores_a"], len(signs)),
        "scores_b": _mean_scores(found, judgments["scores_b"], len(signs)),
        "total_a": mean_a,
        "total_b": mean_b,
        **votes,
        "order_flip": pa.array(flip, pa.bool_(), mask=~both),
        "judgment_ids": _deciding_first(judgments, found, sign),
    }
    return conform(pa.table(table), "rulings")


def _refuse_mixtures(judgments: pa.Table) -> None:
    inquiries = judgments.select(["pair_id", *_INQUIRY]).group_by(["pair_id", *_INQUIRY]).aggregate([])
    if inquiries.num_rows == pc.count_distinct(inquiries["pair_id"]).as_py():
        return
    twice = (
        inquiries.group_by("pair_id")
        .aggregate([([], "count_all")])
        .sort_by([("count_all", "descending"), ("pair_id", "ascending")])
    )
    raise DataError(
        f"judgments: pair {twice['pair_id'][0].as_py()} was judged in {twice['count_all'][0].as_py()} inquiries; "
        "a ruling rests on one judge, model and prompt version: select the judgments of one"
    )


def _order_means(cells: Ints, values: Floats, keys: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the mean over orders of the means per order, and whether there is any value; both of shape (keys,).

    Args:
        cells: key * 2 + order of each value.
        values: numbers to average.
        keys: number of keys.
    """
    size = len(ORDERS) * keys
    counts = np.bincount(cells, minlength=size).reshape(-1, len(ORDERS))
    sums = np.bincount(cells, weights=values, minlength=size).reshape(-1, len(ORDERS))
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    orders = (counts > 0).sum(axis=1)
    result = np.divide(means.sum(axis=1), orders, out=np.zeros(keys), where=orders > 0)
    return result, orders > 0


def _mean_scores(found: Marks, scores: pa.ChunkedArray, pairs: int) -> pa.MapArray:
    """Return per pair the mean of each dimension; a dimension whose scores are all null stays null."""
    column = scores.combine_chunks()
    owner, names, values = unfold(column)
    dimensions = names.dictionary_encode()
    dimension = dimensions.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    width = len(dimensions.dictionary)
    keys = found.pair[owner] * width + dimension
    known = ~np.isnan(values)
    cells = keys * len(ORDERS) + found.order[owner]
    means, scored = _order_means(cells[known], values[known], pairs * width)
    named = np.bincount(keys, minlength=pairs * width) > 0
    lengths = named.reshape(pairs, width).sum(axis=1)
    at = np.flatnonzero(named)
    return pa.MapArray.from_arrays(
        pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32()),
        dimensions.dictionary.take(pa.array(at % max(width, 1))),
        pa.array(means[at], pa.float64(), mask=~scored[at]),
        type=SCORES,
    )


def unfold(scores: Any) -> tuple[Ints, pa.StringArray, Floats]:
    """Return row, dimension and score (NaN = null) of every entry of a map column without null rows.

    Args:
        scores: array of type SCORES.
    """
    offsets = scores.offsets.to_numpy().astype(np.int64)
    start, end = int(offsets[0]), int(offsets[-1])
    owner = np.repeat(np.arange(len(scores)), np.diff(offsets))
    values: Floats = scores.items.slice(start, end - start).to_numpy(zero_copy_only=False)
    return owner, scores.keys.slice(start, end - start), values


def _deciding_first(judgments: pa.Table, found: Marks, sign: Ints) -> pa.ListArray:
    """Return per pair its judgments' ids, the deciding one first; the rows of ``judgments`` are sorted by id."""
    place = np.arange(len(found.pair))
    rank = 2 * (found.order != ORDERS.index("ab")) + (found.sign != sign[found.pair])
    best = np.lexsort((place, judgments["vote"].to_numpy(), rank, found.pair))
    deciding = np.zeros(len(place), dtype=np.bool_)
    deciding[best[np.unique(found.pair[best], return_index=True)[1]]] = True
    listed = np.lexsort((place, ~deciding, found.pair))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(found.pair, minlength=len(sign)))])
    ids = judgments["judgment_id"].combine_chunks().take(pa.array(listed))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), ids, type=RULINGS.field("judgment_ids").type)
