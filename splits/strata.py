"""Splits of exact sizes by stratum: so many items of each sort (SpeechJudge, Table 4), whole leakage groups taken for them.

They are drawn before all other splits. A leakage group may hold items of several strata, as where one text is spoken in three
languages; it goes to one split as a whole, and what the split does not want of it goes nowhere. Each group has a place in
[0, 1) that its name and the seed decide, and each split a section in proportion to its size, as in ``splits.assign``: a split
takes groups of its own section in order of their places, each as long as one of its strata lacks items of which the group has
some, and then those that the others left. So a lost or gained item moves no group but at the edges of the strata.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.conformance import conform
from contracts.ids import canonical_json
from contracts.rng import hash_fraction
from contracts.schemas import DROPS, SPLITS
from splits.assign import FILTER, OVER_QUOTA, STAGE

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How many items of one sort a split gets.

    Attributes:
        name: of the stratum, for messages.
        rows: how many items; no more, and none of another stratum in their place.
        members: per item, whether it is of that sort and the split may have it, shape (items,).
    """

    name: str
    rows: int
    members: Mask


def draw(items: pa.Table, wanted: Mapping[str, Sequence[Wanted]], seed: int) -> tuple[pa.Table, pa.Table, Mask]:
    """Draw the items of splits with strata.

    Args:
        items: columns item_id, group_id, leakage_group, each item once.
        wanted: split -> its strata. Their order, and that of the items, does not matter.
        seed: fixes the places of the groups.

    Returns:
        What is assigned, of schema SPLITS; what the taken groups hold beyond it, of schema DROPS: ``over_quota`` where a
        stratum had no more room, ``ineligible`` where the split has no use for it; per item whether its group is not taken.
    """
    ids, of = items["item_id"].to_pylist(), items["leakage_group"].to_pylist()
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(of):
        rows_of.setdefault(name, []).append(row)
    place = {name: hash_fraction(seed, STAGE, name) for name in rows_of}
    split_of: dict[int, str] = {}
    taken: dict[str, str] = {}

    def fill(split: str, groups: Iterable[str], room: list[int]) -> None:
        for name in groups:
            if not any(room):
                break
            if name in taken:
                continue
            for number, stratum in enumerate(wanted[split]):
                fitting = [row for row in rows_of[name] if stratum.members[row] and row not in split_of]
                chosen = sorted(fitting, key=lambda row: (hash_fraction(seed, STAGE, ids[row]), ids[row]))[: room[number]]
                room[number] -= len(chosen)
                if chosen:
                    taken[name] = split
                    split_of.update(dict.fromkeys(chosen, split))

    sizes = {split: sum(one.rows for one in strata) for split, strata in sorted(wanted.items())}
    ends = np.array(list(accumulate(sizes.values())), dtype=np.float64) / max(sum(sizes.values()), 1)
    section = {name: min(int(np.searchsorted(ends, at, side="right")), len(sizes) - 1) for name, at in place.items()}
    rooms = {split: [one.rows for one in strata] for split, strata in wanted.items()}
    for number, split in enumerate(sizes):
        own = [name for name, where in section.items() if where == number]
        fill(split, sorted(own, key=lambda name: (place[name], name)), rooms[split])
    for number, split in enumerate(sizes):
        start = ends[number - 1] if number else 0.0
        fill(split, sorted(place, key=lambda name: ((start - place[name]) % 1, name)), rooms[split])
    kept = sorted(split_of)
    columns = {name: items[name].take(pa.array(kept, pa.int64())) for name in ("item_id", "group_id", "leakage_group")}
    assigned = conform(pa.table({**columns, "split": pa.array([split_of[row] for row in kept], pa.string())}), "splits")
    drops = []
    for row, name in enumerate(of):
        if name in taken and row not in split_of:
            full = [stratum.name for stratum in wanted[taken[name]] if stratum.members[row]]
            evidence = {"leakage_group": name, "split": taken[name]} | ({"strata": full} if full else {})
            reason = OVER_QUOTA if full else "ineligible"
            drops.append(
                {"stage": STAGE, "row_id": ids[row], "filter": FILTER, "reason": reason, "evidence": canonical_json(evidence)}
            )
    free: Mask = np.array([name not in taken for name in of], dtype=np.bool_)
    return assigned.cast(SPLITS), pa.Table.from_pylist(drops, DROPS), free


def short(wanted: Mapping[str, Sequence[Wanted]], assigned: pa.Table, item_ids: pa.ChunkedArray) -> list[str]:
    """Return a line for each stratum of a split that has fewer items than it should.

    Args:
        wanted: split -> its strata.
        assigned: of schema SPLITS.
        item_ids: the items that the members of the strata are counted by.
    """
    split_of = dict(zip(assigned["item_id"].to_pylist(), assigned["split"].to_pylist(), strict=True))
    in_split = np.array([split_of.get(item) for item in item_ids.to_pylist()], dtype=object)
    lines = []
    for split, strata in wanted.items():
        for stratum in strata:
            found = int((stratum.members & (in_split == split)).sum())
            if found < stratum.rows:
                lines.append(f"split {split} has {found} of {stratum.rows} items of {stratum.name}")
    return lines
