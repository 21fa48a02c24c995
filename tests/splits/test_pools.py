"""Which split rated clips are for: the corpus's own where asked for, by content elsewhere, and nothing moves for a lost clip."""

from collections import defaultdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from splits.pools import divide

OWN = {"train": {"corpus_split": ["train", "tr"]}, "test": {"corpus_split": ["test"]}}
FREE = {"train": {}, "test": {}}
QUOTAS = {"train": {"a": 300, "b": 300}, "test": {"a": 100, "b": 100}}


def clips(*rows):
    """Return clips: (id, corpus, content, own split, text, style)."""
    names = ("utterance_id", "corpus", "group_id", "corpus_split", "text", "style")
    filled = [(*row, *(None, None, "regular")[len(row) - 3 :]) for row in rows]
    return pa.table(
        {name: pa.array(values, pa.string()) for name, values in zip(names, zip(*filled, strict=True), strict=True)}
    )


def split_of(table, conditions=FREE, quotas=QUOTAS, seed=0):
    found = divide(table, conditions, quotas, seed)
    return dict(zip(found["utterance_id"].to_pylist(), found["drawn_for"].to_pylist(), strict=True))


def many(corpus="a", contents=200, systems=3):
    return [
        (f"{corpus}{content}/{system}", corpus, f"{corpus}{content}")
        for content in range(contents)
        for system in range(systems)
    ]


def test_a_corpus_own_split_is_respected_even_where_its_splits_share_contents():
    table = clips(("u1", "a", "c", "train"), ("u2", "a", "c", "tr"), ("u3", "a", "c", "test"), ("u4", "a", "c", "dev"))
    found = divide(table, OWN, QUOTAS, 0)
    assert found["drawn_for"].to_pylist() == ["train", "train", "test", None]
    assert found["own_split"].to_pylist() == ["train", "tr", "test", "dev"]


def test_a_corpus_without_splits_of_its_own_is_divided_beside_one_that_has_some():
    """The condition on own splits does not bind it; a clip that its corpus forgot is in none."""
    table = clips(("u1", "a", "c", "train"), ("u2", "a", "c", None), *many("b", contents=30))
    found = divide(table, OWN, QUOTAS, 0)
    of_b = found.slice(2)
    assert found["drawn_for"].to_pylist()[:2] == ["train", None]
    assert set(of_b["drawn_for"].to_pylist()) == {"train", "test"}
    assert of_b["own_split"].null_count == of_b.num_rows


def test_a_corpus_without_a_quota_has_no_clips_in_the_split():
    """As VMC'23, which is out of domain and test alone."""
    table = clips(*many("a", contents=40), *many("b", contents=40))
    found = split_of(table, quotas={"train": {"a": 300}, "test": {"a": 100, "b": 100}})
    assert {split for name, split in found.items() if name.startswith("b")} == {"test"}
    assert {split for name, split in found.items() if name.startswith("a")} == {"train", "test"}


@given(seed=st.integers(0, 20))
def test_clips_of_one_content_or_nearly_one_text_are_in_one_split(seed):
    sentences = [f"{word} is a long enough sentence for trigrams about {word}" for word in ("amber", "basil", "cedar", "olive")]
    rows = [
        (f"{n} {variant} {system}", "a", f"{n}{variant}", None, text + variant)
        for n, text in enumerate(sentences)
        for variant in (".", "!", " x")
        for system in range(2)
    ]
    found = split_of(clips(*rows), seed=seed)
    by_sentence = defaultdict(set)
    for name, split in found.items():
        by_sentence[name.partition(" ")[0]].add(split)
    assert all(len(splits) == 1 and None not in splits for splits in by_sentence.values())


def test_shares_go_by_the_quotas():
    """Of 2000 contents a quarter is for a split with a quarter of the pairs, give or take four standard deviations."""
    found = split_of(clips(*many(contents=2000, systems=1)))
    test = sum(split == "test" for split in found.values())
    assert abs(test - 500) < 4 * (2000 * 0.25 * 0.75) ** 0.5


@given(lost=st.integers(0, 599), seed=st.integers(0, 5))
def test_a_lost_clip_moves_no_other(lost, seed):
    rows = many()
    before = split_of(clips(*rows), seed=seed)
    after = split_of(clips(*rows[:lost], *rows[lost + 1 :]), seed=seed)
    assert after.items() <= before.items()


def test_splits_that_share_a_corpus_split_divide_it_by_content():
    """The own split limits where clips may go, and is noted as such; contents inside it stay together."""
    conditions = {name: {"corpus_split": ["train"]} for name in ("sft", "rl")}
    rows = [(name, corpus, content, "train") for name, corpus, content in many()]
    quotas = {"sft": {"a": 1}, "rl": {"a": 1}}
    found = divide(clips(*rows), conditions, quotas, 0)
    assert set(found["own_split"].to_pylist()) == {"train"}
    by_content = defaultdict(set)
    for row in found.to_pylist():
        by_content[row["group_id"]].add(row["drawn_for"])
    assert all(len(splits) == 1 for splits in by_content.values())
    assert set.union(*by_content.values()) == {"sft", "rl"}


@pytest.mark.parametrize(("style", "split"), [("regular", "train"), ("expressive", "test")])
def test_other_conditions_hold_for_all(style, split):
    conditions = {"train": {"style": ["regular"]}, "test": {"style": ["expressive"]}}
    assert split_of(clips(("u", "a", "c", None, None, style)), conditions) == {"u": split}


def test_a_text_of_a_respected_split_goes_there_in_a_corpus_that_is_divided():
    """However it is written, or nearly; what a third corpus says of it, too. Other contents go where they went."""
    text = "The birch canoe slid on the smooth planks of the old boat house near the river."
    respected = [("t1", "a", "a1", "test", text), ("t2", "a", "a2", "train", "Glue the sheet to the dark blue background.")]
    divided = [(f"b{number}/{system}", "b", f"b{number}") for number in range(60) for system in range(2)]
    alone = split_of(clips(*respected, *divided), OWN)
    for seed in range(8):
        said = [
            ("b-same", "b", "x1", None, text.upper().removesuffix(".")),
            ("b-near", "b", "x2", None, text.replace("old ", "")),
            ("b-other", "b", "x3", None, "GLUE the sheet, to the dark-blue background"),
        ]
        found = split_of(clips(*respected, *divided, *said), OWN, seed=seed)
        assert (found["b-same"], found["b-near"], found["b-other"]) == ("test", "test", "train")
        if seed == 0:
            assert {name: found[name] for name in alone} == alone


def test_a_text_of_two_respected_splits_is_in_one_of_them_and_one_that_no_split_takes_in_none():
    text = "The birch canoe slid on the smooth planks of the old boat house near the river."
    three = {**OWN, "dev": {"corpus_split": ["dev"]}}
    quotas = QUOTAS | {"dev": {"a": 100, "b": 100}}
    both = [("t1", "a", "a1", "test", text), ("t2", "a", "a2", "train", text)]
    found = {split_of(clips(*both, ("u", "b", "x", None, text)), three, quotas, seed)["u"] for seed in range(40)}
    assert found == {"train", "test"}
    of_test = [("t1", "a", "a1", "test", text), ("u", "b", "x", None, text), ("v", "b", "y", None, "Another sentence.")]
    found = split_of(clips(*of_test), OWN, {"train": {"a": 300, "b": 300}, "test": {"a": 100}})
    assert (found["u"], found["v"]) == (None, "train"), "the test split takes nothing of that corpus"
