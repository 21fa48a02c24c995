"""Many listeners at once: nobody gets too much, nothing is lost or doubled, and what was acknowledged outlives a kill."""

import threading
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.people.store.item import Answer
from annotate.people.store.store_records import Finished, Receipt
from annotate.people.store.vote_store import Store
from contracts.errors import DataError
from tests.annotate import ledgers, listeners
from tests.annotate.listeners import Clock, gold, hear, item, join, listening_settings, vote

place = listeners.place


def _together(actions):
    """Run all at once; return what they raised."""
    errors, start = [], threading.Barrier(len(actions))

    def run(action):
        start.wait()
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - for the assertion in the main thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_many_at_once(place):
    """Two stores on one database, twenty listeners: three votes on every pair, none twice by one, no receipt without a vote."""
    clock = Clock()
    receipts = []
    with (
        Store(place, listening_settings(gold_every=4), clock=clock) as one,
        Store(place, listening_settings(gold_every=4), clock=clock) as two,
    ):
        one.add_items([item(f"{number}", stratum=f"{number % 3}") for number in range(20)] + gold(3))
        people = [join(one, f"n{number}") for number in range(16)]

        def listen(store, who, number):
            value = "AB"[number % 2]
            while True:
                at = store.next(who)
                if isinstance(at, Finished):
                    return
                store.upcoming(who)
                done = vote(store, clock, who, value)
                receipts.append(done[1])

        assert _together([lambda n=n, who=who: listen((one, two)[n % 2], who, n) for n, who in enumerate(people)]) == []
        while any(not isinstance(vote(one, clock, who), Finished) for who in people):
            continue
        votes, answers = one.votes(), one.answers()
        assert Counter(votes["pair_id"].to_pylist()) == {f"pair-{number}": 3 for number in range(20)}
        assert set(votes["discarded"].to_pylist()) == {None}
        had = Counter(zip(answers["subject_id"].to_pylist(), answers["annotator_id"].to_pylist(), strict=True))
        assert set(had.values()) == {1}
        assert {receipt.answer_id for receipt in receipts} <= set(answers["answer_id"].to_pylist())
        assert len({receipt.answer_id for receipt in receipts}) == len(receipts)
        assert one.progress().votes == 60
        assert one.progress().leases == 0


def test_ten_tabs(place):
    """One listener in ten tabs has one item, and one answer to it."""
    clock = Clock()
    with Store(place, listening_settings(), clock=clock) as store:
        store.add_items([item("x"), item("y")])
        who = join(store, "Ann")
        seen, received = [], []
        assert _together([lambda: seen.append(store.next(who).assignment_id)] * 10) == []
        assert len(set(seen)) == 1
        hear(store, clock, who, store.next(who))

        def send(value):
            received.append(store.answer(seen[0], who, Answer(value=value)))

        errors = _together([lambda value=value: send(value) for value in "ABABABABAB"])
        assert {error.reason for error in errors} == {"answered"}
        assert len(errors) == 5
        assert len({(receipt.answer_id, receipt.number) for receipt in received}) == 1
        assert store.answers().num_rows == 1


def test_one_refusal_does_not_undo_the_others(place):
    """Writes that are put into one transaction stand for themselves."""
    clock = Clock()
    with Store(place, listening_settings(), clock=clock) as store:
        errors = _together(
            [lambda n=n: store.invite(f"n{n}", {"en": "native"} if n % 2 else {"en": "good"}) for n in range(40)]
        )
        assert [type(error) for error in errors] == [DataError] * 20
        assert sorted(person.name for person in store.annotators()) == sorted(f"n{n}" for n in range(1, 40, 2))


_LISTENER = """
import sys, threading
from annotate.people.store.item import Answer
from annotate.people.store.vote_store import Store
from tests.annotate.listeners import Clock, join, listening_settings

store, say = Store(sys.argv[1], listening_settings(), clock=Clock()), threading.Lock()
people = [join(store, f"n{number}") for number in range(6)]

def listen(who):
    while True:
        at = store.next(who)
        for playable in at.clips:
            store.played(at.assignment_id, who, playable.slot, "started")
            store._clock.now += 5
            store.played(at.assignment_id, who, playable.slot, "ended")
        receipt = store.answer(at.assignment_id, who, Answer(value="A"))
        with say:
            print(receipt.answer_id, flush=True)

for who in people:
    threading.Thread(target=listen, args=(who,)).start()
"""


def test_what_was_acknowledged_outlives_a_kill(place):
    """After kill -9 in the middle: every receipt's answer is there, and the test goes on."""
    with Store(place, listening_settings()) as store:
        store.add_items(item(f"{number}") for number in range(300))
    process = ledgers.running(_LISTENER, place)
    acknowledged = [process.stdout.readline().strip() for _ in range(30)]
    process.kill()
    acknowledged += [line.strip() for line in process.stdout.read().splitlines() if len(line.strip()) == 32]
    process.wait()
    clock = Clock()
    with Store(place, listening_settings(), clock=clock) as store:
        kept = store.answers()["answer_id"].to_pylist()
        assert len(acknowledged) >= 30
        assert set(acknowledged) <= set(kept)
        assert len(kept) == len(set(kept))
        assert store.progress().votes == len(kept)
        assert isinstance(vote(store, clock, store.annotators()[0].annotator_id)[1], Receipt)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["vote", "vote", "vote", "open", "ahead", "wait", "exclude", "pardon", "gold", "ordinary", "withdraw", "add"]
        ),
        st.integers(0, 3),
        st.sampled_from(["A+2", "T", "B+1"]),
    ),
    max_size=60,
)


@settings(max_examples=25, deadline=None)
@given(steps=_STEPS)
def test_whatever_happens_the_counts_hold(tmp_path_factory, steps):
    """After every step: votes and live leases never exceed what is wanted, and nobody has a subject twice."""
    clock = Clock()
    chosen = listening_settings("speechjudge", lease_s=50)
    things = [item(f"{number}") for number in range(4)]
    with Store(tmp_path_factory.mktemp("steps") / "votes.sqlite", chosen, clock=clock) as store:
        store.add_items(things)
        people = [join(store, f"n{number}") for number in range(4)]
        for step, number, value in steps:
            who = people[number]
            match step:
                case "vote":
                    vote(store, clock, who, value)
                case "open":
                    _check_nothing_is_withheld(store, who, store.next(who))
                case "ahead":
                    store.upcoming(who)
                case "wait":
                    clock.now += 60
                case "exclude":
                    store.exclude(who, "rule", {})
                case "pardon":
                    store.pardon(who)
                case "gold":
                    store.make_gold(things[number].item_id, ["A+2"])
                case "ordinary":
                    store.unmake_gold(things[number].item_id)
                case "withdraw":
                    store.withdraw([things[number].item_id])
                case "add":
                    store.add_items(things)
            _check(store)


def _check_nothing_is_withheld(store, who, found):
    """Who is told that all is done has had everything that still needs votes."""
    with store._commits.reading() as connection:
        left = connection.exec_driver_sql("SELECT subject_id FROM listening_items WHERE queued IS NOT NULL").scalars().all()
        had = connection.exec_driver_sql(
            "SELECT subject_id FROM listening_assignments WHERE state <> 'lapsed' AND annotator_id = ?", (who,)
        )
        assert found != Finished(reason="done") or set(left) <= set(had.scalars())


def _check(store):
    votes = store.votes().to_pylist()
    assert len({(vote["pair_id"], vote["annotator_id"]) for vote in votes}) == len(votes)
    excluded = {person.annotator_id for person in store.annotators() if person.state == "excluded"}
    counted = [vote for vote in votes if vote["discarded"] is None]
    assert not excluded & {vote["annotator_id"] for vote in counted}
    with store._commits.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT subject_id, votes, leased, wanted, queued, withdrawn, gold FROM listening_items"
        ).all()
        live = Counter(
            connection.exec_driver_sql(
                "SELECT subject_id FROM listening_assignments WHERE state = 'open' AND kind = 'ordinary'"
            ).scalars()
        )
    for subject, in_, leased, wanted, queued, withdrawn, right in rows:
        said = [Answer(value=vote["value"]) for vote in counted if vote["pair_id"] == subject]
        if not right:
            assert (in_, wanted) == (len(said), store.settings.protocol.votes_needed(said))
        assert leased == live[subject]
        assert in_ + leased <= wanted
        assert (queued is not None) == (in_ + leased < wanted and not withdrawn and not right)
