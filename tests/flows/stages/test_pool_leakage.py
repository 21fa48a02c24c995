"""Contents that clips of two splits share."""

import pyarrow as pa

from flows.stages.pool_leakage import shared_contents
from storage.card_facts import Disjoint


def clips(*rows):
    """Return clips of these corpora, splits, contents and texts."""
    columns = ("corpus", "drawn_for", "content_id", "spoken_text")
    return pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows])


def test_contents_of_one_corpus_and_texts_of_two_are_counted():
    """However a text is written; contents of two corpora are one only by their texts, and each counts once."""
    table = clips(
        ("c", "train", "1", "The fox, again."),
        ("c", "test", "9", "the fox again"),  # another content of the same text
        ("d", "test", "1", "The fox again!"),
        ("d", "test", "2", None),
        ("d", "train", "2", None),  # the same content of the same corpus
        ("d", "train", "3", "A dog."),
        ("c", "train", "2", None),  # another corpus: who knows whether it is d's
        ("c", "test", "4", "a dog"),
    )
    assert shared_contents(table, ["train", "dev", "test"]) == [
        Disjoint(key="c", left="train", right="test", shared=1),
        Disjoint(key="c and d", left="train", right="test", shared=2),
        Disjoint(key="d", left="train", right="test", shared=1),
    ]


def test_splits_of_other_texts_share_nothing():
    table = clips(("c", "train", "1", "One fox."), ("d", "test", "1", "Two foxes."), ("c", "test", "2", None))
    assert shared_contents(table, ["train", "test"]) == []
