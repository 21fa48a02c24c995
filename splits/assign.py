"""Which split each item goes to: a function of its leakage group's hash and the seed.

A leakage group has a place in [0, 1) that its name and the seed decide, whatever other groups there are. Groups stay whole:
all rows of one are in one split or dropped.

- **Fractions.** The interval is cut at the cumulative fractions, splits in order of their names. Losing or gaining a row moves
  no other group. A split of fraction f gets f of the rows give or take the chance of the draw: with groups of sizes s, a
  standard deviation of sqrt(f (1 - f) sum(s^2)) rows. In every stratum alike.
- **Quotas.** The interval is cut in proportion to the quotas, and each split takes the groups of its own section in order of
  their places until its quota is met; of the last group it takes as many rows as fit, in hash order. A split that its section
  does not fill goes on below the section, taking what others left over, the nearest first. So splits grow from fixed points
  towards each other, and a lost or gained row changes at most the group at the edge of its own split, unless splits have to
  share what others left over. With strata each split has a share of its quota in each, with an edge of its own. The shares
  are in proportion to the texts, not to the rows (largest remainder): a lost row shifts none as long as its text has others.
- **Both.** Quotas are filled first, fractions divide what is left, by a second hash.
- **Claims.** Groups that another data set of a collection claims for a split are the first that the split takes.
- **Conditions.** A split takes only groups with a row that meets its condition, and of these only such rows.

What nobody takes is dropped as ``over_quota``; rows that their split does not want, or no split at all, as ``ineligible``.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.conformance import conform
from contracts.errors import DataError
from contracts.ids import canonical_json
from contracts.rng import hash_fraction
from contracts.schemas import empty
from splits.quotas import Size, apportion

RULE: Final = 2
"""Version of the rule. Splits that an older one made are made anew, which asks nobody: votes are about pairs."""

STAGE: Final = "splits"
FILTER: Final = "assign"
OVER_QUOTA: Final = "over_quota"

_REST: Final = "splits/rest"  # fractions of what quotas leave: what is left of a section is no fair draw from the interval


@dataclass(kw_only=True)
class _Group:
    """A leakage group: its rows, and those of them that each split with a condition wants."""

    name: str
    stratum: str
    place: float
    is_first: bool
    rows: list[int] = field(default_factory=list)
    wanted: dict[str, list[int]] = field(default_factory=dict)

    def rows_for(self, split: str) -> list[int]:
        return self.wanted.get(split, self.rows)


def assign(
    items: pa.Table,
    sizes: Mapping[str, Size],
    seed: int,
    eligible: Mapping[str, pa.BooleanArray] | None = None,
    first: Collection[str] = (),
) -> tuple[pa.Table, pa.Table]:
    """Assign items to splits.

    Args:
        items: columns item_id, group_id, leakage_group, stratum (strings without nulls). A leakage group counts to the least of
            its strata.
        sizes: split -> size. Their order does not matter.
        seed: fixes the places of the groups.
        eligible: split -> per row whether it may have it; a split that is not named may have every row.
        first: leakage groups that a quota takes before others.

    Returns:
        Tables of schema SPLITS and DROPS (stage ``splits``), each in the order of ``items``; every item is in one of them. The
        order of ``items`` does not matter to what becomes of an item.

    Raises:
        DataError: an item occurs twice, or a text group is in two leakage groups.
    """
    rows = _rows(items)
    groups = _groups(rows, seed, {split: mask.to_pylist() for split, mask in (eligible or {}).items()}, first)
    quotas = {split: size.quota for split, size in sorted(sizes.items()) if size.quota is not None}
    fractions = {split: size.fraction for split, size in sorted(sizes.items()) if size.fraction is not None}
    most = {split: sizes[split].rows for split in quotas}
    filled = _fill(groups, quotas, most, rows["group_id"])
    split_of: dict[int, str] = {}
    dropped: dict[int, tuple[str, str]] = {}
    for group in groups:
        split, room = filled.get(group.name, (None, len(group.rows)))
        if split is None and fractions:
            split = _at(hash_fraction(seed, _REST, group.name), _able(group, fractions))
        if split is not None:
            wanted = group.rows_for(split)
            if len(wanted) > room:
                wanted = sorted(wanted, key=lambda row: _turn(seed, rows["item_id"][row]))[:room]
            split_of.update(dict.fromkeys(wanted, split))
        dropped |= _left_over(group, split, split_of, [*quotas, *fractions], most)
    kept = sorted(split_of)
    columns = {name: [rows[name][row] for row in kept] for name in ("item_id", "group_id", "leakage_group")}
    assigned = pa.table({**columns, "split": [split_of[row] for row in kept]}, schema=empty("splits").schema)
    drops = [_drop(STAGE, rows["item_id"][row], reason, evidence) for row, (reason, evidence) in sorted(dropped.items())]
    return conform(assigned, "splits"), pa.Table.from_pylist(drops, empty("drops").schema)


def cut(assigned: pa.Table, quotas: Mapping[str, int], seed: int, stage: str) -> list[dict[str, str]]:
    """Return what is over the quotas, as rows of schema DROPS: the last groups by their places, and in a group by hash.

    Args:
        assigned: of schema SPLITS, without what was dropped since.
        quotas: split -> rows; other splits are not cut.
        seed: that of the assignment.
        stage: who drops.
    """
    drops = []
    for split, quota in sorted(quotas.items()):
        found = assigned.filter(pc.equal(assigned["split"], split))
        rows = zip(found["leakage_group"].to_pylist(), found["item_id"].to_pylist(), strict=True)
        ranked = sorted(rows, key=lambda row: (_turn(seed, row[0]), _turn(seed, row[1])))
        evidence = canonical_json({"split": split, "quota": quota})
        drops += [_drop(stage, item_id, OVER_QUOTA, evidence) for _, item_id in ranked[quota:]]
    return drops


def _drop(stage: str, item_id: str, reason: str, evidence: str) -> dict[str, str]:
    return {"stage": stage, "row_id": item_id, "filter": FILTER, "reason": reason, "evidence": evidence}


def _rows(items: pa.Table) -> dict[str, list[str]]:
    rows = {}
    for column in ("item_id", "group_id", "leakage_group", "stratum"):
        if column not in items.column_names:
            raise DataError(f"items to split lack the column {column}; there are {', '.join(items.column_names)}")
        if items[column].null_count:
            raise DataError(f"items to split: column {column} has {items[column].null_count} nulls")
        rows[column] = items[column].to_pylist()
    if len(set(rows["item_id"])) < items.num_rows:
        item_id, count = Counter(rows["item_id"]).most_common(1)[0]
        raise DataError(f"items to split: item_id {item_id} occurs {count} times")
    group_of: dict[str, str] = {}
    for group_id, name in zip(rows["group_id"], rows["leakage_group"], strict=True):
        if group_of.setdefault(group_id, name) != name:
            raise DataError(f"splits: text group {group_id} is in two leakage groups, {group_of[group_id]} and {name}")
    return rows


def _groups(rows: Mapping[str, list[str]], seed: int, masks: Mapping[str, list[bool]], first: Collection[str]) -> list[_Group]:
    """Return the leakage groups in the order of their places, those that come first before the others."""
    groups: dict[str, _Group] = {}
    for row, (name, stratum) in enumerate(zip(rows["leakage_group"], rows["stratum"], strict=True)):
        group = groups.get(name)
        if group is None:
            group = groups[name] = _Group(
                name=name, stratum=stratum, place=hash_fraction(seed, STAGE, name), is_first=name in first
            )
        group.stratum = min(group.stratum, stratum)
        group.rows.append(row)
    for group in groups.values():
        group.wanted = {split: [row for row in group.rows if mask[row]] for split, mask in masks.items()}
    return sorted(groups.values(), key=lambda group: (not group.is_first, group.place, group.name))


def _fill(
    groups: list[_Group], quotas: Mapping[str, int], most: Mapping[str, int], group_ids: list[str]
) -> dict[str, tuple[str, int]]:
    """Return leakage group -> (split, room that was left for it) for the groups that the quotas take.

    Sections go by the quotas, so that more oversampling moves nothing; ``most`` says how many rows a split takes.
    """
    filled: dict[str, tuple[str, int]] = {}

    def fill(split: str, order: Iterable[_Group], room: int) -> int:
        for group in order:
            if room <= 0:
                break
            wanted = len(group.rows_for(split))
            if wanted and group.name not in filled:
                filled[group.name] = (split, room)
                room -= min(room, wanted)
        return room

    def below(split: str, members: Iterable[_Group]) -> list[_Group]:
        return sorted(members, key=lambda group: (not group.is_first, (starts[split] - group.place) % 1))

    starts = dict(
        zip(quotas, accumulate((quota / sum(quotas.values()) for quota in quotas.values()), initial=0.0), strict=False)
    )
    section = defaultdict[tuple[str, str | None], list[_Group]](list)
    strata = defaultdict[str, list[_Group]](list)
    for group in groups:
        section[group.stratum, _at(group.place, _able(group, quotas))].append(group)
        strata[group.stratum].append(group)
    room: dict[str, dict[str, int]] = {}
    for split, rows in most.items():
        texts = {
            stratum: len({group_ids[row] for group in members for row in group.rows_for(split)})
            for stratum, members in strata.items()
        }
        room[split] = apportion(rows, texts) if any(texts.values()) else {}
    for split, shares in room.items():
        for stratum in shares:
            shares[stratum] = fill(split, section[stratum, split], shares[stratum])
    for split, shares in room.items():
        for stratum in sorted(name for name, left in shares.items() if left):
            shares[stratum] = fill(split, below(split, strata[stratum]), shares[stratum])
    for split, shares in room.items():
        if left := sum(shares.values()):
            fill(split, below(split, groups), left)
    return filled


def _able(group: _Group, shares: Mapping[str, float]) -> dict[str, float]:
    """Return the shares of those splits that want something of the group."""
    return {split: share for split, share in shares.items() if group.rows_for(split)}


def _at(place: float, shares: Mapping[str, float]) -> str | None:
    """Return the split whose section of [0, 1) a place lies in; None where nobody has one."""
    total, end = sum(shares.values()), 0.0
    for split, share in shares.items():
        end += share
        if place * total < end:
            return split
    return next(reversed(list(shares)), None)  # rounding put the last end below 1


def _left_over(
    group: _Group, split: str | None, split_of: Mapping[int, str], splits: list[str], quotas: Mapping[str, int]
) -> dict[int, tuple[str, str]]:
    """Return row -> (reason, evidence) for the rows of a group that go nowhere."""
    left = [row for row in group.rows if row not in split_of]
    if not left:
        return {}
    able = splits if split is None else [split]
    wanted = {row for name in able for row in group.rows_for(name)}
    full = {
        "leakage_group": group.name,
        "stratum": group.stratum,
        "quotas": {name: quotas[name] for name in able if name in quotas},
    }
    over, other = canonical_json(full), canonical_json({"leakage_group": group.name, "split": split})
    return {row: (OVER_QUOTA, over) if row in wanted else ("ineligible", other) for row in left}


def _turn(seed: int, key: str) -> tuple[float, str]:
    """Return what to sort by for an order that hashing gives."""
    return hash_fraction(seed, STAGE, key), key
