"""Groups of different splits that turn out to be one text."""

import json

import pyarrow as pa

from contracts.ids import row_id
from contracts.schemas import SPLITS
from splits.assign import assign, bridging
from splits.groups import leakage_groups
from splits.leakage import prove
from splits.torn import torn

FRACTIONS = {"sft": 0.6, "rl": 0.25, "bench": 0.15}
TEXTS = {
    "g1": "我們去學校吃午飯",
    "g2": "我们去学校吃午饭",
    "g3": "two green cats sat here",
    "g4": "2 green cats sat here",
    "g5": "nothing of the kind",
}


def keys(texts):
    nothing = pa.nulls(len(texts), pa.string())
    columns = {"reference_utterance_id": nothing, "target_utterance_id": nothing}
    return pa.table({"group_id": list(texts), "text": list(texts.values()), **columns})


def assigned(splits):
    rows = [
        (f"p{n}{group}", group, row_id("leakage", group), split)
        for group, split in splits.items()
        for n in range(2 if group == "g2" else 1)
    ]
    return pa.Table.from_pylist(
        [dict(zip(("pair_id", "group_id", "leakage_group", "split"), row, strict=True)) for row in rows], SPLITS
    )


def test_an_older_assignment_survives():
    """Of one text in two splits, the split with most rows keeps it; all else stays where it was, and the proof holds."""
    before = assigned({"g1": "sft", "g2": "rl", "g3": "sft", "g4": "sft", "g5": "bench"})
    homes = leakage_groups(keys(TEXTS))
    leaving = torn(before, keys(TEXTS), homes)
    assert {group: json.loads(evidence)["stays"] for group, evidence in leaving.items()} == {"g1": "rl"}
    names = dict(zip(homes["group_id"].to_pylist(), homes["leakage_group"].to_pylist(), strict=True))
    rows = [
        {"pair_id": row["pair_id"], "group_id": row["group_id"], "leakage_group": names[row["group_id"]], "stratum": ""}
        for row in before.to_pylist()
    ]
    staying = pa.Table.from_pylist([row for row in rows if row["group_id"] not in leaving])
    splits, drops = assign(staying, FRACTIONS, 0, before, homes)
    assert drops.num_rows == 0
    old = dict(zip(before["pair_id"].to_pylist(), before["split"].to_pylist(), strict=True))
    assert {row["pair_id"]: row["split"] for row in splits.to_pylist()} == {
        pair: split for pair, split in old.items() if pair != "p0g1"
    }
    prove(splits, keys(TEXTS))
    (drop,) = bridging(pa.Table.from_pylist([row for row in rows if row["group_id"] in leaving]), leaving).to_pylist()
    assert (drop["row_id"], drop["reason"]) == ("p0g1", "bridges_splits")


def test_what_a_new_text_ties_is_not_torn():
    """Two groups that only a group without a split connects stay: it is the new one that goes."""
    texts = {"a": "x" * 5 + "abcdefghij" * 2, "b": "x" * 3 + "abcdefghij" * 2 + "y" * 3, "c": "abcdefghij" * 2 + "y" * 5}
    homes = pa.table({"group_id": ["a", "b", "c"], "leakage_group": ["L", "L", "L"]})
    assert torn(assigned({"a": "sft", "c": "rl"}), keys(texts), homes) == {}


def test_nothing_before():
    """A first build tears nothing."""
    assert torn(assigned({}), keys(TEXTS), leakage_groups(keys(TEXTS))) == {}
