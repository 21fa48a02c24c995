"""Assignment to splits: whole leakage groups, fair shares, exact quotas, and nothing ever moves."""

import json
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError, RecipeError
from contracts.ids import row_id
from contracts.schemas import DROPS, SPLITS
from splits.assign import assign
from splits.groups import leakage_groups
from splits.leakage import prove

FRACTIONS = {"sft": 0.6, "rl": 0.25, "bench": 0.15}


def pairs(*rows):
    return pa.table(
        {
            name: pa.array([row[n] for row in rows], pa.string())
            for n, name in enumerate(("pair_id", "group_id", "leakage_group", "stratum"))
        }
    )


def blocks(sizes, *, strata=("s",), prefix="g"):
    """Build one leakage group of one text group per size."""
    return pairs(*[
        (row_id("pair", prefix, n, k), f"{prefix}{n}", f"L{prefix}{n}", strata[n % len(strata)]) for n, size in enumerate(sizes) for k in range(size)
    ])  # fmt: skip


def counts(splits):
    return Counter(splits["split"].to_pylist())


def books_balance(table, splits, drops):
    out = splits["pair_id"].to_pylist() + drops["row_id"].to_pylist()
    return sorted(out) == sorted(table["pair_id"].to_pylist()) and splits.schema.equals(SPLITS) and drops.schema.equals(DROPS)


def groups_are_whole(splits):
    sides = {}
    for row in splits.to_pylist():
        sides.setdefault(row["leakage_group"], set()).add(row["split"])
    return all(len(side) == 1 for side in sides.values())


SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=40)


@settings(deadline=None)
@given(SIZES, st.integers(0, 99), st.integers(1, 5))
def test_fractions_place_everything(sizes, seed, strata):
    """Nothing is dropped, groups stay whole, and each split is off its share by less than a few groups."""
    table = blocks(sizes, strata=[f"s{n}" for n in range(strata)])
    splits, drops = assign(table, FRACTIONS, seed)
    assert books_balance(table, splits, drops)
    assert drops.num_rows == 0
    assert groups_are_whole(splits)
    for split, fraction in FRACTIONS.items():
        assert abs(counts(splits)[split] - fraction * sum(sizes)) <= len(FRACTIONS) * max(sizes)


@settings(deadline=None)
@given(SIZES, st.integers(0, 99), st.integers(1, 40))
def test_no_split_stays_empty(sizes, seed, strata):
    """With at least as many leakage groups as splits, in however many strata, every split gets something."""
    splits, _ = assign(blocks(sizes, strata=[f"s{n}" for n in range(strata)]), FRACTIONS, seed)
    assert len(counts(splits)) == min(len(sizes), len(FRACTIONS))


def test_each_stratum_is_divided_alike():
    """Of two strata of a hundred groups each, every split takes its share within a group or two."""
    splits, _ = assign(blocks([5] * 200, strata=("en", "zh")), FRACTIONS, 3)
    stratum = {f"g{n}": ("en", "zh")[n % 2] for n in range(200)}
    for name in ("en", "zh"):
        mine = Counter(row["split"] for row in splits.to_pylist() if stratum[row["group_id"]] == name)
        assert all(abs(mine[split] - fraction * 500) <= 10 for split, fraction in FRACTIONS.items())


@settings(deadline=None)
@given(SIZES, st.integers(0, 99), st.randoms(use_true_random=False))
def test_row_order_does_not_matter(sizes, seed, random):
    """Shuffled pairs end up where they would have."""
    table = blocks(sizes, strata=("x", "y"))
    order = list(range(table.num_rows))
    random.shuffle(order)
    for targets in (FRACTIONS, {"sft": 20, "bench": 7}):
        one, other = assign(table, targets, seed)[0], assign(table.take(order), targets, seed)[0]
        assert one.sort_by("pair_id").equals(other.sort_by("pair_id"))


def test_the_seed_matters():
    """Another seed is another draw."""
    table = blocks([3] * 30)
    assert not assign(table, FRACTIONS, 1)[0].equals(assign(table, FRACTIONS, 2)[0])


@settings(deadline=None)
@given(SIZES, st.integers(0, 99), st.integers(1, 4))
def test_quotas_are_met_and_never_passed(sizes, seed, strata):
    """No split gets more than its quota; if rows are dropped for it, every quota that could still take them is full."""
    quotas = {"sft": 40, "rl": 11, "bench": 5}
    table = blocks(sizes, strata=[f"s{n}" for n in range(strata)])
    splits, drops = assign(table, quotas, seed)
    assert books_balance(table, splits, drops)
    assert groups_are_whole(splits)
    found = counts(splits)
    assert all(found[split] <= quota for split, quota in quotas.items())
    assert set(drops["reason"].to_pylist()) <= {"over_quota"}
    if sum(sizes) >= sum(quotas.values()) + len(quotas) * max(sizes):
        assert found == quotas


def test_exact_table_9_sizes():
    """With enough pairs, Task 1's quotas are met to the row although groups come in twenty-ones."""
    quotas = {"sft": 1114, "rl": 278, "bench": 49}
    splits, drops = assign(blocks([21] * 90, strata=("a", "b", "c")), quotas, 0)
    assert counts(splits) == quotas
    evidence = json.loads(drops["evidence"][0].as_py())
    assert set(evidence) == {"leakage_group", "stratum", "quotas"}
    assert set(drops["filter"].to_pylist()) == {"assign"}


def test_scarce_rows_are_shared_by_all_quotas():
    """Half as many rows as the quotas want fill each of them by about half, the small one too."""
    splits, drops = assign(blocks([2] * 100), {"sft": 300, "rl": 80, "bench": 20}, 0)
    assert drops.num_rows == 0
    assert all(abs(counts(splits)[split] - quota / 2) <= 4 for split, quota in {"sft": 300, "rl": 80, "bench": 20}.items())


@settings(deadline=None)
@given(SIZES, st.integers(0, 99), st.sampled_from([FRACTIONS, {"sft": 40, "rl": 11, "bench": 5}]))
def test_doing_it_again_changes_nothing(sizes, seed, targets):
    """The result as ``previous`` gives the result."""
    table = blocks(sizes, strata=("x", "y", "z"))
    splits, drops = assign(table, targets, seed)
    again, same_drops = assign(table, targets, seed, splits)
    assert again.equals(splits)
    assert same_drops["row_id"].to_pylist() == drops["row_id"].to_pylist()


# Keys with few distinct recordings and texts, so that later rows link and bridge earlier groups all the time.
TEXTS = [
    "the cat sat on the mat",
    "The cat, sat on the mat!",
    "the cat sat on the mats",
    "a dog barked at the moon",
    "rain fell on the town",
    "今天天气很好我们去公园",
    "snow",
    "wind",
    "hail",
]
GROUP = st.tuples(
    st.sampled_from(TEXTS + [f"unique text number {n} of its own kind {n * 7919}" for n in range(12)]),
    st.none() | st.integers(0, 11),
    st.none() | st.integers(0, 11),
)


def world(groups, first):
    """Build keys and pairs of groups numbered from ``first``."""
    rows = [
        {"group_id": row_id("group", n), "text": text, "language": "en", "reference_utterance_id": ref if ref is None else f"u{ref}",
         "target_utterance_id": target if target is None else f"u{target}"}
        for n, (text, ref, target) in enumerate(groups, first)
    ]  # fmt: skip
    schema = pa.schema(
        [(name, pa.string()) for name in ("group_id", "text", "language", "reference_utterance_id", "target_utterance_id")]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def with_leakage(keys, pairs_of):
    group = dict(zip(*leakage_groups(keys).to_pydict().values(), strict=True))
    return pairs(
        *[(row_id("pair", g, k), g, group[g], f"s{k % 2}") for g in keys["group_id"].to_pylist() for k in range(pairs_of(g))]
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(GROUP, min_size=1, max_size=15),
    st.lists(GROUP, max_size=10),
    st.integers(0, 9),
    st.sampled_from([FRACTIONS, {"sft": 25, "rl": 9, "bench": 4}]),
)
def test_adding_rows_moves_none(first, later, seed, targets):
    """After new groups and new pairs of old groups, earlier rows are unchanged, new ones leak nothing, bridges are dropped."""
    keys = world(first, 0)
    before = with_leakage(keys, lambda group: 1 + int(group[:2], 16) % 3)
    splits, _ = assign(before, targets, seed)
    prove(splits, keys)

    grown = pa.concat_tables([keys, world(later, len(first))])
    after = with_leakage(grown, lambda group: 2 + int(group[:2], 16) % 4)
    new_splits, new_drops = assign(after, targets, seed, splits)
    assert books_balance(after, new_splits, new_drops)
    assert groups_are_whole(new_splits)
    now = {row["pair_id"]: row for row in new_splits.to_pylist()}
    assert all(now[row["pair_id"]] == row for row in splits.to_pylist())
    prove(new_splits, grown)
    for row in new_drops.filter(pa.compute.equal(new_drops["reason"], "bridges_splits")).to_pylist():
        assert len(json.loads(row["evidence"])["members"]) > 1


def test_bridge_is_dropped_with_evidence():
    """A group that shares something with two splits goes nowhere and says with whom; a mere follower follows."""
    previous = pa.table(
        {"pair_id": ["p1", "p2"], "group_id": ["g1", "g2"], "leakage_group": ["L1", "L2"], "split": ["sft", "bench"]},
        schema=SPLITS,
    )
    table = pairs(("p1", "g1", "L1", "s"), ("p2", "g2", "L1", "s"), ("p3", "g3", "L1", "s"), ("p4", "g2", "L1", "s"))
    splits, drops = assign(table, FRACTIONS, 0, previous)
    assert [(row["pair_id"], row["leakage_group"], row["split"]) for row in splits.to_pylist()] == [
        ("p1", "L1", "sft"),
        ("p2", "L2", "bench"),
        ("p4", "L2", "bench"),
    ]
    assert drops.to_pylist() == [{
        "stage": "splits", "row_id": "p3", "filter": "assign", "reason": "bridges_splits",
        "evidence": '{"leakage_group":"L1","members":{"bench":"g2","sft":"g1"}}',
    }]  # fmt: skip


def test_follower_takes_split_and_name():
    """A new group linked to one earlier group joins its split under the earlier name, even if the name would be new."""
    previous = pa.table({"pair_id": ["p1"], "group_id": ["g1"], "leakage_group": ["old"], "split": ["bench"]}, schema=SPLITS)
    splits, _ = assign(pairs(("p1", "g1", "new", "s"), ("p2", "g0", "new", "s")), FRACTIONS, 0, previous)
    assert [(row["leakage_group"], row["split"]) for row in splits.to_pylist()] == [("old", "bench")] * 2


def test_who_is_away_keeps_the_place():
    """What shares something with a group that has no pairs now goes that group's way, or nowhere if with another split too."""
    previous = pa.table(
        {"pair_id": ["p1", "p2"], "group_id": ["g1", "g2"], "leakage_group": ["L1", "L2"], "split": ["bench", "sft"]},
        schema=SPLITS,
    )
    homes = pa.table({"group_id": ["g0", "g1", "g2", "g3"], "leakage_group": ["L0", "L0", "L2", "L2"]})
    splits, drops = assign(pairs(("p0", "g0", "L0", "s"), ("p3", "g3", "L2", "s")), FRACTIONS, 0, previous, homes)
    assert drops.num_rows == 0
    assert {row["pair_id"]: (row["leakage_group"], row["split"]) for row in splits.to_pylist()} == {
        "p0": ("L1", "bench"), "p3": ("L2", "sft"),
    }  # fmt: skip
    bridged = homes.set_column(1, "leakage_group", pa.array(["L2"] * 4))
    splits, drops = assign(pairs(("p0", "g0", "L2", "s"), ("p2", "g2", "L2", "s")), FRACTIONS, 0, previous, bridged)
    assert [row["pair_id"] for row in splits.to_pylist()] == ["p2"]
    assert drops["reason"].to_pylist() == ["bridges_splits"]


def test_quota_lowered_below_what_is_there():
    """Earlier rows stay although the quota is smaller now; nothing is added to that split."""
    table = blocks([1] * 10)
    previous, _ = assign(table, {"sft": 10}, 0)
    more = pa.concat_tables([table, blocks([1] * 4, prefix="h")])
    splits, drops = assign(more, {"sft": 5, "bench": 3}, 0, previous)
    assert counts(splits) == {"sft": 10, "bench": 3}
    assert drops.num_rows == 1


def test_contradictions_are_named():
    """Repeated pairs, a group in two leakage groups, foreign splits and nulls are refused."""
    with pytest.raises(DataError, match="p1 occurs 2 times"):
        assign(pairs(("p1", "g", "L", "s"), ("p1", "g", "L", "s")), FRACTIONS, 0)
    with pytest.raises(DataError, match="text group g is in two leakage groups"):
        assign(pairs(("p1", "g", "L", "s"), ("p2", "g", "M", "s")), FRACTIONS, 0)
    with pytest.raises(DataError, match="stratum has 1 nulls"):
        assign(pairs(("p1", "g", "L", None)), FRACTIONS, 0)
    with pytest.raises(DataError, match="lack the column stratum"):
        assign(pairs(("p1", "g", "L", "s")).drop_columns(["stratum"]), FRACTIONS, 0)
    previous = pa.table({"pair_id": ["p1"], "group_id": ["g"], "leakage_group": ["L"], "split": ["test"]}, schema=SPLITS)
    with pytest.raises(RecipeError, match="earlier rows are in test"):
        assign(pairs(("p1", "g", "L", "s")), FRACTIONS, 0, previous)


def test_no_pairs():
    """Nothing in, two empty tables out."""
    splits, drops = assign(pairs(), FRACTIONS, 0)
    assert splits.num_rows == drops.num_rows == 0
    assert assign(pairs(), {"sft": 3}, 0)[0].num_rows == 0
