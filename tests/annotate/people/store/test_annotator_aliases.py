"""A person whom the store knows under several pseudonyms is one annotator, in new tests and in those of before."""

import pyarrow as pa
import pytest

from annotate.people.exchange.file_annotators import Aliases
from annotate.people.store.annotator_aliases import SAME
from annotate.people.store.vote_store import Store
from contracts.errors import DataError
from contracts.ids import row_id
from contracts.schemas import VOTES
from tests.annotate import listeners
from tests.annotate.listeners import as_of_before, item, listening_settings

place = listeners.place


def votes(*said):
    """Return votes of (pair, annotator, value), with the ids that an import gives them."""
    rows = [
        {"vote_id": row_id("vote", pair, who, "unisrm"), "pair_id": pair, "annotator_id": who, "value": value}
        | {"protocol": "unisrm", "source": "import:v.csv"}
        for pair, who, value in said
    ]
    return pa.Table.from_pylist(rows, schema=VOTES)


def cast(store):
    return sorted((row["pair_id"], row["annotator_id"], row["discarded"]) for row in store.votes().to_pylist())


@pytest.fixture
def store(place):
    with Store(place, listening_settings()) as opened:
        opened.add_items(item(name) for name in "xyz")
        yield opened


def test_a_file_of_before_is_known_again(store):
    """Its votes are here under the old spelling's pseudonym: nothing is new, nobody is added, and later votes join them."""
    store.import_votes(votes(("pair-x", "old", "A"), ("pair-y", "old", "B")))
    version = store.version()
    again = votes(("pair-x", "new", "A"), ("pair-y", "new", "B"))
    aliases = {"new": Aliases(same=frozenset({"old"}))}
    for _ in range(2):
        assert store.import_votes(again, aliases) == 0
        assert (store.version(), [one.annotator_id for one in store.annotators()]) == (version, ["old"])
    assert store.import_votes(votes(("pair-z", "new", "A"))) == 1, "known by then, though this file has one spelling only"
    assert {who for _, who, _ in cast(store)} == {"old"}
    with pytest.raises(DataError, match="annotator old has voted otherwise on pair-x before"):
        store.import_votes(votes(("pair-x", "new", "B")))


def test_two_of_before_become_one(store):
    """What both said of one pair is one vote; the other stays, marked; what one alone said is theirs together."""
    store.import_votes(votes(("pair-x", "Bob", "A"), ("pair-x", "bob", "A"), ("pair-y", "Bob", "B")))
    assert store.progress().votes == 3
    same = {"bob": Aliases(same=frozenset({"Bob"}))}
    for _ in range(2):
        assert store.import_votes(votes(("pair-x", "bob", "A"), ("pair-y", "bob", "B")), same) == 0
        assert store.progress().votes == 2
        assert {row[2] for row in cast(store)} == {None, SAME}
    survivor, other = ("Bob", "bob") if store.annotator("bob").reason == SAME else ("bob", "Bob")
    assert sorted(cast(store)) == sorted([("pair-x", survivor, None), ("pair-x", other, SAME), ("pair-y", survivor, None)])
    assert store.annotator(other).evidence == {SAME: survivor}
    assert store.annotator(survivor).answered == 2


def test_who_is_excluded_is_so_by_every_name(store):
    """A new spelling is no way back in."""
    store.import_votes(votes(("pair-x", "number", "A")))
    store.exclude("number", "too_fast", {})
    aliases = {"address": Aliases(maybe=frozenset({"number"}))}
    assert store.import_votes(votes(("pair-y", "address", "A")), aliases) == 1
    assert [row[2] for row in cast(store)] == ["too_fast", "too_fast"]


def test_a_number_belongs_to_its_first_address(store):
    """A file of numbers, one with addresses, then numbers again: one person. Another server's number 1 is somebody else."""
    one = {"bob": Aliases(maybe=frozenset({"1"}))}
    store.import_votes(votes(("pair-x", "1", "A")))
    store.import_votes(votes(("pair-y", "bob", "A")), one)
    store.import_votes(votes(("pair-z", "1", "A")))
    assert {who for _, who, _ in cast(store)} == {"1"}
    store.import_votes(votes(("pair-x", "eve", "B")), {"eve": Aliases(maybe=frozenset({"1"}))})
    assert {who for _, who, _ in cast(store)} == {"1", "eve"}
    assert store.import_votes(votes(("pair-y", "bob", "A")), one) == 0
    assert store.progress().votes == 4


def test_a_test_of_before_opens_and_builds_on(place):
    """Nothing is lost; imported votes that were left over count now; one that has none keeps its version."""
    with Store(place, listening_settings()) as store:
        store.add_items([item("x")])
        store.import_votes(votes(*(("pair-x", f"v{n}", "A") for n in range(5))))
        before, version = store.votes(), store.version()
        as_of_before(store)
    with Store(place, listening_settings()) as store:
        assert (store.votes().equals(before), store.version()) == (True, version)
        as_of_before(store, "UPDATE listening_assignments SET discarded = 'surplus' WHERE number > 3")
    with Store(place, listening_settings()) as store:
        assert store.votes().equals(before)
        assert store.version() != version
        assert (store.progress().votes, store.progress().wanted, store.progress().complete) == (5, 5, 1)
