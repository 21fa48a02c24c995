"""Gold that the build makes: people qualify on the first day, nothing of it is released, and the answers are what was done."""

from collections import Counter

import pytest

from annotate.people.store.store_records import Finished, Refused
from contracts import plugins
from contracts.errors import RecipeError
from flows.listening.store import open_store
from flows.listening.written_instructions import written_instructions
from flows.recipe.listening_checks import gold_harms, gold_values
from flows.run.kind import stages_of
from flows.run.marks import mark_of
from flows.run.pipeline import Waiting
from flows.stages.listeners import items_of, open_items, publish
from flows.stages.release import release_of
from flows.views.status import status_of
from tests.flows.listeners import listen
from tests.flows.small import run
from tests.flows.verified import VERIFIED, confirming, released, split_of

MADE = VERIFIED | {"gold": {"made": 6}, "qualification": 4, "gold_every": 3}


def _right(build):
    return {item.subject_id: item.gold for item in items_of(build) if item.gold}


def test_people_qualify_on_the_first_day_and_no_gold_clip_is_released(opened):
    """The right answers qualify, "always A" and "always invalid" do not; a rerun makes nothing again."""
    build = opened(listening=MADE)
    waiting = run(build, "release")["verification"]
    assert isinstance(waiting, Waiting)
    made = build.tables.read("gold").to_pylist()
    assert len(made) == 6
    assert Counter(row["harm"] for row in made) == {"noise": 3, "cut": 3}
    assert {row["right"] for row in made} == {"a", "b"}
    row = next(row for row in status_of(build) if row["stage"] == "listening gold items")
    assert row["in"] == 6
    right, asked = _right(build), sum(split != "sft" for split in split_of(build).values())
    assert str(waiting) == f"waiting for votes: 0 of {3 * asked}", "gold wants no votes"

    truth = confirming(build)

    def careful(subject):
        return right[subject][0] if subject in right else truth(subject)

    lazy = [listen(build, name, lambda _subject, said=said: said) for name, said in (("L", "A"), ("I", "invalid"))]
    for name in ("One", "Two", "Three"):
        listen(build, name, careful)
    with open_store(build) as store:
        assert {store.annotator(who).state for who in lazy} == {"failed"}
    before = mark_of(next(stage for stage in stages_of(build) if stage.name == "gold_clips"), build)
    books = run(build, "release")
    assert mark_of(next(stage for stage in stages_of(build) if stage.name == "gold_clips"), build) == before
    assert books["verification"].dropped == {}
    assert release_of(build) is not None
    rows = [row for rows in released(build, ("pair_id", "audio_a", "audio_b")).values() for row in rows]
    assert len(rows) == len(split_of(build))
    heard = {row[name]["bytes"] for row in rows for name in ("audio_a", "audio_b")}
    assert not heard & {build.blobs.encoded(row["audio_id"]) for row in made}


def test_a_made_item_is_never_asked_as_an_ordinary_one(opened):
    """An admin cannot make it so, and a recipe that makes no more gold takes it back."""
    build = opened(listening=MADE)
    run(build, "release")
    with open_store(build) as store:
        made = next(item.item_id for item in store.items() if item.gold)
        with pytest.raises(Refused) as refused:
            store.unmake_gold(made)
        assert refused.value.reason == "only_gold"
        store.make_gold(made, ["A", "B"])
        wanted = store.progress().wanted
    publish(build)
    with open_store(build) as store:
        assert next(item for item in store.items() if item.item_id == made).gold == ("A", "B"), "an admin's word stays"
    plain = opened(listening=VERIFIED)
    publish(plain)
    with open_store(plain) as store:
        assert not [item for item in store.items() if item.gold]
        assert store.progress().wanted == wanted


@pytest.mark.parametrize(
    ("protocol", "harms", "values"),
    [
        ("unisrm", ("noise", "cut"), {("a", "noise"): ("A",), ("b", "cut"): ("B", "invalid")}),
        ("speechjudge", ("noise",), {("a", "noise"): ("A+2", "A+1"), ("b", "noise"): ("B+1", "B+2")}),
        ("rating", (), {}),
    ],
)
def test_the_right_answers_are_those_for_the_untouched_clip(protocol, harms, values):
    """UniSRM, App. G.2: severe truncation makes a pair invalid, so that is no mistake about half a clip."""
    form = plugins.configure("protocol", protocol, {})
    assert gold_harms(form) == harms
    assert {key: gold_values(form, *key) for key in values} == values


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gold": {"made": 3}, "qualification": 4}, "gold: made: 3 is less than qualification: 4"),
        ({"budget_pay": 10}, "budget_pay: write site.pay_per_item"),
        ({"protocol": "rating", "of": "samples", "gold": "made"}, "does not ask which of two clips is better"),
        ({"gold": "gold.txt"}, "must end in .csv or .jsonl"),
    ],
)
def test_recipes_that_cannot_work_say_why(opened, changes, says):
    with pytest.raises(RecipeError, match=says):
        opened(listening=VERIFIED | changes)


def test_no_more_is_assigned_than_the_budget_pays_for(opened):
    """Five answers at 1.05: the sixth item is not assigned, also while others are open; status and the build say what to do."""
    site = {"pay_per_item": 1.05, "currency": "CNY"}
    build = opened(listening=VERIFIED | {"site": site, "budget_pay": 5.5})
    run(build, "release")
    truth = confirming(build)
    asked = sum(split != "sft" for split in split_of(build).values())
    items, unpaid = open_items(build)
    assert (len(items), unpaid) == (1, asked - 1), "three votes of one pair are paid for, six of two are not"
    instructions = written_instructions(build)
    assert "1.05 CNY for each answer" in instructions
    assert "每次作答 1.05 CNY" in instructions
    listen(build, "One", truth, most=4)
    with open_store(build) as store:
        two = store.invite("Two", {"en": "native"}).annotator_id
        store.consent(two)
        store.confirm_equipment(two)
        assert not isinstance(store.next(two), Finished)
        three = store.invite("Three", {"en": "native"}).annotator_id
        store.consent(three)
        store.confirm_equipment(three)
        assert store.next(three) == Finished(reason="no_budget"), "the open item of another listener is paid, too"
    waiting = run(build, "release")["verification"]
    assert "annotate serve" in waiting.advice
    row = next(row for row in status_of(build) if row["stage"] == "listening pay")
    assert (row["in"], row["out"], row["state"]) == (5, 4, "4.20 CNY so far")
    listen(build, "Two", truth)
    waiting = run(build, "release")["verification"]
    assert "listening.budget_pay is spent: 5 answers took 5.25 CNY" in waiting.advice
