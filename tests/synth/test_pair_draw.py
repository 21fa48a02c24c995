"""Which pairs a budget buys."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.rng import hash_fraction
from contracts.schemas import PAIRS, PROMPTS
from synth.pair_draw import Cell, draw

CELL = Cell("regular", "en2zh", "inter")


def prompts(settings=("en2zh",)):
    rows = [
        {field.name: None if field.nullable else "-" for field in PROMPTS}
        | {"prompt_id": setting, "style": "regular", "reference_language": setting[:2], "language": setting[3:]}
        for setting in settings
    ]
    return pa.Table.from_pylist(rows, schema=PROMPTS)


def pairs(ids, setting="en2zh", kind="inter"):
    rows = [
        {field.name: None if field.nullable else "-" for field in PAIRS}
        | {"pair_id": pair, "prompt_id": setting, "kind": kind, "sample_a": f"{pair}a", "sample_b": f"{pair}b"}
        for pair in ids
    ]
    return pa.Table.from_pylist(rows, schema=PAIRS)


def bought(candidates, count, **more):
    return draw(candidates, prompts(), {CELL: count}, **{"seed": 1} | more)


IDS = st.lists(st.text("abcdef", min_size=1, max_size=6), unique=True, max_size=30)


@settings(max_examples=50, deadline=None)
@given(IDS, st.integers(1, 12))
def test_those_of_the_lowest_hash_are_drawn(ids, count):
    """The oracle sorts by the hash itself; the candidates keep their order."""
    drawn = bought(pairs(ids), count)
    lowest = set(sorted(ids, key=lambda pair: hash_fraction(1, "pair_budget", pair))[:count])
    assert drawn.pairs["pair_id"].to_pylist() == [pair for pair in ids if pair in lowest]
    assert drawn.missing == ({CELL: count - len(ids)} if len(ids) < count else {})


@settings(max_examples=50, deadline=None)
@given(IDS, st.integers(1, 12), st.data())
def test_losing_one_pair_moves_no_other_but_at_the_edge(ids, count, data):
    """Without one of the candidates the others are as they were, and at most one more is drawn."""
    whole = set(bought(pairs(ids), count).pairs["pair_id"].to_pylist())
    if not ids:
        return
    gone = data.draw(st.sampled_from(ids))
    less = set(bought(pairs([pair for pair in ids if pair != gone]), count).pairs["pair_id"].to_pylist())
    assert whole - {gone} <= less
    assert len(less - whole) <= 1


@settings(max_examples=50, deadline=None)
@given(IDS, st.integers(1, 12), st.data())
def test_a_lost_sample_makes_room_for_the_next_pair(ids, count, data):
    """What is drawn is what would be drawn without the lost pairs; these stay among those that were tried."""
    lost = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
    drawn = bought(pairs(ids), count, lost={f"{pair}b" for pair in lost})
    without = bought(pairs([pair for pair in ids if pair not in lost]), count)
    assert drawn.pairs.equals(without.pairs)
    assert drawn.missing == without.missing
    tried = set(drawn.tried["pair_id"].to_pylist())
    assert (
        set(drawn.pairs["pair_id"].to_pylist()) | (set(bought(pairs(ids), count).pairs["pair_id"].to_pylist()) & lost) <= tried
    )
    assert tried <= lost | set(drawn.pairs["pair_id"].to_pylist())


def test_each_cell_has_its_own_budget():
    """Style, setting and kind tell the cells apart; a pair of a cell without a budget is not drawn."""
    settings = ("en2en", "zh2zh", "en2zh")
    found = pa.concat_tables([
        pairs(["a", "b", "c"], "en2en"), pairs(["d", "e"], "zh2zh"), pairs(["f", "g"], "en2en", "intra"), pairs(["h"], "en2zh"),
    ])  # fmt: skip
    budget = {
        Cell("regular", "en2en", "inter"): 2,
        Cell("regular", "en2en", "intra"): 1,
        Cell("regular", "zh2zh", "inter"): 3,
        Cell("expressive", "en2en", "inter"): 1,
    }
    drawn = draw(found, prompts(settings), budget, seed=5)
    counted = drawn.pairs.group_by(["prompt_id", "kind"]).aggregate([([], "count_all")]).to_pylist()
    assert {(row["prompt_id"], row["kind"]): row["count_all"] for row in counted} == {
        ("en2en", "inter"): 2, ("en2en", "intra"): 1, ("zh2zh", "inter"): 2,
    }  # fmt: skip
    assert drawn.missing == {Cell("regular", "zh2zh", "inter"): 1, Cell("expressive", "en2en", "inter"): 1}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_seed_decides(seed):
    """Another seed draws others; the same one the same, whatever the order of the candidates."""
    ids = [f"p{number}" for number in range(60)]
    one, other = (set(bought(pairs(some), 10, seed=seed).pairs["pair_id"].to_pylist()) for some in (ids, ids[::-1]))
    assert one == other
    assert one != set(bought(pairs(ids), 10, seed=seed + 10).pairs["pair_id"].to_pylist())
