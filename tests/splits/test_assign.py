"""Assignment to splits: whole leakage groups, fair shares, exact quotas, and what one row more or less changes."""

import json
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.ids import row_id
from contracts.schemas import DROPS, SPLITS
from splits.assign import assign, cut
from splits.groups import leakage_groups
from splits.leakage import prove
from splits.quotas import Size

DEVIATIONS = 5
"""Standard deviations that a split may be off its fraction: a draw is further off once in 1.7 million times."""


def fractions(**shares):
    return {name: Size(fraction=share) for name, share in shares.items()}


def quotas(**numbers):
    return {name: Size(quota=number) for name, number in numbers.items()}


FRACTIONS = fractions(sft=0.6, rl=0.25, bench=0.15)
MIXED = quotas(bench=12) | fractions(sft=0.75, rl=0.25)


def pairs(*rows):
    return pa.table(
        {
            name: pa.array([row[n] for row in rows], pa.string())
            for n, name in enumerate(("item_id", "group_id", "leakage_group", "stratum"))
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
    out = splits["item_id"].to_pylist() + drops["row_id"].to_pylist()
    return sorted(out) == sorted(table["item_id"].to_pylist()) and splits.schema.equals(SPLITS) and drops.schema.equals(DROPS)


def sides(splits):
    """Return leakage group -> split, of which there is one."""
    found = {}
    for row in splits.to_pylist():
        assert found.setdefault(row["leakage_group"], row["split"]) == row["split"]
    return found


def moved(before, after, lost=()):
    """Return the leakage groups whose split is another now, also where it is none, without those of lost rows."""
    old, new = sides(before), sides(after)
    return {name for name in {*old, *new} - {*lost} if old.get(name) != new.get(name)}


def without(table, row):
    """Return the table without a row, and the leakage group of that."""
    rest = [place for place in range(table.num_rows) if place != row]
    return table.take(pa.array(rest, pa.int64())), table["leakage_group"][row].as_py()


SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=40)
SEEDS = st.integers(0, 99)
SHARES = st.lists(st.integers(1, 20), min_size=1, max_size=5).map(
    lambda parts: {f"part{n}": Size(fraction=part / sum(parts)) for n, part in enumerate(parts)}
)


@settings(deadline=None)
@given(SIZES, SEEDS, SHARES, st.integers(1, 5), st.data())
def test_by_fractions_a_lost_row_moves_nothing(sizes, seed, targets, strata, data):
    """Everything is placed, groups stay whole, and without any one row every other group is where it was."""
    table = blocks(sizes, strata=[f"s{n}" for n in range(strata)])
    splits, drops = assign(table, targets, seed)
    assert books_balance(table, splits, drops)
    assert drops.num_rows == 0
    fewer, lost = without(table, data.draw(st.integers(0, table.num_rows - 1)))
    after, _ = assign(fewer, targets, seed)
    assert not moved(splits, after, {lost})
    assert sides(after).get(lost, sides(splits)[lost]) == sides(splits)[lost]


@pytest.mark.parametrize("seed", range(5))
def test_fractions_are_met_up_to_the_chance_of_the_draw(seed):
    """Each split is off its share by at most five standard deviations, in all and in each stratum."""
    sizes = [1 + n * 7 % 12 for n in range(2000)]
    splits, _ = assign(blocks(sizes, strata=("en", "zh")), FRACTIONS, seed)
    where = sides(splits)
    for part in (range(2000), range(0, 2000, 2), range(1, 2000, 2)):
        for split, size in FRACTIONS.items():
            share = size.fraction
            expected = share * sum(sizes[n] for n in part)
            deviation = (share * (1 - share) * sum(sizes[n] ** 2 for n in part)) ** 0.5
            got = sum(sizes[n] for n in part if where[f"Lg{n}"] == split)
            assert abs(got - expected) <= DEVIATIONS * deviation


@settings(deadline=None, max_examples=60)
@given(SIZES, SEEDS, st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(1, 4))
def test_quotas_are_met_and_never_passed(sizes, seed, numbers, strata):
    """No split gets more than its quota, and none less as long as a whole group is left over."""
    targets = {f"part{n}": Size(quota=number) for n, number in enumerate(numbers)}
    table = blocks(sizes, strata=[f"s{n}" for n in range(strata)])
    splits, drops = assign(table, targets, seed)
    assert books_balance(table, splits, drops)
    assert set(drops["reason"].to_pylist()) <= {"over_quota"}
    found = counts(splits)
    assert all(found[split] <= size.quota for split, size in targets.items())
    if len(sides(splits)) < len(sizes):
        assert all(found[split] == size.quota for split, size in targets.items())


@settings(deadline=None, max_examples=60)
@given(SIZES, SEEDS, st.floats(0.05, 2.0), st.data())
def test_by_quotas_a_lost_row_changes_the_group_at_the_edge_at_most(sizes, seed, share, data):
    """Of two quotas, whether there is plenty or not enough, no more than one other group comes, goes or changes sides."""
    table = blocks(sizes)
    total = max(2, int(table.num_rows * share))
    targets = quotas(bench=max(1, total // 4), sft=total - max(1, total // 4))
    fewer, lost = without(table, data.draw(st.integers(0, table.num_rows - 1)))
    assert len(moved(assign(table, targets, seed)[0], assign(fewer, targets, seed)[0], {lost})) <= 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 12), min_size=60, max_size=90), SEEDS, st.data())
def test_among_many_quotas_too(sizes, seed, data):
    """With plenty for each of five splits, one group changes at most."""
    table = blocks(sizes)
    targets = {f"part{n}": Size(quota=5) for n in range(5)}
    fewer, lost = without(table, data.draw(st.integers(0, table.num_rows - 1)))
    assert len(moved(assign(table, targets, seed)[0], assign(fewer, targets, seed)[0], {lost})) <= 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(3, 12), min_size=60, max_size=90), SEEDS, st.data())
def test_in_strata_too(sizes, seed, data):
    """A row that is not the last of its text shifts no stratum's share: with plenty in each, one group changes at most."""
    table, targets = blocks(sizes, strata=("a", "b", "c")), quotas(bench=9, sft=18)
    fewer, lost = without(table, data.draw(st.integers(0, table.num_rows - 1)))
    assert len(moved(assign(table, targets, seed)[0], assign(fewer, targets, seed)[0], {lost})) <= 1


@settings(deadline=None)
@given(SIZES, SEEDS, st.data())
def test_what_quotas_leave_is_divided_by_fractions(sizes, seed, data):
    """The quota is met as far as there are rows, the rest is placed, and a lost row moves one other group at most."""
    table = blocks(sizes)
    splits, drops = assign(table, MIXED, seed)
    assert books_balance(table, splits, drops)
    assert counts(splits)["bench"] == min(12, table.num_rows)
    assert {json.loads(row["evidence"])["leakage_group"] for row in drops.to_pylist()} <= {
        name for name, split in sides(splits).items() if split == "bench"
    }
    fewer, lost = without(table, data.draw(st.integers(0, table.num_rows - 1)))
    assert len(moved(splits, assign(fewer, MIXED, seed)[0], {lost})) <= 1


def test_each_stratum_gets_its_share_of_a_quota():
    """A quota of 80 over strata of 300 and 100 rows is 60 and 20."""
    table = blocks([4] * 100, strata=("en", "en", "en", "zh"))
    splits, _ = assign(table, quotas(bench=80, sft=200), 3)
    stratum = dict(zip(table["item_id"].to_pylist(), table["stratum"].to_pylist(), strict=True))
    found = Counter((row["split"], stratum[row["item_id"]]) for row in splits.to_pylist())
    assert found == {("bench", "en"): 60, ("bench", "zh"): 20, ("sft", "en"): 150, ("sft", "zh"): 50}


@settings(deadline=None)
@given(SIZES, SEEDS, st.randoms(use_true_random=False), st.sampled_from([FRACTIONS, quotas(sft=20, bench=7), MIXED]))
def test_order_does_not_matter(sizes, seed, random, targets):
    """Shuffled pairs, and splits named in another order, end up where they would have; so do rows in chunks."""
    table = blocks(sizes, strata=("x", "y"))
    order = list(range(table.num_rows))
    random.shuffle(order)
    shuffled = table.take(order)
    chunks = pa.concat_tables([shuffled.slice(0, len(order) // 2), shuffled.slice(len(order) // 2)])
    one, other = assign(table, targets, seed)[0], assign(chunks, dict(reversed(targets.items())), seed)[0]
    assert one.sort_by("item_id").equals(other.sort_by("item_id"))


def test_the_seed_matters():
    """Another seed is another draw."""
    table = blocks([3] * 30)
    assert not assign(table, FRACTIONS, 1)[0].equals(assign(table, FRACTIONS, 2)[0])


def test_exact_table_9_sizes():
    """With enough pairs, quotas are met to the row although groups come in twenty-ones."""
    targets = quotas(sft=1114, rl=278, bench=49)
    splits, drops = assign(blocks([21] * 90, strata=("a", "b", "c")), targets, 0)
    assert counts(splits) == {"sft": 1114, "rl": 278, "bench": 49}
    assert set(json.loads(drops["evidence"][0].as_py())) == {"leakage_group", "stratum", "quotas"}
    assert set(drops["filter"].to_pylist()) == {"assign"}


def test_scarce_rows_are_shared_by_all_quotas():
    """Half as many rows as the quotas want fill each of them by about half, and nothing is dropped."""
    splits, drops = assign(blocks([1] * 2000), quotas(sft=3000, rl=800, bench=200), 0)
    assert drops.num_rows == 0
    for split, quota in {"sft": 3000, "rl": 800, "bench": 200}.items():
        share = quota / 4000
        assert abs(counts(splits)[split] - 2000 * share) <= DEVIATIONS * (2000 * share * (1 - share)) ** 0.5


@settings(deadline=None, max_examples=60)
@given(SIZES, SEEDS, st.data(), st.sampled_from([FRACTIONS, quotas(sft=20, bench=7), MIXED]))
def test_conditions_hold(sizes, seed, data, targets):
    """No split has a row that it must not have; a row that none wants, or not its group's, is ineligible; losses move no more."""
    table = blocks(sizes)
    masks = {
        split: pa.array(data.draw(st.lists(st.booleans(), min_size=table.num_rows, max_size=table.num_rows)), pa.bool_())
        for split in ("sft", "bench")
    }
    splits, drops = assign(table, targets, seed, masks)
    assert books_balance(table, splits, drops)
    may = {split: set(table.filter(mask)["item_id"].to_pylist()) for split, mask in masks.items()}
    assert all(row["item_id"] in may.get(row["split"], {row["item_id"]}) for row in splits.to_pylist())
    where, group_of = sides(splits), dict(zip(table["item_id"].to_pylist(), table["leakage_group"].to_pylist(), strict=True))
    for row in drops.to_pylist():
        able = [where[group_of[row["row_id"]]]] if group_of[row["row_id"]] in where else list(targets)
        wanted = any(row["row_id"] in may.get(split, {row["row_id"]}) for split in able)
        assert row["reason"] == ("over_quota" if wanted else "ineligible")
    lost_row = data.draw(st.integers(0, table.num_rows - 1))
    fewer, lost = without(table, lost_row)
    keep = pa.array([place for place in range(table.num_rows) if place != lost_row], pa.int64())
    after, _ = assign(fewer, targets, seed, {split: mask.take(keep) for split, mask in masks.items()})
    assert len(moved(splits, after, {lost})) <= (0 if targets is FRACTIONS else 1)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 12), min_size=80, max_size=90), SEEDS, st.data())
def test_more_is_assigned_and_cut(sizes, seed, data):
    """Oversampling moves nothing that was there; the cut leaves the quota, and a lost row changes one group of it at most."""
    table, plain = blocks(sizes), quotas(bench=10, sft=20)
    more = plain | {"bench": Size(quota=10, oversample=1.55)}
    few, many = assign(table, plain, seed)[0], assign(table, more, seed)[0]
    assert counts(many) == {"bench": 16, "sft": 20}
    assert set(sides(few).items()) <= set(sides(many).items())

    def confirmed(rows):
        return rows.filter(pa.array([int(pair[:8], 16) % 7 > 0 for pair in rows["item_id"].to_pylist()], pa.bool_()))

    def released(rows):
        drops = cut(confirmed(rows), {"bench": 10}, seed, "verification")
        assert {(drop["stage"], drop["reason"]) for drop in drops} <= {("verification", "over_quota")}
        gone = pa.array([drop["row_id"] for drop in drops], pa.string())
        return confirmed(rows).filter(pc.invert(pc.is_in(confirmed(rows)["item_id"], value_set=gone)))

    kept = released(many)
    assert counts(kept) == counts(confirmed(many)) | {"bench": min(10, counts(confirmed(many))["bench"])}
    fewer, lost = without(table, data.draw(st.integers(0, table.num_rows - 1)))
    bench = [one.filter(pc.equal(one["split"], "bench")) for one in (kept, released(assign(fewer, more, seed)[0]))]
    assert len(moved(*bench, {lost})) <= 1


# Keys with few distinct recordings and texts, so that groups link and bridge others all the time.
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


def world(groups):
    """Build keys of groups."""
    rows = [
        {"group_id": row_id("group", n), "text": text, "language": "en", "reference_utterance_id": ref if ref is None else f"u{ref}",
         "target_utterance_id": target if target is None else f"u{target}"}
        for n, (text, ref, target) in enumerate(groups)
    ]  # fmt: skip
    schema = pa.schema(
        [(name, pa.string()) for name in ("group_id", "text", "language", "reference_utterance_id", "target_utterance_id")]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def with_leakage(keys):
    group = dict(zip(*leakage_groups(keys).to_pydict().values(), strict=True))
    return pairs(
        *[(row_id("pair", g, k), g, group[g], "s") for g in keys["group_id"].to_pylist() for k in range(1 + int(g[:2], 16) % 3)]
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(GROUP, min_size=2, max_size=20), SEEDS, st.sampled_from([FRACTIONS, quotas(sft=15, rl=6, bench=4)]), st.data())
def test_nothing_leaks_and_a_lost_text_moves_only_what_it_was_tied_to(groups, seed, targets, data):
    """Splits share nothing. By fractions, a text that goes, even one that tied others together, moves no group but its own."""
    keys = world(groups)
    table = with_leakage(keys)
    splits, _ = assign(table, targets, seed)
    prove([splits], keys)
    if targets is not FRACTIONS:
        return
    lost = data.draw(st.integers(0, len(groups) - 1))
    fewer = keys.take(pa.array([place for place in range(len(groups)) if place != lost], pa.int64()))
    after, _ = assign(with_leakage(fewer), targets, seed)
    name = dict(zip(table["group_id"].to_pylist(), table["leakage_group"].to_pylist(), strict=True))
    old, new = ({row["group_id"]: row["split"] for row in one.to_pylist()} for one in (splits, after))
    gone = keys["group_id"][lost].as_py()
    changed = [group for group in new if new[group] != old[group]]
    assert all(name[group] == name[gone] for group in changed)
    # The part that keeps the smallest text group keeps the place.
    first = min(group for group, tied in name.items() if tied == name[gone])
    assert first == gone or new[first] == old[first]


def test_contradictions_are_named():
    """Repeated pairs, a group in two leakage groups, nulls and lacking columns are refused."""
    with pytest.raises(DataError, match="p1 occurs 2 times"):
        assign(pairs(("p1", "g", "L", "s"), ("p1", "g", "L", "s")), FRACTIONS, 0)
    with pytest.raises(DataError, match="text group g is in two leakage groups"):
        assign(pairs(("p1", "g", "L", "s"), ("p2", "g", "M", "s")), FRACTIONS, 0)
    with pytest.raises(DataError, match="stratum has 1 nulls"):
        assign(pairs(("p1", "g", "L", None)), FRACTIONS, 0)
    with pytest.raises(DataError, match="lack the column stratum"):
        assign(pairs(("p1", "g", "L", "s")).drop_columns(["stratum"]), FRACTIONS, 0)


def test_no_pairs():
    """Nothing in, two empty tables out."""
    splits, drops = assign(pairs(), FRACTIONS, 0)
    assert splits.num_rows == drops.num_rows == 0
    assert assign(pairs(), quotas(sft=3), 0)[0].num_rows == 0
