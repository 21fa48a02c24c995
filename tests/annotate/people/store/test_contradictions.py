"""What does not go together is refused: clips played at once, votes imported otherwise than before, answers to other questions."""

import pyarrow as pa
import pytest

from annotate.people.store.item import Answer
from annotate.people.store.store_records import Refused
from annotate.people.store.vote_store import Store
from contracts.errors import DataError, StorageError
from contracts.ids import row_id
from contracts.schemas import VOTES
from tests.annotate import listeners
from tests.annotate.listeners import Clock, hear, item, join, listening_settings

place = listeners.place


def test_one_clip_at_a_time(place):
    """Two clips that play at once, of one item or of two, are not heard: the one that begins later ends the other."""
    clock = Clock()
    with Store(place, listening_settings(), clock=clock) as store:
        store.add_items([item("x"), item("y")])
        who = join(store, "Ann")
        at, ahead = store.next(who).assignment_id, store.upcoming(who).assignment_id
        for slot in "01":
            store.played(at, who, slot, "started")
        clock.now += 2
        with pytest.raises(Refused, match="not begun"):
            store.played(at, who, "0", "ended")
        store.played(at, who, "1", "ended")
        store.played(ahead, who, "0", "started")
        store.played(at, who, "0", "started")
        clock.now += 2
        with pytest.raises(Refused, match="not begun"):
            store.played(ahead, who, "0", "ended")
        store.played(at, who, "0", "ended")
        assert [clip.heard for clip in store.assignment(at, who).clips] == [True, True]
        assert [clip.heard for clip in store.assignment(ahead, who).clips] == [False, False]
        store.played(at, who, "1", "started")
        store.played(at, who, "0", "started")
        assert [clip.plays for clip in store.assignment(at, who).clips] == [3, 2]
        assert [clip.heard for clip in store.assignment(at, who).clips] == [True, True], "what was heard once stays heard"


def _votes(*votes):
    rows = [
        {
            "vote_id": row_id("vote", pair, who, "unisrm"),
            "pair_id": pair,
            "annotator_id": who,
            "protocol": "unisrm",
            "value": value,
            "source": "vendor.csv",
        }
        for pair, who, value in votes
    ]
    return pa.Table.from_pylist(rows, schema=VOTES)


def test_an_imported_vote_that_says_something_else_than_before_is_refused(place):
    """A corrected file must not look as if it had been taken in: the row is named, and nothing of the file is kept."""
    with Store(place, listening_settings()) as store:
        store.import_votes(_votes(("pair-x", "v1", "A"), ("pair-y", "v1", "B")))
        with pytest.raises(DataError, match=r"nothing was taken in: .*annotator v1 has voted otherwise on pair-y before"):
            store.import_votes(_votes(*[(f"pair-{name}", "v1", "A") for name in "axyz"]))
        votes = store.votes()
        said = dict(zip(votes["pair_id"].to_pylist(), votes["value"].to_pylist(), strict=True))
        assert said == {"pair-x": "A", "pair-y": "B"}


def test_answers_to_other_questions_are_not_taken_for_these(place):
    """Scales may change until the first answer; after it, an item rated on others would pass for complete."""
    clock, noise = Clock(), listening_settings("rating", options={"scales": ["noise"]})
    Store(place, listening_settings("rating", options={"scales": ["noise", "speed"]})).close()
    with Store(place, noise, clock=clock) as store:
        store.add_items([item("x", clips=1)])
        who = join(store, "Ann")
        at = store.next(who)
        hear(store, clock, who, at)
        store.answer(at.assignment_id, who, Answer(scores={"noise": 1}))
    for changed in ({"scales": ["noise", "speed"]}, {"scales": ["noise"], "highest": 10}):
        with pytest.raises(StorageError, match=r"answers to other questions \(noise: 1 to 5\)"):
            Store(place, listening_settings("rating", options=changed))
    with Store(place, noise) as store:
        assert store.progress().votes == 1


def test_a_database_holds_one_test(place):
    """Another recipe with the same address would take the items of this one back; who says no name may look."""
    with Store(place, listening_settings(test="one")) as store:
        store.add_items([item("x")])
    with pytest.raises(StorageError, match="is the listening test 'one', not 'two'"):
        Store(place, listening_settings(test="two"))
    for name in ("", "one"):
        with Store(place, listening_settings(test=name)) as store:
            assert store.progress().items == 1
    with pytest.raises(StorageError, match="is the listening test 'one', not 'two'"):
        Store(place, listening_settings(test="two"))
