"""Whom to trust: crowds whose habits are known, and the fixed point of rules that compare listeners."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from annotate.people.rules.peer_agreement import PeerAgreement
from annotate.people.store.rule import ANSWERS, Finding
from annotate.people.store.trust import assess
from contracts import plugins
from contracts.errors import DataError
from scoring.reliability.agreement_levels import annotator_rates
from tests.annotate.answers import answer, table
from tests.annotate.population import KINDS, excluded_by_kind, listen, with_habits

NAMES = ("gold_accuracy", "too_fast", "one_sided", "patterned", "peer_agreement")
RULES = {name: plugins.configure("listener_rule", name) for name in NAMES}
SEEDS = range(5)


def excluded(answers, rules=RULES, **options):
    return {one.annotator_id: one.rule for one in assess(answers, rules, **options) if one.verdict == "excluded"}


def counted(protocol, seeds=SEEDS, **options):
    """Return kind -> (excluded, of) over several crowds."""
    total = dict.fromkeys(KINDS, (0, 0))
    for seed in seeds:
        crowd = listen(protocol, seed, **options)
        for kind, (hits, number) in excluded_by_kind(crowd.kind_of, excluded(crowd.answers)).items():
            total[kind] = (total[kind][0] + hits, total[kind][1] + number)
    return total


@pytest.mark.parametrize("protocol", ["binary", "cmos"])
def test_the_careless_are_found_and_the_careful_are_not_excluded(protocol):
    """Crowds of 40 careful listeners and 16 others of five kinds, 240 answers each (see ``population``)."""
    found = counted(protocol)
    careful, of_careful = found.pop("careful")
    bad = sum(hits for hits, _ in found.values())
    precision, recall = bad / (bad + careful), bad / sum(number for _, number in found.values())
    shares = ", ".join(f"{kind} {hits}/{number}" for kind, (hits, number) in found.items())
    print(f"{protocol}: precision {precision:.3f}, recall {recall:.3f}; careful {careful}/{of_careful}, {shares}")
    assert of_careful == 200
    assert careful <= 2
    assert precision >= 0.98
    assert recall >= 0.95
    for kind, (hits, number) in found.items():
        assert hits >= (0.85 if kind == "careless" else 0.98) * number, kind


@pytest.mark.parametrize("protocol", ["binary", "cmos"])
def test_listeners_who_differ_are_not_excluded(protocol):
    """Careful listeners twice as unlike each other, more distracted, hurried and biased than usual keep their pay."""
    habits = with_habits("careful", noise_spread=0.5, attention=0.93, hurried=0.12, lean_spread=0.25)
    hits, number = counted(protocol, range(4), crowd={"careful": 40}, answers_each=120, habits=habits)["careful"]
    assert hits <= 0.01 * number


@pytest.mark.parametrize("protocol", ["binary", "cmos"])
def test_asking_again_and_again_excludes_no_more(protocol):
    """Rules are asked whenever answers come in; twelve looks at the same careful listeners exclude none."""
    out = set()
    crowd = listen(protocol, 50, crowd={"careful": 40, "careless": 6})
    for look in range(1, 13):
        out |= set(excluded(crowd.answers.filter(pc.less(crowd.answers["number"], look * 24))))
    assert sum(crowd.kind_of[who] == "careful" for who in out) == 0
    assert sum(crowd.kind_of[who] == "careless" for who in out) >= 5


@pytest.mark.parametrize("protocol", ["binary", "cmos"])
def test_excluding_changes_nothing_about_the_next_assessment(protocol):
    """Once the excluded answers are discarded, the same are excluded; after a pardon they count again and are kept."""
    answers = listen(protocol, 3).answers
    first = excluded(answers)
    out = pc.is_in(answers["annotator_id"], value_set=pa.array(sorted(first)))
    marked = answers.set_column(answers.num_columns - 1, ANSWERS.field("discarded"), pc.if_else(out, "a rule", None))
    assert excluded(marked) == first
    lucky = min(first)
    pardoned = {one.annotator_id: one for one in assess(answers, RULES, pardoned={lucky})}
    assert pardoned[lucky].verdict == "pardoned"
    assert pardoned[lucky].rule is None
    assert {who for who, one in pardoned.items() if one.verdict == "excluded"} == set(first) - {lucky}


def test_the_order_of_rows_changes_nothing():
    """The same answers in another order give the same words and numbers."""
    answers = listen("binary", 4, answers_each=60).answers
    shuffled = answers.take(np.random.default_rng(0).permutation(answers.num_rows))
    first, second = assess(answers, RULES), assess(shuffled, RULES)
    assert [(one.annotator_id, one.verdict, one.rule) for one in first] == [
        (one.annotator_id, one.verdict, one.rule) for one in second
    ]


def test_company_does_not_make_one_wrong():
    """Three of five copy from each other against an honest two: when gold finds them out, the two agree with those who are left."""
    rows = []
    for n in range(40):
        for who in ("honest0", "honest1", "copy0", "copy1", "copy2"):
            gold = {"gold": ["A"]} if n >= 25 else {}
            rows.append(answer(who, n, "A" if who.startswith("honest") else "B", item=f"i{n}", **gold))
    rules = {
        "gold_accuracy": plugins.configure("listener_rule", "gold_accuracy", {"doubted_share": 0.0}),
        "peers": PeerAgreement(),
    }
    alone = {finding.annotator_id for finding in rules["peers"].findings(table(rows)) if finding.broken}
    assert alone == {"honest0", "honest1"}
    assert excluded(table(rows), rules) == dict.fromkeys(("copy0", "copy1", "copy2"), "gold_accuracy")


class Rivals:
    """x breaks the rule while y counts, and y while x does: there is no exclusion that all agree on."""

    def findings(self, answers):
        counting = {row["annotator_id"] for row in answers.to_pylist() if row["discarded"] is None}
        return [Finding(annotator_id=who, broken=bool({"x", "y"} - {who} & counting), evidence={}) for who in ("x", "y")]


class Against:
    """Finds against those named, and cannot check the others."""

    def __init__(self, *names):
        self.names = names

    def findings(self, answers):
        ids = sorted(set(answers["annotator_id"].to_pylist()))
        return [Finding(annotator_id=who, broken=True if who in self.names else None, evidence={"n": 1}) for who in ids]


def test_rivals_are_left_to_a_person():
    """Where the rounds go in a circle, only those excluded all the way round are excluded."""
    said = {one.annotator_id: one.verdict for one in assess(table([answer("x", 0), answer("y", 0)]), {"rivals": Rivals()})}
    assert said == {"x": "unsettled", "y": "unsettled"}


def test_the_first_broken_rule_is_named_and_all_are_kept():
    """The recipe's order decides the name; the evidence holds every finding; who cannot be checked is not blamed."""
    rows = table([answer("x", 0), answer("y", 0)])
    x, y = assess(rows, {"one": Against(), "two": Against("x"), "three": Against("x")})
    assert (x.verdict, x.rule) == ("excluded", "two")
    assert (y.verdict, y.rule) == ("unchecked", None)
    assert json.loads(x.evidence) == {
        "one": {"broken": None, "n": 1},
        "two": {"broken": True, "n": 1},
        "three": {"broken": True, "n": 1},
    }
    assert [one.verdict for one in assess(rows, {})] == ["unchecked", "unchecked"]
    assert assess(table([]), RULES) == []


def test_discarded_answers_count_for_nobody_else():
    """An excluded listener is still rated, against those who count; nobody is rated against the excluded."""
    draw = np.random.default_rng(2)
    rows = [answer(f"y{who}", n, str(draw.choice(["A", "B"])), item=f"i{n}") for who in range(4) for n in range(30)]
    out = [answer("x", n, "A", item=f"i{n}", discarded="gold_accuracy") for n in range(30)]
    with_x = {one.annotator_id: one.evidence for one in PeerAgreement().findings(table(rows + out))}
    without = {one.annotator_id: one.evidence for one in PeerAgreement().findings(table(rows))}
    assert {who: with_x[who] for who in without} == without
    counted_again = [row | {"discarded": None} for row in out]
    votes = pa.table({
        "pair_id": [row["item_id"] for row in rows + counted_again],
        "annotator_id": [row["annotator_id"] for row in rows + counted_again],
        "value": [row["value"] for row in rows + counted_again],
    })  # fmt: skip
    expected = {row["annotator_id"]: row["rate"] for row in annotator_rates(votes).to_pylist()}
    assert with_x["x"]["rate"] == pytest.approx(expected["x"])


@pytest.mark.parametrize("given", [None, [1], (), [Finding(annotator_id="nobody", broken=True, evidence={})]])
def test_a_rule_that_gives_something_else_is_one_line(given):
    class Odd:
        def findings(self, answers):
            return given

    with pytest.raises(DataError, match=r"listener_rule 'odd': findings\(\) must return a list with one Finding per annotator"):
        assess(table([answer("ann", 1)]), {"odd": Odd()})
