"""The rules about listeners: what every one must keep, and each at its boundary with numbers from elsewhere."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from annotate.people.rules.gold_accuracy import GoldAccuracy
from annotate.people.rules.one_sided import OneSided
from annotate.people.rules.patterned import Patterned
from annotate.people.rules.peer_agreement import PeerAgreement
from annotate.people.rules.too_fast import TooFast
from annotate.people.store.answer_arrays import NEITHER, UNKNOWN, preferred_positions
from contracts import plugins
from contracts.errors import DataError, RecipeError
from contracts.ids import canonical_json
from tests.annotate.answers import answer, renamed_sides, table
from tests.annotate.population import listen

RULES = plugins.names("listener_rule")
CROWDS = {protocol: listen(protocol, 7, answers_each=60).answers for protocol in ("binary", "cmos")}


def found(rule, rows):
    """Return who breaks the rule, by annotator."""
    return {finding.annotator_id: finding.broken for finding in rule.findings(table(rows))}


def evidence(rule, rows):
    """Return the numbers behind the finding about the only annotator."""
    (finding,) = rule.findings(table(rows))
    return finding.evidence


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_a_frozen_configuration(name):
    """A frozen dataclass with defaults, all of them thresholds that a recipe may set."""
    rule = plugins.configure("listener_rule", name)
    assert dataclasses.is_dataclass(rule)
    for field in dataclasses.fields(rule):
        assert plugins.configure("listener_rule", name, {field.name: getattr(rule, field.name)}) == rule
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.anything = 1


@pytest.mark.parametrize("protocol", CROWDS)
@pytest.mark.parametrize("name", RULES)
def test_a_rule_speaks_of_everybody_once(name, protocol):
    """One finding per annotator, sorted, with numbers that JSON can hold; neither the order of rows nor the sides' names matter."""
    rule, answers = plugins.configure("listener_rule", name), CROWDS[protocol]
    findings = rule.findings(answers)
    assert [finding.annotator_id for finding in findings] == sorted(set(answers["annotator_id"].to_pylist()))
    for finding in findings:
        assert json.loads(canonical_json(finding.evidence)) == finding.evidence
        assert ("lacking" in finding.evidence) == (finding.broken is None)
    shuffled = answers.take(np.random.default_rng(3).permutation(answers.num_rows))
    for other in (shuffled, renamed_sides(answers)):
        again = rule.findings(other)
        assert [finding.broken for finding in again] == [finding.broken for finding in findings]
        assert [finding.evidence for finding in again] == [pytest.approx(finding.evidence) for finding in findings]


@pytest.mark.parametrize("name", RULES)
def test_nothing_to_check_is_no_blame(name):
    """Without answers there is no finding; a single answer, a rating or a qualification test cannot be checked, and says why."""
    rule = plugins.configure("listener_rule", name)
    assert rule.findings(table([])) == []
    rating = answer("x", 0, None, scores=[("noise", 4.0)], plays_b=None)
    for rows in ([answer("x", 0)], [rating], [answer("x", n, gold=["A"], qualification=True) for n in range(5)]):
        (finding,) = rule.findings(table(rows))
        assert finding.broken is None
        assert finding.evidence["lacking"]


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [("gold_accuracy", {"min_share": 1.2}, "min_share"), ("gold_accuracy", {"min_items": 0}, "min_items"), ("too_fast", {"max_p": -1}, "max_p"),
     ("too_fast", {"min_deciding_s": -0.1}, "min_deciding_s"), ("one_sided", {"tolerated_share": 2}, "tolerated_share"),
     ("patterned", {"max_period": 1}, "max_period"), ("patterned", {"min_items": 11}, "min_items"), ("peer_agreement", {"min_rate": 30}, "min_rate")],
)  # fmt: skip
def test_bad_thresholds_are_recipe_errors(name, options, word):
    """A threshold out of its range is refused by name before anything runs."""
    with pytest.raises(RecipeError, match=word):
        plugins.configure("listener_rule", name, options)


def golden(right, of, **changes):
    return [answer("x", n, "A" if n < right else "B", gold=["A"], **changes) for n in range(of)]


@pytest.mark.parametrize("of", [10, 20, 30, 60, 200])
def test_gold_accuracy_boundary(of):
    """Excluded from the number of errors on at which both thresholds, share and chance, are passed (scipy's binomial)."""
    limit = max(k for k in range(of + 1) if k < 0.7 * of and binom.cdf(k, of, 0.9) <= 0.001)
    assert found(GoldAccuracy(), golden(limit, of)) == {"x": True}
    assert found(GoldAccuracy(), golden(limit + 1, of)) == {"x": False}


def test_gold_accuracy_counts():
    """Any of an item's right values is right; the qualification test counts only where the recipe says so."""
    rows = [answer("x", n, "A+1", gold=["A+1", "A+2"]) for n in range(9)] + [answer("x", 9, "T", gold=["A+1", "A+2"])]
    assert evidence(GoldAccuracy(), rows)["right"] == 9
    tested = golden(0, 10, qualification=True)
    assert found(GoldAccuracy(), tested) == {"x": None}
    assert found(GoldAccuracy(qualification=True), tested) == {"x": True}
    assert evidence(GoldAccuracy(), golden(3, 9)) == {"gold_items": 9, "right": 3, "lacking": "10 gold items"}


@pytest.mark.parametrize(("noise", "broken"), [(1.0, False), (5.0, True)])
def test_gold_accuracy_of_ratings(noise, broken):
    """Where listeners rate, an answer is right if all ranges hold; a scale that nobody asked for says nothing."""
    ranges = ["noise=1..2", "speed=3..5", "older_scale=1..1"]
    rows = [answer("x", n, None, scores=[("noise", noise), ("speed", 4.0)], plays_b=None, gold=ranges) for n in range(12)]
    assert found(GoldAccuracy(), rows) == {"x": broken}
    assert evidence(GoldAccuracy(), rows)["right"] == (0 if broken else 12)


def test_a_wrong_gold_item_excludes_nobody():
    """Gold items that most listeners 'fail' are left out; while they are trusted, the same answers exclude."""
    rows = [answer(f"x{who}", n, "B", item=f"g{n}", gold=["A"]) for who in range(6) for n in range(12)]
    assert set(found(GoldAccuracy(), rows).values()) == {None}
    assert set(found(GoldAccuracy(doubted_share=0.0), rows).values()) == {True}
    assert set(found(GoldAccuracy(doubted_answers=7), rows).values()) == {True}
    # Discarded answers do not speak against an item.
    mixed = [row | {"discarded": None if row["annotator_id"] == "x0" else "gold_accuracy"} for row in rows]
    assert set(found(GoldAccuracy(), mixed).values()) == {True}


@pytest.mark.parametrize("of", [20, 50, 300])
def test_too_fast_boundary(of):
    """Excluded from the number of hurried answers on that a fifth, by chance, does not reach (scipy's binomial)."""
    limit = min(k for k in range(of + 1) if k > 0.2 * of and binom.sf(k - 1, of, 0.2) <= 0.001)
    for hurried, broken in ((limit, True), (limit - 1, False)):
        rows = [answer("x", n, time_s=10.49 if n < hurried else 10.5) for n in range(of)]
        assert found(TooFast(), rows) == {"x": broken}


def test_too_fast_counts():
    """The length of what had to be heard matters, not the time alone; 19 answers are too few."""
    assert found(TooFast(), [answer("x", n, time_s=13.0, audio_s=30.0) for n in range(20)]) == {"x": True}
    assert found(TooFast(), [answer("x", n, time_s=13.0, audio_s=12.0) for n in range(20)]) == {"x": False}
    assert found(TooFast(), [answer("x", n, time_s=0.0) for n in range(19)]) == {"x": None}


def played(first, of, *, order=lambda n: ("ab", "ba")[n % 2]):
    """Return answers that prefer what was played first so often."""
    rows = []
    for n in range(of):
        side = order(n)[0] if n < first else order(n)[1]
        rows.append(answer("x", n, side.upper(), order=order(n)))
    return rows


@pytest.mark.parametrize("of", [20, 50, 300])
def test_one_sided_boundary(of):
    """Excluded from the share on that is large enough and that a lean of 60 % does not reach by chance, to either side."""
    limit = min(k for k in range(of + 1) if k >= 0.85 * of and 2 * binom.sf(k - 1, of, 0.6) <= 0.001)
    for first, broken in ((limit, True), (limit - 1, False), (of - limit, True), (of - limit + 1, False)):
        assert found(OneSided(), played(first, of)) == {"x": broken}


def test_one_sided_is_about_places_not_sides():
    """One who always prefers the stored A hears it in either place, and is not one-sided; ties and invalid pairs do not count."""
    always_a = [answer("x", n, "A", order=("ab", "ba")[n % 2]) for n in range(100)]
    assert evidence(OneSided(), always_a)["share"] == 0.5
    ties = [answer("x", n, ("T", "invalid")[n % 2]) for n in range(100)]
    assert found(OneSided(), ties) == {"x": None}
    assert found(OneSided(), ties + played(20, 20)) == {"x": True}


def test_one_sided_needs_both_orders():
    """Where all pairs were played in one order, place and quality are one, and nothing can be said."""
    one_order = played(100, 100, order=lambda _: "ab")
    assert evidence(OneSided(), one_order)["lacking"] == "5 preferences in either order of playing"
    assert found(OneSided(), played(100, 100, order=lambda n: "ba" if n < 5 else "ab")) == {"x": True}


@pytest.mark.parametrize("motif", ["fs", "ffs", "fsn", "ffssn", "fsffsn"])
def test_patterned_finds_each_period(motif):
    """Answers that repeat with a period of two to six are found, also with one slip in twenty, and the period is named."""
    rows = []
    for n in range(240):
        place = "s" if n % 20 == 19 else motif[n % len(motif)]
        order = ("ab", "ba")[(n * 7 // 3) % 2]
        value = {"f": order[0].upper(), "s": order[1].upper(), "n": "T"}[place]
        rows.append(answer("x", n, value, order=order))
    seen = evidence(Patterned(), rows)
    assert found(Patterned(), rows) == {"x": True}
    assert seen["period"] % len(motif) == 0 or seen["period"] == len(motif)


def test_patterned_boundary():
    """With alternating answers, 30 are enough and 29 are not; the comparisons are every answer once, and the chance is exact."""
    rows = played(0, 0)
    for n in range(30):
        order = ("ab", "ba")[n // 3 % 2]
        rows.append(answer("x", n, order[n % 2].upper(), order=order))
    assert found(Patterned(), rows) == {"x": True}
    assert found(Patterned(), rows[:29]) == {"x": None}
    # Period 2 compares 0-2, 1-3, 4-6, 5-7, ... 24-26, 25-27 of 30: 14 pairs; 15 of each answer: 14/29 are alike by chance.
    seen = evidence(Patterned(), rows)
    assert seen["p"] == pytest.approx(5 * (14 / 29) ** 14)
    assert seen["share"] == 1.0


def test_patterned_reads_the_order_answered_and_leaves_the_test_out():
    """The rows' own order says nothing, a qualification test before the work hides nothing, and gold items go along."""
    work = [
        answer("x", n + 5, ("ab", "ba")[n // 3 % 2][n % 2].upper(), order=("ab", "ba")[n // 3 % 2], gold=["A"] if n % 10 == 0 else [])
        for n in range(60)
    ]  # fmt: skip
    test = [answer("x", n, "A", gold=["A"], qualification=True) for n in range(5)]
    assert found(Patterned(), list(reversed(test + work))) == {"x": True}
    assert evidence(Patterned(), test + work)["items"] == 60


def test_patterned_ratings():
    """Ratings that go up and down the scale are a pattern; the same rating throughout is none, and cannot be checked."""
    steps = [answer("x", n, None, scores=[("noise", float(1 + n % 5)), ("speed", 3.0)], plays_b=None) for n in range(60)]
    assert evidence(Patterned(), steps)["period"] == 5
    assert found(Patterned(), steps) == {"x": True}
    flat = [answer("x", n, None, scores=[("noise", 3.0)], plays_b=None) for n in range(60)]
    assert evidence(Patterned(), flat)["lacking"] == "two different answers"


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.7, 0.85]), st.sampled_from([30, 61, 200]))
def test_random_answers_are_no_pattern(seed, lean, of):
    """Whatever the lean towards a place, answers in random order stay below the chance set, but for one in thousands."""
    draw = np.random.default_rng(seed)
    broken = 0
    for _ in range(3):
        rows = [answer("x", n, "A" if draw.random() < lean else "B") for n in range(of)]
        broken += found(Patterned(), rows)["x"] is True
    assert broken <= 1


def peers(labels):
    """Return answers of x and of three others, who agree with each other, on so many items."""
    return [
        answer(who, n, label if who == "x" else "A", item=f"i{n}") for n, label in enumerate(labels) for who in ("x", "y0", "y1", "y2")
    ]  # fmt: skip


def test_peer_agreement():
    """Ten items are rated and nine are not (SpeechJudge, appendix B.1); who always says the opposite is removed."""
    assert found(PeerAgreement(), peers("BABBBBBBBB"[:9]))["x"] is None
    assert found(PeerAgreement(), peers("B" * 10)) == {"x": True, "y0": False, "y1": False, "y2": False}
    assert found(PeerAgreement(), peers("T" * 10))["x"] is True
    assert found(PeerAgreement(), peers(["invalid"] * 10))["x"] is True


def test_peer_agreement_is_the_papers_rate():
    """r_ij is the share of the others with the same label: 2 of 3 items with both, one with one of two: (1 + 1 + 0.5) / 3."""
    rows = [answer(who, n, label, item=f"i{n}") for n, labels in enumerate(["AAA", "TTT", "ABA"]) for who, label in zip("xyz", labels, strict=True)]  # fmt: skip
    finding = PeerAgreement(min_items=3).findings(table(rows))[0]
    assert finding.evidence["rate"] == pytest.approx(2.5 / 3)
    assert finding.evidence["items"] == 3
    assert finding.broken is False


def test_two_who_disagree_cannot_be_told_apart():
    """With two listeners a disagreement does not say who is wrong: nobody is blamed."""
    rows = [answer(who, n, label, item=f"i{n}") for n in range(50) for who, label in (("x", "A"), ("y", "B"))]
    assert found(PeerAgreement(), rows) == {"x": None, "y": None}
    assert PeerAgreement().findings(table(rows))[0].evidence["lacking"] == "10 items that two others answered"


def test_a_low_rate_on_hard_items_is_no_fault():
    """Where the others agree in a third of the pairs, as on code-switched text, 29 % is not far enough below it."""
    draw = np.random.default_rng(5)
    hard = [answer(f"y{who}", n, str(draw.choice(["A", "B", "T"])), item=f"i{n}", language="mixed") for n in range(100) for who in range(6)]  # fmt: skip
    easy = [answer(f"y{who}", 1000 + n, "A", item=f"e{n}") for n in range(400) for who in range(6)]
    labels = {row["item_id"]: row["value"] for row in hard if row["annotator_id"] == "y0"}
    low = [answer("x", n, labels[f"i{n}"] if n % 3 == 0 else "B", item=f"i{n}", language="mixed") for n in range(100)]
    finding = PeerAgreement(min_rate=0.45).findings(table(hard + easy + low))[0]
    assert finding.annotator_id == "x"
    assert finding.evidence["expected"] == pytest.approx(1 / 3, abs=0.05)
    assert finding.evidence["rate"] < 0.45
    assert finding.broken is False
    everywhere = [row | {"language": "en"} for row in hard + easy + low]
    assert PeerAgreement(min_rate=0.45).findings(table(everywhere))[0].broken is True


def test_a_second_answer_to_one_item_is_an_error():
    """Nobody agrees with themselves."""
    rows = [answer("x", 0, item="i"), answer("x", 1, item="i"), answer("y", 0, item="i")]
    with pytest.raises(DataError, match="voted twice"):
        PeerAgreement().findings(table(rows))


def test_what_is_unknown_is_not_too_fast():
    """Without a time, or without what had to be heard, an answer is neither fast nor slow; the others are judged as ever."""
    unknown = [
        answer("x", 100 + n, time_s=time, audio_s=audio) for n, (time, audio) in enumerate([(None, 10.0), (0.1, None), (None, None)] * 30)
    ]  # fmt: skip
    fast, slow = ([answer("x", n, time_s=10.0 + more) for n in range(20)] for more in (0.1, 5.0))
    assert found(TooFast(), unknown) == {"x": None}
    assert evidence(TooFast(), unknown)["lacking"] == "20 answers whose times are known"
    assert evidence(TooFast(), unknown)["items"] == 0
    for known, broken in ((fast, True), (slow, False)):
        assert found(TooFast(), known + unknown) == {"x": broken}
        assert evidence(TooFast(), known + unknown) == evidence(TooFast(), known)
    assert found(TooFast(), fast[:19] + unknown) == {"x": None}


def test_an_unknown_order_has_no_side():
    """A preference whose order of playing is unknown is for neither place, however many there are of it."""
    unknown = [answer("x", 1000 + n, "A", order=None) for n in range(200)]
    assert found(OneSided(), unknown) == {"x": None}
    assert evidence(OneSided(), unknown)["lacking"] == "20 preferences in a known order of playing"
    for first in (15, 30):
        assert evidence(OneSided(), played(first, 30) + unknown) == evidence(OneSided(), played(first, 30))
    assert set(preferred_positions(table(unknown)).tolist()) == {UNKNOWN}
    assert preferred_positions(table([answer("x", 0, "T", order=None)])).tolist() == [NEITHER]


def test_an_unknown_order_is_no_pattern():
    """Neither the order of playing nor that of a vendor's rows is made up: a file sorted by its votes blames nobody."""
    sorted_rows = [answer("x", n, ("ab", "ba")[n % 2][n // 50].upper(), order=("ab", "ba")[n % 2]) for n in range(100)]
    assert found(Patterned(), sorted_rows) == {"x": True}
    halves = [row | {"number": None} for row in sorted_rows]
    unplayed = [answer("x", n, "AB"[n % 2], order=None) for n in range(100)]
    for rows in (halves, unplayed):
        assert found(Patterned(), rows) == {"x": None}
        assert evidence(Patterned(), rows) == {"items": 0, "lacking": "30 answers in a known order"}
    work = [answer("x", n, ("ab", "ba")[n // 3 % 2][n % 2].upper(), order=("ab", "ba")[n // 3 % 2]) for n in range(40)]
    mixed = [answer("x", 40 + n, "A", order=None) for n in range(40)] + halves
    assert evidence(Patterned(), work + mixed) == evidence(Patterned(), work)
    assert found(Patterned(), work + mixed) == {"x": True}
