"""What conditions of splits can ask of a pair."""

import pyarrow as pa
import pytest

from contracts.errors import RecipeError
from flows.stages.split_facts import with_corpus_split, with_teacher


def test_right_and_wrong_teachers():
    """A tie is a verdict, and wrong where people prefer one; a pair that was not judged, or has no label, has neither."""
    pairs = pa.table({"pair_id": ["same", "other", "tie", "both tie", "not judged", "no label"]})
    labels = pa.table({"pair_id": ["same", "other", "tie", "both tie", "not judged"], "label": ["a", "a", "b", "tie", "a"]})
    rulings = pa.table({"pair_id": ["same", "other", "tie", "both tie", "no label"], "verdict": ["a", "b", None, None, "a"]})
    assert with_teacher(pairs, labels, rulings)["teacher"].to_pylist() == ["right", "wrong", "wrong", "right", None, None]


def test_a_split_of_the_corpus():
    """It is the split of the target's recording, null without one; a workspace without the column says so."""
    pairs = pa.table({"target_utterance_id": ["u1", None, "u2"]})
    utterances = pa.table({"utterance_id": ["u1", "u2"], "split": ["train", None]})
    assert with_corpus_split(pairs, utterances)["corpus_split"].to_pylist() == ["train", None, None]
    with pytest.raises(RecipeError, match="no corpus of this recipe says a split of its own"):
        with_corpus_split(pairs, utterances.drop_columns(["split"]))
