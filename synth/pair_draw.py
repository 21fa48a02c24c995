"""Which pairs a budget buys: so many of each style, language setting and kind, drawn by hash (SpeechJudge, section 3.1)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import attach
from contracts.languages import with_setting
from contracts.rng import hash_fraction

_PER_CELL = "/"


@dataclass(frozen=True, order=True)
class Cell:
    """A cell of a budget: pairs of prompts in one style and language setting, of one kind."""

    style: str
    setting: str
    kind: str

    def __str__(self) -> str:
        """Name it for messages."""
        return f"{self.style} {self.setting} {self.kind}"


@dataclass(frozen=True, kw_only=True)
class Draw:
    """The pairs that a budget buys.

    Attributes:
        pairs: the drawn pairs, of schema PAIRS, in the order of the candidates.
        tried: the drawn pairs, and those that would have been drawn but for a lost sample: clips of them were asked for.
        missing: cell -> how many pairs there are too few.
    """

    pairs: pa.Table
    tried: pa.Table
    missing: Mapping[Cell, int]


def draw(
    pairs: pa.Table, prompts: pa.Table, budget: Mapping[Cell, int], *, seed: int, lost: Collection[str] = frozenset()
) -> Draw:
    """Draw the pairs of each cell of a budget.

    The candidates of a cell are ranked by the hash of seed and pair, and the first ones are taken. So a candidate that comes or
    goes moves no other one, but for the last one drawn.

    Args:
        pairs: the candidates, of schema PAIRS.
        prompts: their prompts, of schema PROMPTS.
        budget: cell -> how many pairs; no pair of another cell is drawn.
        seed: the recipe's seed.
        lost: samples that cannot be had: the next pair is drawn in place of one with such a sample.
    """
    of_prompts = {"style": "style", "setting": "setting"}
    placed = attach(pairs, "prompt_id", with_setting(prompts), "prompt_id", of_prompts)
    cells = sorted(budget)
    keys = pa.array([_key(cell) for cell in cells], pa.string())
    named = pc.binary_join_element_wise(placed["style"], placed["setting"], placed["kind"], _PER_CELL)
    cell = pc.fill_null(pc.index_in(named, value_set=keys), -1).to_numpy()
    is_lost = np.zeros(pairs.num_rows, dtype=bool)
    if lost:
        gone = pa.array(sorted(lost), pa.string())
        is_lost = pc.or_(*(pc.is_in(pairs[side], value_set=gone) for side in ("sample_a", "sample_b"))).to_numpy()
    sizes = np.array([budget[one] for one in cells] or [0])
    tried = np.zeros(pairs.num_rows, dtype=bool)
    order = _ranked(pairs, cell, seed)
    starts = np.searchsorted(cell[order], np.arange(len(cells) + 1))
    missing = dict[Cell, int]()
    for number, one in enumerate(cells):
        ranked = order[starts[number] : starts[number + 1]]
        before = np.cumsum(~is_lost[ranked]) - ~is_lost[ranked]  # usable ones of a higher rank
        tried[ranked] = before < sizes[number]
        if (too_few := int(sizes[number] - np.count_nonzero(tried[ranked] & ~is_lost[ranked]))) > 0:
            missing[one] = too_few
    return Draw(pairs=pairs.filter(pa.array(tried & ~is_lost)), tried=pairs.filter(pa.array(tried)), missing=missing)


def _key(cell: Cell) -> str:
    return _PER_CELL.join((cell.style, cell.setting, cell.kind))


def _ranked(pairs: pa.Table, cell: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """Return row numbers by cell, and inside of a cell by the hash of seed and pair."""
    ids = pairs["pair_id"].to_pylist()
    rank = np.fromiter((hash_fraction(seed, "pair_budget", pair) for pair in ids), dtype=np.float64, count=len(ids))
    return np.lexsort((rank, cell))
