"""Which split each pair goes to. Leakage groups stay whole, strata are balanced, and what was once assigned never moves.

Rules:

- A row that ``previous`` knows keeps its split. Another row of a text group that it knows follows that group. Other rows of a
  leakage group with members in one split follow them; with members in several splits they would connect these, and are
  dropped as ``bridges_splits``.
- The rest is visited stratum by stratum, and in a stratum in an order that hashing gives. A leakage group counts to the
  stratum of most of its rows. Each goes to the split that is filled least, as a share of its target. An empty split is filled
  least of all, so no split stays empty unless there are fewer leakage groups than splits.
- Quotas are divided over the strata by largest remainder. A group that fits nowhere whole waits until all others are placed.
  It then takes what room is left, first without regard to its stratum and whole, else cut: its rows fill, in hashed order,
  the split with most room. Rows beyond are dropped as ``over_quota``; they are never put on another side.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from contracts.errors import DataError, RecipeError
from contracts.ids import canonical_json
from contracts.rng import hash_fraction
from contracts.schemas import conform, empty
from splits.quotas import Targets, apportion, read

STAGE: Final = "splits"
FILTER: Final = "assign"


@dataclass(kw_only=True)
class _Unit:
    """Rows that go the same way: those of a leakage group, or the part of it that follows a split."""

    leakage_group: str
    name: str
    split: str | None
    rows: list[int] = field(default_factory=list)
    settled: int = 0
    strata: Counter[str] = field(default_factory=Counter)

    @property
    def stratum(self) -> str:
        return min(self.strata, key=lambda name: (-self.strata[name], name))


@dataclass(frozen=True, kw_only=True)
class _History:
    """What ``previous`` says of the rows at hand."""

    split_of_pair: Mapping[str, str]
    split_of_group: Mapping[str, str]
    name_of_group: Mapping[str, str]
    members: Mapping[str, Mapping[str, str]]
    names: Mapping[str, str]


def assign(
    pairs: pa.Table,
    targets: Mapping[str, float],
    seed: int,
    previous: pa.Table | None = None,
    homes: pa.Table | None = None,
) -> tuple[pa.Table, pa.Table]:
    """Assign pairs to splits.

    Args:
        pairs: columns pair_id, group_id, leakage_group, stratum (strings without nulls).
        targets: split -> fraction of the rows (floats that add up to 1) or split -> quota (numbers of rows).
        seed: fixes the order in which groups are visited.
        previous: earlier results, of schema SPLITS. Their rows that are among ``pairs`` come back unchanged.
        homes: ``group_id`` and ``leakage_group`` of groups that ``previous`` knows and ``pairs`` may lack now, so that what
            shares something with them still goes their way; None = those that have pairs.

    Returns:
        Tables of schema SPLITS and DROPS (stage ``splits``), each in the order of ``pairs``; every pair is in one of them. The
        order of ``pairs`` does not matter to what becomes of a pair.

    Raises:
        RecipeError: the targets make no sense, or ``previous`` has rows in a split that is no target.
        DataError: a pair occurs twice, a text group is in two leakage groups, or ``previous`` contradicts itself.
    """
    goal = read(targets)
    rows = _rows(pairs)
    history = _history(rows, empty("splits") if previous is None else previous, targets, homes)
    units, dropped = _units(rows, history)
    chosen, over_quota = _place(units, goal, rows["pair_id"], seed)
    dropped |= over_quota

    kept = {"pair_id": [], "group_id": [], "leakage_group": [], "split": []}  # type: dict[str, list[str]]
    for row, (pair_id, group_id) in enumerate(zip(rows["pair_id"], rows["group_id"], strict=True)):
        if pair_id in history.split_of_pair:
            name, split = history.name_of_group[group_id], history.split_of_pair[pair_id]
        elif row in chosen:
            name, split = chosen[row]
        else:
            continue
        for column, value in zip(kept, (pair_id, group_id, name, split), strict=True):
            kept[column].append(value)
    drops = [
        {"stage": STAGE, "row_id": rows["pair_id"][row], "filter": FILTER, "reason": reason, "evidence": evidence}
        for row, (reason, evidence) in sorted(dropped.items())
    ]
    return conform(pa.table(kept, schema=empty("splits").schema), "splits"), pa.Table.from_pylist(drops, empty("drops").schema)


def bridging(pairs: pa.Table, evidence: Mapping[str, str]) -> pa.Table:
    """Return the drops, of schema DROPS, of pairs whose text groups must leave their split.

    Args:
        pairs: columns pair_id and group_id.
        evidence: text group -> why it must (``splits.torn``).
    """
    drops = [
        {"stage": STAGE, "row_id": pair_id, "filter": FILTER, "reason": "bridges_splits", "evidence": evidence[group_id]}
        for pair_id, group_id in zip(pairs["pair_id"].to_pylist(), pairs["group_id"].to_pylist(), strict=True)
    ]
    return pa.Table.from_pylist(drops, empty("drops").schema)


def _rows(pairs: pa.Table) -> dict[str, list[str]]:
    rows = {}
    for column in ("pair_id", "group_id", "leakage_group", "stratum"):
        if column not in pairs.column_names:
            raise DataError(f"pairs to split lack the column {column}; there are {', '.join(pairs.column_names)}")
        if pairs[column].null_count:
            raise DataError(f"pairs to split: column {column} has {pairs[column].null_count} nulls")
        rows[column] = pairs[column].to_pylist()
    for pair_id, count in Counter(rows["pair_id"]).items():
        if count > 1:
            raise DataError(f"pairs to split: pair_id {pair_id} occurs {count} times")
    return rows


def _history(
    rows: Mapping[str, list[str]], previous: pa.Table, targets: Mapping[str, float], homes: pa.Table | None
) -> _History:
    before = conform(previous, "splits").to_pylist()
    foreign = sorted({row["split"] for row in before} - set(targets))
    if foreign:
        raise RecipeError(f"splits: earlier rows are in {', '.join(foreign)}; the targets are {', '.join(targets)} only")
    split_of_group = _unique(((row["group_id"], row["split"]) for row in before), "text group", "split")
    name_of_group = _unique(((row["group_id"], row["leakage_group"]) for row in before), "text group", "leakage group")
    split_of_name = _unique(((row["leakage_group"], row["split"]) for row in before), "leakage group", "split")

    members: defaultdict[str, dict[str, str]] = defaultdict(dict)
    names: dict[str, str] = {}
    tied = set(zip(rows["group_id"], rows["leakage_group"], strict=True))
    if homes is not None:
        every = zip(homes["group_id"].to_pylist(), homes["leakage_group"].to_pylist(), strict=True)
        tied |= {(group_id, leakage_group) for group_id, leakage_group in every if group_id in split_of_group}
    for group_id, leakage_group in sorted(tied):
        if group_id in split_of_group:
            members[leakage_group].setdefault(split_of_group[group_id], group_id)
            names[leakage_group] = min(name_of_group[group_id], names.get(leakage_group, name_of_group[group_id]))
        elif leakage_group in split_of_name:
            # Its earlier members are gone from the pairs, but an earlier release may hold them.
            members[leakage_group].setdefault(split_of_name[leakage_group], leakage_group)
            names.setdefault(leakage_group, leakage_group)
    here = set(rows["pair_id"])
    split_of_pair = {row["pair_id"]: row["split"] for row in before if row["pair_id"] in here}
    return _History(
        split_of_pair=split_of_pair, split_of_group=split_of_group, name_of_group=name_of_group, members=members, names=names
    )


def _unique(items: Iterable[tuple[str, str]], key_kind: str, value_kind: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in items:
        if found.setdefault(key, value) != value:
            raise DataError(f"splits: {key_kind} {key} is in two {value_kind}s, {found[key]} and {value}")
    return found


def _units(rows: Mapping[str, list[str]], history: _History) -> tuple[list[_Unit], dict[int, tuple[str, str]]]:
    """Return what has to go together, and the rows that must not go anywhere with reason and evidence."""
    leakage_group_of = _unique(zip(rows["group_id"], rows["leakage_group"], strict=True), "text group", "leakage group")
    units: dict[tuple[str, str | None], _Unit] = {}
    dropped: dict[int, tuple[str, str]] = {}
    for row, (pair_id, group_id) in enumerate(zip(rows["pair_id"], rows["group_id"], strict=True)):
        leakage_group = leakage_group_of[group_id]
        split: str | None
        members = history.members.get(leakage_group, {})
        if group_id in history.split_of_group:
            split, name = history.split_of_group[group_id], history.name_of_group[group_id]
        elif len(members) > 1:
            evidence = canonical_json({"leakage_group": leakage_group, "members": members})
            dropped[row] = ("bridges_splits", evidence)
            continue
        else:
            split, name = next(iter(members), None), history.names.get(leakage_group, leakage_group)
        unit = units.setdefault((name, split), _Unit(leakage_group=leakage_group, name=name, split=split))
        unit.strata[rows["stratum"][row]] += 1
        if pair_id in history.split_of_pair:
            unit.settled += 1
        else:
            unit.rows.append(row)
    return list(units.values()), dropped


def _place(
    units: list[_Unit], goal: Targets, pair_ids: list[str], seed: int
) -> tuple[dict[int, tuple[str, str]], dict[int, tuple[str, str]]]:
    """Return row -> (leakage group, split) for rows that find a place, and row -> (reason, evidence) for the others."""
    sizes: Counter[str] = Counter()
    filled: Counter[str] = Counter()
    filled_in: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for unit in units:
        sizes[unit.stratum] += unit.settled + len(unit.rows)
        if unit.split is not None:
            filled[unit.split] += unit.settled
            filled_in[unit.stratum][unit.split] += unit.settled
    shares = {split: apportion(limit, sizes) for split, limit in (goal.limits or {}).items()} if sizes else {}

    def room(split: str, stratum: str | None) -> float:
        if goal.limits is None:
            return float("inf")
        left = goal.limits.get(split, 0) - filled[split]
        return left if stratum is None else min(left, shares.get(split, {}).get(stratum, 0) - filled_in[stratum][split])

    chosen: dict[int, tuple[str, str]] = {}

    def settle(unit: _Unit, split: str, rows: list[int]) -> None:
        filled[split] += len(rows)
        filled_in[unit.stratum][split] += len(rows)
        chosen.update(dict.fromkeys(rows, (unit.name, split)))

    order = list(goal.weights)
    visits = sorted(
        (unit.stratum, hash_fraction(seed, STAGE, unit.name), unit.name, place) for place, unit in enumerate(units) if unit.rows
    )
    waiting: list[tuple[float, str, int]] = []
    for stratum, turn, name, place in visits:
        unit = units[place]
        splits = [split for split in _allowed(unit, order) if room(split, stratum) >= len(unit.rows)]
        if splits:
            settle(unit, _least_filled(splits, filled, goal), unit.rows)
        else:
            waiting.append((turn, name, place))

    over_quota: dict[int, tuple[str, str]] = {}
    for _, _, place in sorted(waiting):
        unit = units[place]
        allowed = _allowed(unit, order)
        whole = [split for split in allowed if room(split, None) >= len(unit.rows)]
        if whole:
            settle(unit, _least_filled(whole, filled, goal), unit.rows)
            continue
        split = max(allowed, key=lambda name: room(name, None))
        fits = max(0, int(room(split, None)))
        in_order = sorted(unit.rows, key=lambda row: (hash_fraction(seed, STAGE, pair_ids[row]), pair_ids[row]))
        settle(unit, split, in_order[:fits])
        full = {name: (goal.limits or {}).get(name, 0) for name in allowed}
        evidence = canonical_json({"leakage_group": unit.leakage_group, "stratum": unit.stratum, "quotas": full})
        over_quota.update(dict.fromkeys(in_order[fits:], ("over_quota", evidence)))
    return chosen, over_quota


def _allowed(unit: _Unit, splits: list[str]) -> list[str]:
    return splits if unit.split is None else [unit.split]


def _least_filled(splits: list[str], filled: Mapping[str, int], goal: Targets) -> str:
    """Return the split with the smallest share of its target filled; of equals the largest, then the first."""
    return min(splits, key=lambda split: (filled[split] / goal.weights.get(split, 1.0), -goal.weights.get(split, 1.0)))
