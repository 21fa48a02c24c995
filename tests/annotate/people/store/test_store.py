"""A listening test keeps its rules, in a file and on a server alike."""

import pyarrow as pa
import pytest

from annotate.people.store.item import Answer, ItemClip
from annotate.people.store.store_records import Assignment, Finished, Refused
from annotate.people.store.vote_store import Store
from contracts.conformance import conform
from contracts.errors import DataError, StorageError
from contracts.ids import row_id
from contracts.rng import generator_for
from contracts.schemas import VOTES
from tests.annotate import listeners
from tests.annotate.listeners import Clock, finish, gold, hear, item, join, listening_settings, vote

place = listeners.place


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_store(place, clock):
    opened = []

    def opening(**changes):
        opened.append(Store(place, listening_settings(**changes), clock=clock))
        return opened[-1]

    yield opening
    for store in opened:
        store.close()


def refused(reason, action, *arguments):
    with pytest.raises(Refused) as refusal:
        action(*arguments)
    assert refusal.value.reason == reason
    return refusal.value


def test_step_by_step(open_store):
    """Invited, consented, equipped, qualified; each step once, none left out."""
    store = open_store(qualification=1)
    store.add_items([*gold(2), item("x")])
    who = store.invite("Ann", {"en": "native"}).annotator_id
    refused("not_consented", store.next, who)
    refused("not_consented", store.confirm_equipment, who)
    refused("unknown_annotator", store.consent, "nobody")
    states = [store.annotator(who).state]
    for step in (store.consent, store.consent, store.confirm_equipment, store.confirm_equipment, store.consent):
        if step == store.confirm_equipment and states[-1] == "consented":
            refused("not_equipped", store.next, who)
        step(who)
        states.append(store.annotator(who).state)
    assert states == ["invited", "consented", "consented", "equipped", "equipped", "equipped"]
    assert store.annotator("nobody") is None
    assert store.invite("Ann", {"en": "basic"}).annotator_id == who
    assert [person.name for person in store.annotators()] == ["Ann"]


@pytest.mark.parametrize(("said", "state"), [("AAAA", "qualified"), ("AAAB", "qualified"), ("AABB", "failed")])
def test_qualification_comes_first(open_store, clock, said, state):
    """Gold items until the test is answered; the share of right answers decides."""
    store = open_store(qualification=4, qualification_pass=0.75)
    store.add_items([*gold(6), item("x"), item("y")])
    who = join(store, "Ann")
    for value in said:
        assert store.next(who).qualification
        assert vote(store, clock, who, value)[0].item.gold == ()
    assert store.annotator(who).state == state
    asked = store.annotator(who).evidence
    assert (asked["right"], asked["asked"]) == (said.count("A"), 4)
    following = store.next(who)
    if state == "failed":
        assert following == Finished(reason="failed")
        assert store.annotator(who).reason == "qualification"
    else:
        assert not following.qualification
    assert store.votes().num_rows == 0
    assert store.answers()["qualification"].to_pylist() == [True] * 4
    assert store.answers()["gold"].to_pylist() == [["A"]] * 4


def test_nothing_ahead_of_the_verdict(open_store, clock):
    """No ordinary item is leased to somebody who may yet fail, and no test is passed for want of gold."""
    store = open_store(qualification=2)
    store.add_items([*gold(2), item("x")])
    who = join(store, "Ann")
    first = store.next(who)
    ahead = store.upcoming(who)
    assert ahead.qualification
    assert store.upcoming(who) == ahead
    vote(store, clock, who)
    assert store.next(who).assignment_id == ahead.assignment_id != first.assignment_id
    assert store.upcoming(who) is None
    other = open_store(qualification=3)
    late = join(other, "Bo")
    vote(other, clock, late)
    vote(other, clock, late)
    assert other.next(late) == Finished(reason="no_gold")


def test_languages(open_store, clock):
    """Who lacks a level gets no item of that language; mixed asks for all."""
    store = open_store()
    store.add_items([item(f"{language}{n}", language=language) for language in ("en", "zh", "mixed") for n in range(2)])
    cases = [
        ({"en": "proficient"}, {"en"}),
        ({"en": "basic", "zh": "native"}, {"zh"}),
        ({"en": "native", "zh": "proficient"}, {"en"}),
        ({"en": "native", "zh": "native"}, {"en", "zh", "mixed"}),
        ({}, set()),
    ]
    for number, (levels, expected) in enumerate(cases):
        who = join(store, f"n{number}", levels)
        found = {subject.removeprefix("pair-")[:-1] for subject in finish(store, clock, who)}
        assert found == expected
    who = store.annotators()[0].annotator_id
    store.invite(store.annotators()[0].name, {"en": "native", "zh": "native"})
    assert len(finish(store, clock, who)) == 4  # passed by before, understood now
    with pytest.raises(DataError, match="fluent"):
        store.invite("x", {"en": "fluent"})
    with pytest.raises(DataError, match="'fr'"):
        store.add_items([item("f", language="fr")])


def test_an_item_stays_until_answered(open_store, clock):
    """Asking again, reloading and another tab get the same; the next one is another."""
    store = open_store()
    store.add_items([item("x"), item("y")])
    who = join(store, "Ann")
    first = store.next(who)
    assert store.next(who) == first == store.assignment(first.assignment_id, who)
    assert vote(store, clock, who)[0].assignment_id == first.assignment_id
    assert store.next(who).item.subject_id != first.item.subject_id


def test_both_have_to_be_heard(open_store, clock):
    """The server's clock decides what can have been heard: clips and history, not the prompt speech."""
    store = open_store()
    talk = (ItemClip(audio_id="h", duration_s=10.0),)
    store.add_items([item("x", history=talk, references=talk)])
    who = join(store, "Ann")
    at = store.next(who)
    key = at.assignment_id

    def play(slot, what):
        store.played(key, who, slot, what)

    refused("not_started", play, "0", "ended")
    refused("unknown_slot", play, "2", "started")
    refused("unknown_slot", play, "history1", "started")
    play("history0", "started")
    clock.now += 9.4
    assert refused("too_early", play, "history0", "ended").wait_s == pytest.approx(0.1)
    clock.now += 0.11
    play("history0", "ended")
    play("history0", "ended")  # told twice
    for slot in "01":
        refused("not_heard", store.answer, key, who, Answer(value="A"))
        play(slot, "started")
        clock.now += 1
        play(slot, "started")  # from the beginning again
        refused("too_early", play, slot, "ended")
        clock.now += 2
        play(slot, "ended")
    assert not store.next(who).references[0].required
    store.answer(key, who, Answer(value="A"))
    answer = store.answers().to_pylist()[0]
    assert (answer["plays_a"], answer["plays_b"], answer["audio_s"]) == (2, 2, 13.0)
    assert answer["time_s"] == pytest.approx(15.51)
    refused("answered", play, "0", "started")


def test_plays_are_limited(open_store, clock):
    """As often as configured, yet always once to the end."""
    store = open_store(options={"max_plays": 2})
    store.add_items([item("x")])
    who = join(store, "Ann")
    key = store.next(who).assignment_id
    for _ in range(5):  # a page that is reloaded all the time
        store.played(key, who, "0", "started")
    clock.now += 5
    store.played(key, who, "0", "ended")
    refused("no_plays_left", store.played, key, who, "0", "started")
    left = [playable.plays_left for playable in store.assignment(key, who).clips]
    assert left == [0, 2]


def test_an_answer_is_given_once(open_store, clock):
    """The same again gets the same receipt, another one is refused, and somebody else's item does not exist."""
    store = open_store()
    store.add_items([item("x")])
    ann, bo = join(store, "Ann"), join(store, "Bo")
    at = store.next(ann)
    key = at.assignment_id
    hear(store, clock, ann, at)
    for action in (
        store.assignment,
        lambda *who: store.played(*who, "0", "started"),
        lambda *who: store.answer(*who, Answer(value="A")),
    ):
        refused("unknown_assignment", action, key, bo)
        refused("unknown_assignment", action, "nonsense", ann)
    with pytest.raises(DataError):
        store.answer(key, ann, Answer(value="maybe"))
    receipt = store.answer(key, ann, Answer(value="A"))
    before = store.version()
    assert store.answer(key, ann, Answer(value="A")) == receipt
    assert store.version() == before
    refused("answered", store.answer, key, ann, Answer(value="B"))
    assert store.answers().num_rows == 1
    assert receipt.answer_id == row_id("vote", "pair-x", ann, "unisrm")
    assert store.next(ann) == Finished(reason="done")


def test_the_order_is_turned_back(open_store, clock):
    """Whatever was played first, the vote is about the stored A and B; the order is the seed's."""
    store = open_store(protocol="speechjudge", seed=7)
    store.add_items([item(f"{number}") for number in range(30)])
    who = join(store, "Ann")
    orders = set()
    for _ in range(30):
        at, _ = vote(store, clock, who, "A+2")
        orders.add(at.order)
        expected = generator_for(7, "listening_order", f"{who}/{at.item.item_id}").integers(2)
        assert at.order == ("ab", "ba")[int(expected)]
        assert [playable.clip for playable in at.clips] == list(at.item.clips if at.order == "ab" else at.item.clips[::-1])
    assert orders == {"ab", "ba"}
    votes = conform(store.votes(), "votes")
    assert set(votes["value"].to_pylist()) == {"A+2"}
    assert set(votes["text_accurate_a"].to_pylist()) == {True}
    assert votes["errors_b"].to_pylist() == [["omission"]] * 30
    assert set(store.answers()["side"].to_pylist()) == {"a"}


def test_a_third_only_on_disagreement(open_store, clock):
    """Two who agree finish a pair, two who do not call for a third; begun pairs are finished first."""
    store = open_store(protocol="speechjudge")
    store.add_items([item("x"), item("y")])
    ann, bo, cy = (join(store, name) for name in ("Ann", "Bo", "Cy"))
    subject = vote(store, clock, ann, "A+2")[0].item.subject_id
    assert vote(store, clock, bo, "A+1")[0].item.subject_id == subject
    assert store.progress().complete == 1
    other = vote(store, clock, cy, "A+1")[0].item.subject_id
    assert other != subject
    assert vote(store, clock, ann, "T")[0].item.subject_id == other
    assert (store.progress().complete, store.progress().wanted) == (1, 5)
    assert vote(store, clock, bo, "B+1")[0].item.subject_id == other
    assert store.progress().complete == 2
    assert store.next(cy) == Finished(reason="done")


def test_a_lease_ends(open_store, clock):
    """Who walks away loses the item to others; who comes back in time for it does not."""
    store = open_store(protocol="rating", options={"votes": 1, "scales": ["noise"]}, lease_s=100)
    store.add_items([item("x", clips=1)])
    ann, bo = join(store, "Ann"), join(store, "Bo")
    at = store.next(ann)
    assert at.expires_at == clock.now + 100
    before = store.version()
    assert store.next(bo) == Finished(reason="done")
    clock.now += 100
    assert store.progress().leases == 0
    assert store.version() != before
    taken = store.next(bo)
    assert taken.item.subject_id == at.item.subject_id
    refused("expired", store.played, at.assignment_id, ann, "0", "started")
    clock.now += 100
    assert store.next(bo).assignment_id != taken.assignment_id  # over as well, and nobody else wants it
    clock.now += 100
    back = store.next(ann)
    hear(store, clock, ann, back)
    clock.now += 500
    store.answer(back.assignment_id, ann, Answer(scores={"noise": 3}))  # late, but nobody has taken it
    assert store.ratings().to_pylist()[0]["scores"] == [("noise", 3.0)]
    assert store.progress().complete == 1
    assert store.votes().num_rows == 0


def test_a_lapsed_item_can_be_answered_while_there_is_room(open_store, clock):
    """An item that went back to the others is taken up again by hearing it, and counts once."""
    store = open_store(lease_s=100)
    store.add_items([item("x")])
    ann, bo = join(store, "Ann"), join(store, "Bo")
    at = store.next(ann)
    clock.now += 200
    assert store.next(bo).item.subject_id == at.item.subject_id  # takes back what is over
    assert store.progress().leases == 1
    hear(store, clock, ann, at)
    assert store.progress().leases == 2
    assert store.next(ann).assignment_id == at.assignment_id
    store.answer(at.assignment_id, ann, Answer(value="invalid"))
    assert store.progress().votes == 1


def test_strata_are_spread(open_store, clock):
    """At any time the share done of each stratum is about the same, and another seed means another order."""
    store = open_store()
    store.add_items(item(f"{stratum}{n}", stratum=stratum) for stratum, count in (("s", 30), ("t", 60)) for n in range(count))
    order = [subject.removeprefix("pair-") for subject in finish(store, clock, join(store, "Ann"))]
    assert len(order) == 90
    for done in range(9, 91, 9):
        assert abs(sum(name[0] == "s" for name in order[:done]) - done / 3) <= 1
    assert order != sorted(order)


def test_gold_is_mixed_in(open_store, clock):
    """One in every block at a place that differs, never the same one twice, and no page could tell."""
    store = open_store(gold_every=5)
    store.add_items([item(f"{number}") for number in range(60)] + gold(8))
    who = join(store, "Ann")
    order = finish(store, clock, who)
    places = [number for number, subject in enumerate(order) if "gold" in subject]
    assert len(order) == len(set(order)) == 68
    assert [place // 5 for place in places] == list(range(8))
    assert len({place % 5 for place in places}) > 1
    assert store.votes().num_rows == 60
    assert [bool(values) for values in store.answers()["gold"].to_pylist()].count(True) == 8


def test_excluded_and_pardoned(open_store, clock):
    """Votes of the excluded are kept but do not count, others vote instead, and a pardon gives the first word back."""
    store = open_store(protocol="speechjudge")
    store.add_items([item("x"), item("y")])
    ann, bo, cy = (join(store, name) for name in ("Ann", "Bo", "Cy"))
    finish(store, clock, ann, "A+1")
    finish(store, clock, bo, "A+1")
    assert store.progress().complete == 2
    assert store.next(cy) == Finished(reason="done")
    store.exclude(bo, "too_fast", {"share": 0.5})
    person = store.annotator(bo)
    assert (person.state, person.reason, person.evidence) == ("excluded", "too_fast", {"share": 0.5})
    assert (store.progress().complete, store.progress().votes) == (0, 2)
    assert store.next(bo) == Finished(reason="excluded")
    assert store.upcoming(bo) is None
    refused("excluded", store.consent, bo)
    assert len(finish(store, clock, cy, "B+1")) == 2
    assert store.progress().complete == 0  # they disagree: a third is needed
    counted = {(row["annotator_id"], row["discarded"]) for row in store.votes().to_pylist()}
    assert counted == {(ann, None), (bo, "too_fast"), (cy, None)}
    store.pardon(bo)
    store.exclude(bo, "too_fast", {})
    assert store.annotator(bo).state == "qualified"
    assert store.annotator(bo).pardoned
    counted = {(row["annotator_id"], row["discarded"]) for row in store.votes().to_pylist()}
    assert counted == {(ann, None), (bo, None), (cy, "surplus")}
    assert store.progress().complete == 2
    store.exclude(bo, "admin", {"note": "again"})
    assert store.progress().complete == 0
    assert store.votes().num_rows == 6


def test_exclusion_ends_leases(open_store, clock):
    """What an excluded annotator was at goes to others at once, and is answered no more."""
    store = open_store(protocol="rating", options={"votes": 1, "scales": ["noise"]})
    store.add_items([item("x", clips=1)])
    ann, bo = join(store, "Ann"), join(store, "Bo")
    at = store.next(ann)
    hear(store, clock, ann, at)
    store.exclude(ann, "patterned", {})
    assert store.next(bo).item.subject_id == at.item.subject_id
    refused("excluded", store.answer, at.assignment_id, ann, Answer(scores={"noise": 1}))
    store.pardon(ann)
    refused("expired", store.answer, at.assignment_id, ann, Answer(scores={"noise": 1}))


def test_gold_comes_and_goes(open_store, clock):
    """An item made gold has no votes; made ordinary again, what was said of it as gold is no vote either."""
    store = open_store(qualification=1)
    store.add_items([item("x"), *gold(1)])
    refused("unknown_item", store.make_gold, "nothing", ["A"])
    refused("unknown_value", store.make_gold, "item-x", ["T"])
    refused("unknown_value", store.make_gold, "item-x", [])
    ann = join(store, "Ann")
    vote(store, clock, ann, "A")
    vote(store, clock, ann, "B")
    assert store.votes()["pair_id"].to_pylist() == ["pair-x"]
    store.make_gold("item-x", ["B"])
    assert store.votes().num_rows == store.progress().items == 0
    assert [one.gold for one in store.items() if one.item_id == "item-x"] == [("B",)]
    store.unmake_gold("item-x")
    store.unmake_gold("item-gold0")
    assert store.votes()["pair_id"].to_pylist() == ["pair-x"]
    assert store.progress().items == 2
    assert store.next(ann) == Finished(reason="done")


def test_gold_of_scales_is_a_range(open_store, clock):
    """All ranges have to hold."""
    store = open_store(protocol="rating", options={"scales": ["noise", "speed"]}, qualification=1)
    refused("unknown_value", store.add_items, [item("g", clips=1, gold=("noise=6..7",))])
    refused("unknown_value", store.add_items, [item("g", clips=1, gold=("noise",))])
    store.add_items([item("g", clips=1, gold=("noise=1..2", "speed=4..5"))])
    states = []
    for name, scores in (("Ann", {"noise": 2, "speed": 4}), ("Bo", {"noise": 2, "speed": 3})):
        who = join(store, name)
        at = store.next(who)
        hear(store, clock, who, at)
        store.answer(at.assignment_id, who, Answer(scores=scores))
        states.append(store.annotator(who).state)
    assert states == ["qualified", "failed"]


def test_items_are_added_once(open_store, clock):
    """Known items are not new; a withdrawn one is not handed out until it is back; a new version replaces the old."""
    store = open_store()
    assert store.add_items([item("x"), item("y"), item("x")]) == 2
    assert store.add_items([item("x"), item("z")]) == 1
    with pytest.raises(DataError, match="1 clips"):
        store.add_items([item("one", clips=1)])
    store.withdraw(["item-y", "item-z"])
    ann = join(store, "Ann")
    assert finish(store, clock, ann) == ["pair-x"]
    refused("unknown_item", store.withdraw, ["nothing"])
    store.add_items([item("y"), item("x2", subject_id="pair-x")])
    assert {one.item_id for one in store.items()} == {"item-y", "item-x2"}
    assert finish(store, clock, ann) == ["pair-y"]
    assert store.progress().votes == 2


def _votes(*votes, protocol="unisrm", discarded=None):
    rows = [
        {
            "vote_id": row_id("vote", pair, who, protocol),
            "pair_id": pair,
            "annotator_id": who,
            "protocol": protocol,
            "value": value,
            "source": "vendor.csv",
            "discarded": discarded,
        }
        for pair, who, value in votes
    ]
    return pa.Table.from_pylist(rows, schema=VOTES)


def test_imported_votes_count(open_store, clock):
    """They count like others and once, wherever they come first; a discarded one never does."""
    store = open_store()
    early = _votes(("pair-x", "v1", "A"), ("pair-x", "v2", "B"), ("pair-gone", "v1", "A"))
    assert store.import_votes(early) == 3
    assert store.import_votes(early) == 0
    assert store.import_votes(_votes(("pair-x", "v3", "A"), discarded="vendor said so")) == 1
    store.add_items([item("x"), item("y")])
    assert (store.progress().votes, store.progress().wanted) == (2, 6)
    ann = join(store, "Ann")
    assert finish(store, clock, ann) == ["pair-x", "pair-y"]
    assert store.progress().complete == 1
    at_y = store.next(join(store, "Bo"))
    assert at_y.item.subject_id == "pair-y"
    assert store.import_votes(_votes(("pair-y", "v1", "A"), ("pair-y", "v2", "A"))) == 2
    assert store.progress().leases == 0  # nobody else is needed
    assert store.progress().complete == 2
    assert {row["source"] for row in store.votes().to_pylist()} == {"app", "vendor.csv"}
    assert store.answers().num_rows == 2 + 5, "all but that on a pair without an item"
    for bad in (_votes(("p", "v", "T")), _votes(("p", "v", "A"), protocol="speechjudge"), pa.table({"rating_id": ["x"]})):
        with pytest.raises(DataError):
            store.import_votes(bad)
    with pytest.raises(DataError, match="before"):
        store.import_votes(_votes(("pair-x", "v1", "A")).set_column(0, VOTES.field(0), [["another id"]]))


def test_reopened_with_other_terms(open_store, clock):
    """Another number of votes applies to what is there; another protocol is refused in one line."""
    scale = {"scales": ["noise"], "votes": 1}
    store = open_store(protocol="rating", options=scale)
    store.add_items([item("x", clips=1), item("y", clips=1)])
    who = join(store, "Ann")
    at = store.next(who)
    hear(store, clock, who, at)
    store.answer(at.assignment_id, who, Answer(scores={"noise": 1}))
    assert store.progress().complete == 1
    again = open_store(protocol="rating", options=scale | {"votes": 2})
    assert (again.progress().complete, again.progress().votes, again.progress().wanted) == (0, 1, 4)
    assert isinstance(again.next(join(again, "Bo")), Assignment)
    with pytest.raises(StorageError, match="protocol rating, the recipe says unisrm"):
        open_store(protocol="unisrm")
