"""Pairs of samples."""

import itertools
import json
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from contracts.conformance import conform
from contracts.errors import RecipeError
from contracts.ids import row_id
from synth.pairing import of_two_clips, pairs


def samples(groups: dict[str, list[str]]) -> pa.Table:
    rows = [
        {"sample_id": row_id("sample", prompt, place), "prompt_id": prompt, "group_id": f"g{prompt}", "system": system}
        for prompt, systems in groups.items()
        for place, system in enumerate(systems)
    ]
    names = ["sample_id", "prompt_id", "group_id", "system"]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in names]))


GROUPS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.lists(st.sampled_from(["human", "x", "y", "z"]), max_size=7), max_size=6
)


@settings(max_examples=100, deadline=None)
@given(groups=GROUPS, seed=st.integers(0, 5), shuffle=st.randoms(use_true_random=False))
def test_all_unordered_pairs_of_each_prompt(groups, seed, shuffle):
    """The pairs are those of itertools, each once, with the right kind, whatever the order of the samples."""
    table = samples(groups)
    found = conform(pairs(table, seed=seed), "pairs")
    rows = table.to_pylist()
    expected = {
        frozenset((a["sample_id"], b["sample_id"])): (a, b)
        for a, b in itertools.combinations(rows, 2)
        if a["prompt_id"] == b["prompt_id"]
    }
    assert found.num_rows == len(expected)
    for row in found.to_pylist():
        a, b = expected[frozenset((row["sample_a"], row["sample_b"]))]
        systems = {a["system"], b["system"]}
        assert row["kind"] == ("intra" if len(systems) == 1 else "human" if "human" in systems else "inter")
        assert row["pair_id"] == row_id("pair", *sorted((row["sample_a"], row["sample_b"])))
        assert (row["prompt_id"], row["group_id"]) == (a["prompt_id"], a["group_id"])
        by_id = {one["sample_id"]: one["system"] for one in (a, b)}
        assert (row["system_a"], row["system_b"]) == (by_id[row["sample_a"]], by_id[row["sample_b"]])
    order = list(range(table.num_rows))
    shuffle.shuffle(order)
    assert pairs(table.take(pa.array(order, pa.int64())), seed=seed).equals(found)


def test_adding_a_sample_changes_no_other_pair():
    """A system added later leaves every earlier pair as it was, order included."""
    before = pairs(samples({"p": ["human", "x", "y"]}), seed=7).to_pylist()
    after = pairs(samples({"p": ["human", "x", "y", "z"]}), seed=7).to_pylist()
    assert len(after) == 6
    assert all(row in after for row in before)


def test_order_is_balanced_and_seeded():
    """A and B are a fair coin per pair (exact binomial test), for each system, and another seed is another coin."""
    table = samples({f"p{number}": ["human", "x", "y"] for number in range(2000)})
    found = pairs(table, seed=1)
    for system in ("human", "x", "y"):
        first = found["system_a"].to_pylist().count(system)
        total = first + found["system_b"].to_pylist().count(system)
        assert binomtest(first, total).pvalue > 1e-4
    other = pairs(table, seed=2)
    assert other["pair_id"].equals(found["pair_id"])
    swapped = sum(a != b for a, b in zip(found["sample_a"].to_pylist(), other["sample_a"].to_pylist(), strict=True))
    assert binomtest(swapped, found.num_rows).pvalue > 1e-4


def test_kinds_can_be_chosen():
    """Only the kinds asked for are made; an unknown kind is refused."""
    table = samples({"p": ["human", "x", "x", "y"]})
    assert Counter(pairs(table, seed=0)["kind"].to_pylist()) == {"human": 3, "inter": 2, "intra": 1}
    assert set(pairs(table, seed=0, kinds=["intra"])["kind"].to_pylist()) == {"intra"}
    with pytest.raises(RecipeError, match="unknown kind 'humans'"):
        pairs(table, seed=0, kinds=["humans"])
    assert pairs(table.slice(0, 0), seed=0).num_rows == 0


@settings(max_examples=50, deadline=None)
@given(clips=st.lists(st.sampled_from("abc"), min_size=1, max_size=7))
def test_a_clip_is_in_no_pair_with_itself(clips):
    """Of n samples of which some are one clip, the pairs are those of itertools with two clips; the others say which clip."""
    table = samples({"p": ["x"] * len(clips)}).append_column("audio_id", pa.array(clips))
    audio = dict(zip(table["sample_id"].to_pylist(), clips, strict=True))
    kept, drops = of_two_clips(pairs(table, seed=0), table)
    conform(kept, "pairs")
    conform(drops, "drops")
    assert kept.num_rows == sum(a != b for a, b in itertools.combinations(clips, 2))
    assert kept.num_rows + drops.num_rows == len(clips) * (len(clips) - 1) // 2
    assert all(audio[row["sample_a"]] != audio[row["sample_b"]] for row in kept.to_pylist())
    for row in drops.to_pylist():
        evidence = json.loads(row["evidence"])
        assert row["reason"] == "same_audio"
        assert audio[evidence["sample_a"]] == audio[evidence["sample_b"]] == evidence["audio_id"]
