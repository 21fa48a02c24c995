"""Listeners whose votes were imported are known, checked, excluded and pardoned like anyone, in a file and on a server alike."""

import json

import numpy as np
import pyarrow as pa
import pytest

from annotate.people.store.annotators import IMPORTED_PREFIX
from annotate.people.store.rule import ANSWERS
from annotate.people.store.store_records import Refused
from annotate.people.store.trust import assess
from annotate.people.store.vote_store import Store
from contracts import plugins
from contracts.errors import DataError
from contracts.ids import row_id
from contracts.schemas import RATINGS, VOTES
from tests.annotate import listeners
from tests.annotate.listeners import Clock, finish, item, join, listening_settings

place = listeners.place

NAMES = ("gold_accuracy", "too_fast", "one_sided", "patterned", "peer_agreement")
RULES = {name: plugins.configure("listener_rule", name) for name in NAMES}
CAREFUL = ("v0", "v1", "v2", "v3", "v4")


@pytest.fixture
def store(place):
    with Store(place, listening_settings(), clock=Clock()) as opened:
        yield opened


def vote(subject, who, value, **changes):
    facts = {"vote_id": row_id("vote", subject, who, "unisrm"), "pair_id": subject, "annotator_id": who, "value": value}
    return facts | {"protocol": "unisrm", "source": "import:vendor.csv"} | changes


def votes(rows):
    return pa.Table.from_pylist(list(rows), schema=VOTES)


def excluded(store):
    """Apply the rules as a build does; return whom they exclude, and by which."""
    out = {one.annotator_id: one for one in assess(store.answers(), RULES) if one.rule is not None}
    for who, one in out.items():
        store.exclude(who, one.rule, json.loads(one.evidence))
    return {who: one.rule for who, one in out.items()}


def crowd(pairs, people, *, attention, seed=3):
    """Three of the people vote on each pair: what is true on a share of them that is their attention, else by chance."""
    draw = np.random.default_rng(seed)
    rows = []
    for n in range(pairs):
        truth = str(draw.choice(["A", "B"]))
        for who in (people[(n + step) % len(people)] for step in range(3)):
            value = truth if draw.random() < attention.get(who, 0.9) else str(draw.choice(["A", "B"]))
            rows.append(vote(f"pair-{n}", who, value))
    return rows


def test_a_careless_vendor_listener_is_excluded_and_the_pairs_wait_again(store):
    """Random votes among careful ones: found by peer agreement with the numbers stored; votes of others take the places."""
    store.add_items(item(str(n)) for n in range(120))
    rows = crowd(120, [*CAREFUL, "careless"], attention={"careless": 0.0})
    assert store.import_votes(votes(rows)) == 360
    assert store.progress().waiting == 0
    assert excluded(store) == {"careless": "peer_agreement"}
    person = store.annotator("careless")
    assert (person.state, person.reason) == ("excluded", "peer_agreement")
    assert person.evidence["peer_agreement"]["broken"] is True
    assert person.evidence["peer_agreement"]["items"] == 60
    assert person.evidence["too_fast"]["broken"] is None
    assert {store.annotator(who).state for who in CAREFUL} == {"elsewhere"}
    gone = {row["pair_id"] for row in rows if row["annotator_id"] == "careless"}
    assert (store.progress().votes, store.progress().waiting) == (300, len(gone))
    assert {row["discarded"] for row in store.votes().to_pylist() if row["annotator_id"] == "careless"} == {"peer_agreement"}

    store.add_items([item("late")])
    another = next(row["pair_id"] for row in rows if row["pair_id"] not in gone)
    assert store.import_votes(votes(vote(subject, "careless", "A") for subject in ("pair-late", another))) == 2
    assert (store.progress().votes, store.progress().wanted) == (300, 363), "kept, and marked: they count nothing"
    assert store.import_votes(votes(vote(subject, "v9", "A") for subject in sorted(gone))) == 60
    assert (store.progress().votes, store.progress().waiting) == (360, 1)


def test_careful_vendor_listeners_are_not_excluded(store):
    """Nine in ten of their votes are right; nobody breaks a rule, and two of the rules could check nothing."""
    store.add_items(item(str(n)) for n in range(120))
    store.import_votes(votes(crowd(120, CAREFUL, attention={})))
    assert excluded(store) == {}
    said = {one.annotator_id: one for one in assess(store.answers(), RULES)}
    assert {one.verdict for one in said.values()} == {"trusted"}
    for name in ("too_fast", "one_sided", "patterned", "gold_accuracy"):
        assert {one.findings[name].broken for one in said.values()} == {None}, name


def test_vendor_listeners_who_miss_gold_are_excluded(store):
    """Gold is gold wherever the vote was cast; what is known of order and times is passed on, the rest is null."""
    store.add_items([*(item(f"g{n}", gold=("A",)) for n in range(20)), item("x")])
    known = {"order": "ba", "time_s": 3.0, "plays_a": 2, "plays_b": 1}
    store.import_votes(votes([*(vote(f"pair-g{n}", "v1", "B", **known) for n in range(20)), vote("pair-x", "v1", "A")]))
    store.import_votes(votes([vote("pair-x", "v2", "A", discarded="vendor said so"), vote("pair-gone", "v2", "A")]))
    answers = store.answers()
    assert answers.schema.equals(ANSWERS)
    rows = {(row["annotator_id"], row["subject_id"]): row for row in answers.to_pylist()}
    assert len(rows) == 22, "a vote on what has no item is not an answer"
    wrong, plain = rows["v1", "pair-g3"], rows["v1", "pair-x"]
    assert (wrong["item_id"], wrong["gold"], wrong["language"], wrong["qualification"]) == ("item-g3", ["A"], "en", False)
    assert {name: wrong[name] for name in known} == known
    assert (wrong["audio_s"], wrong["number"]) == (None, None)
    assert [plain[name] for name in (*known, "audio_s", "gold", "side")] == [None] * 5 + [[], "a"]
    assert rows["v2", "pair-x"]["discarded"] == "vendor said so"
    assert excluded(store) == {"v1": "gold_accuracy"}


def test_a_subject_made_anew_is_one_item(store):
    """Votes are on the item that is handed out now; where none is, on the former one; never on both."""
    store.add_items([item("x"), item("y")])
    store.import_votes(votes([vote("pair-x", "v1", "A"), vote("pair-y", "v1", "A")]))
    store.add_items([item("x", item_id="a-new-one", note="louder")])
    store.withdraw(["item-y"])
    assert store.answers()["item_id"].to_pylist() == ["a-new-one", "item-y"]


def test_nobody_comes_in_as_one_of_them(store):
    """No step is open to them, before an exclusion or after it; no name can be taken for theirs; nothing else changes."""
    store.add_items([item("x"), item("y")])
    store.import_votes(votes([vote("pair-x", "v1", "A")]))
    ann = join(store, "Ann")
    for _ in range(2):
        for step in (store.consent, store.confirm_equipment, store.next, store.upcoming):
            with pytest.raises(Refused) as refusal:
                step("v1")
            assert refusal.value.reason == "elsewhere"
        store.exclude("v1", "admin", {"reason": "x"})
    assert store.annotator("v1").is_imported
    assert not store.annotator(ann).is_imported
    with pytest.raises(DataError, match="take another one"):
        store.invite(store.annotator("v1").name, {"en": "native"})
    assert store.annotator("v1").name == f"{IMPORTED_PREFIX}v1"
    store.pardon("v1")
    person = store.annotator("v1")
    assert (person.state, person.pardoned, person.reason, person.answered) == ("elsewhere", True, None, 1)
    assert store.progress().votes == 1
    store.exclude("v1", "too_fast", {})
    assert store.annotator("v1").state == "elsewhere", "a pardon outlives the rules"


def test_twice_is_once_and_the_invited_stay_as_they_are(place):
    """The same table again changes no annotator; a known pseudonym is not made another person."""
    clock = Clock()
    with Store(place, listening_settings(), clock=clock) as store:
        store.add_items([item("x"), item("y")])
        ann = join(store, "Ann")
        finish(store, clock, ann)
        table = votes([vote("pair-x", "v1", "A"), vote("pair-y", "v1", "B"), vote("pair-z", ann, "A")])
        assert store.import_votes(table) == 3
        before, version = store.annotators(), store.version()
        assert [(one.state, one.answered) for one in before] == [("qualified", 2), ("elsewhere", 2)]
        assert store.import_votes(table) == 0
        assert (store.annotators(), store.version()) == (before, version)


def test_imported_ratings_are_answers_too(place):
    """One clip: gold ranges hold for them, and what is not known is null."""
    with Store(place, listening_settings("rating", options={"scales": ["noise"]})) as store:
        store.add_items([item("g", clips=1, gold=("noise=1..2",)), item("x", clips=1)])
        rows = [
            {
                "rating_id": f"r{subject}",
                "sample_id": subject,
                "annotator_id": "v1",
                "protocol": "rating",
                "source": "import:x.csv",
            }
            | {"scores": [("noise", score)]}
            for subject, score in (("pair-g", 5.0), ("pair-x", 3.0))
        ]
        store.import_votes(pa.Table.from_pylist(rows, schema=RATINGS))
        found = {row["subject_id"]: row for row in store.answers().to_pylist()}
        assert found["pair-g"]["gold"] == ["noise=1..2"]
        assert found["pair-x"]["scores"] == [("noise", 3.0)]
        assert found["pair-x"]["plays_a"] is found["pair-x"]["order"] is None
        said = assess(store.answers(), RULES)
        assert said[0].findings["gold_accuracy"].evidence["right"] == 0


def speechjudge_votes(said, **changes):
    key = ("vote", "speechjudge")
    rows = [vote("pair-x", f"v{n}", value, protocol="speechjudge", **changes) for n, value in enumerate(said)]
    return votes(row | {"vote_id": row_id(key[0], row["pair_id"], row["annotator_id"], key[1])} for row in rows)


@pytest.mark.parametrize("turn", [1, -1])
def test_imported_votes_all_count(place, turn):
    """Eleven votes are eleven, in any order: which of them decide is not for the first three to say."""
    with Store(place, listening_settings("speechjudge")) as store:
        store.add_items([item("x"), item("y")])
        store.import_votes(speechjudge_votes([*["B+1", "T"], *["A+1"] * 9][::turn]))
        assert store.votes()["discarded"].null_count == 11
        progress = store.progress()
        assert (progress.votes, progress.wanted, progress.complete, progress.waiting) == (11, 13, 1, 1)
        assert progress.discarded == {}


def test_what_the_app_collects_is_no_more_than_the_protocol_asks(place):
    """After an import the app asks for what is lacking; a pardon brings back what is surplus by then."""
    clock = Clock()
    with Store(place, listening_settings("speechjudge"), clock=clock) as store:
        store.add_items([item("x")])
        store.import_votes(speechjudge_votes(["A+1"]))
        people = [join(store, name) for name in ("Ann", "Bo")]
        listeners.vote(store, clock, people[0], "A+1")
        store.exclude(people[0], "admin", {})
        listeners.vote(store, clock, people[1], "A+2")
        store.pardon(people[0])
        assert store.progress().discarded == {"surplus": 1}
        assert (store.progress().votes, store.progress().wanted) == (2, 2)


def test_a_label_of_elsewhere_is_no_vote(place):
    """It completes its pair, is nobody's answer to the rules, and is counted apart."""
    with Store(place, listening_settings("speechjudge")) as store:
        store.add_items([item("x"), item("y")])
        store.import_votes(speechjudge_votes(["A+1"], aggregated=True))
        progress = store.progress()
        assert (progress.labels, progress.votes, progress.wanted, progress.complete) == (1, 0, 2, 1)
        assert store.answers().num_rows == 0
        assert store.votes()["aggregated"].to_pylist() == [True]
        store.exclude("v0", "admin", {"reason": "x"})
        assert (store.progress().labels, store.progress().complete) == (0, 0)


def test_nobody_is_asked_in_a_closed_test(place):
    """Who is at an item may answer it, imported votes come in, and reopened it goes on."""
    clock = Clock()
    with Store(place, listening_settings(), clock=clock) as store:
        store.add_items([item("x"), item("y")])
        ann, bo = join(store, "Ann"), join(store, "Bo")
        at = store.next(ann)
        store.set_closed(True)
        assert store.progress().closed
        assert store.next(bo).reason == "done"
        assert store.next(ann).assignment_id == at.assignment_id
        listeners.vote(store, clock, ann)
        assert store.next(ann).reason == "done"
        store.import_votes(votes([vote("pair-y", "v1", "A")]))
        assert store.progress().votes == 2
        store.set_closed(False)
        assert store.next(bo).item.subject_id in {"pair-x", "pair-y"}
