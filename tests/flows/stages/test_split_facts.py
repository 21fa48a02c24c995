"""What conditions of splits can ask of an item."""

from types import SimpleNamespace

import pyarrow as pa
import pytest

from contracts.errors import RecipeError
from flows.recipe.splits_section import Splits
from flows.stages.split_facts import short_splits, with_corpus_split, with_teacher


def test_right_and_wrong_teachers():
    """A tie is a verdict, and wrong where people prefer one; a pair that was not judged, or has no label, has neither."""
    pairs = pa.table({"item_id": ["same", "other", "tie", "both tie", "not judged", "no label"]})
    labels = pa.table({"item_id": ["same", "other", "tie", "both tie", "not judged"], "label": ["a", "a", "b", "tie", "a"]})
    rulings = pa.table({"pair_id": ["same", "other", "tie", "both tie", "no label"], "verdict": ["a", "b", None, None, "a"]})
    assert with_teacher(pairs, labels, rulings)["teacher"].to_pylist() == ["right", "wrong", "wrong", "right", None, None]


def test_a_split_of_the_corpus():
    """That of the target's recording, else of both clips that a corpus brought along; where no corpus has any it says so."""
    pairs = pa.table(
        {
            "target_utterance_id": ["u1", None, "u2", None, None],
            "sample_a": ["s", "s", "s", "s3", "s3"],
            "sample_b": ["s", "s", "s", "s4", "s5"],
        }
    )
    samples = pa.table({"sample_id": ["s", "s3", "s4", "s5"], "utterance_id": [None, "u3", "u4", "u5"]})
    split = ["train", None, "test", "test", "train"]
    utterances = pa.table({"utterance_id": ["u1", "u2", "u3", "u4", "u5"], "split": split})
    clips = ("sample_a", "sample_b")
    assert with_corpus_split(pairs, clips, utterances, samples)["corpus_split"].to_pylist() == [
        "train",
        None,
        None,
        "test",
        None,
    ]
    single = pairs.select(["target_utterance_id", "sample_b"])
    found = with_corpus_split(single, ("sample_b",), utterances, samples)["corpus_split"].to_pylist()
    assert found == ["train", None, None, "test", "train"], "an item of one clip"
    nowhere = utterances.set_column(1, "split", pa.nulls(5, pa.string()))
    with pytest.raises(RecipeError, match="no corpus of this recipe says a split of its own"):
        with_corpus_split(pairs, clips, nowhere, samples)


def test_what_splits_lack_is_told():
    """A quota that is not met, and a split without a row; nothing of a quota that is met, and of fractions."""
    train, dev, bench = {"quota": 5}, {"quota": {"c": 3, "d": 4}}, {"quota": 2, "where": {"corpus_split": ["test"]}}
    splits = Splits.model_validate({"sets": {"train": train, "dev": dev, "bench": bench, "rest": {"fraction": 1}}})
    recipe = SimpleNamespace(splits=splits)
    assert short_splits(recipe, {"train": 5, "dev": 6, "rest": 1}) == (
        "split dev has 6 rows of its quota of 7",
        "split bench is empty (where: corpus_split test)",
    )
