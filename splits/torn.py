"""Text groups of different splits that are found to be tied after they were assigned.

Nothing that was assigned moves, and new rows that would tie two splits together are dropped. Only a wider view of what is one
text (``contracts.texts.LEAKAGE_FORM``) can tie rows that both lie in a split already. Then one split keeps its rows, and the
others lose theirs.
"""

from collections import Counter, defaultdict

import pyarrow as pa
import pyarrow.compute as pc

from contracts.ids import canonical_json
from splits.groups import leakage_groups


def torn(previous: pa.Table, keys: pa.Table, homes: pa.Table) -> dict[str, str]:
    """Return the text groups that must leave their split, each with the evidence of its drop.

    Of tied groups, those stay that lie in the split with most of their rows; the first by name where several have as many.

    Args:
        previous: earlier assignments, of schema SPLITS.
        keys: what could leak, as ``splits.groups.leakage_groups`` takes it.
        homes: what that returns for all keys. Groups that are tied only through a group without a split are not torn.
    """
    split_of = dict(zip(previous["group_id"].to_pylist(), previous["split"].to_pylist(), strict=True))
    sizes = Counter(previous["group_id"].to_pylist())
    suspects = [group_id for members in _across(homes, split_of) for group_id in members]
    if not suspects:
        return {}
    ties = leakage_groups(keys.filter(pc.is_in(keys["group_id"], value_set=pa.array(suspects, pa.string()))))
    leaving = dict[str, str]()
    for members in _across(ties, split_of):
        rows = Counter[str]()
        for group_id in members:
            rows[split_of[group_id]] += sizes[group_id]
        home = min(rows, key=lambda split: (-rows[split], split))
        evidence = canonical_json({"members": {group_id: split_of[group_id] for group_id in members}, "stays": home})
        leaving |= {group_id: evidence for group_id in members if split_of[group_id] != home}
    return leaving


def _across(homes: pa.Table, split_of: dict[str, str]) -> list[list[str]]:
    """Return the members with a split of every leakage group that lies in several."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    for group_id, name in zip(homes["group_id"].to_pylist(), homes["leakage_group"].to_pylist(), strict=True):
        if group_id in split_of:
            members[name].append(group_id)
    return [found for found in members.values() if len({split_of[group_id] for group_id in found}) > 1]
