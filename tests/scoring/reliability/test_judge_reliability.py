"""Reliability of judges: simulated judges whose faults are known, brute force, and the papers' own counts."""

from itertools import combinations

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from annotate.models.inquiry_rows import inquiries_of
from contracts.schemas import empty
from scoring.reliability.aggregation import rulings
from scoring.reliability.judge_reliability import agreement, drift, drift_lines, reliability
from tests.annotate.judgments import judgment, table


def simulated(pairs, *, grip, skill, ties=0.0, orders=("ab", "ba"), votes=1, seed=0, **changes):
    """Return what a judge says, and what is true.

    Each time the judge takes the speech played first with chance ``grip``, and else the better one with chance ``skill``; in
    the end it says with chance ``ties`` that both are equal.
    """
    draw = np.random.default_rng(seed)
    better = draw.choice(["a", "b"], pairs)
    rows = []
    for pair in range(pairs):
        for order in orders:
            for vote in range(votes):
                right = better[pair] if draw.random() < skill else {"a": "b", "b": "a"}[better[pair]]
                verdict = order[0] if draw.random() < grip else right
                verdict = None if draw.random() < ties else verdict
                rows.append(judgment(f"p{pair:05d}", order, vote, verdict, **changes))
    truth = table(judgment(f"p{pair:05d}", "ab", 0, str(side), judge="truth") for pair, side in enumerate(better))
    return table(rows), truth


def close(measure, expected):
    """Whether a share lies within four standard errors of what it should be."""
    return abs(measure.value - expected) < 4 * np.sqrt(expected * (1 - expected) / measure.n)


GRIP, SKILL = 0.4, 0.9
IF_FIRST, IF_SECOND = GRIP + (1 - GRIP) * SKILL, (1 - GRIP) * SKILL  # chance of being right, by where the better one is played


def test_the_faults_of_a_simulated_judge_are_found():
    """Position bias 0.7 (0.4 + 0.6 / 2), flips and accuracy as the simulation's chances give them, inside its intervals."""
    judged, truth = simulated(3000, grip=GRIP, skill=SKILL)
    found = reliability(judged)
    assert close(found.position_bias, 0.7)
    assert found.position_bias.low < 0.7 < found.position_bias.high
    assert found.position_bias.n == 6000
    flips = IF_FIRST * (1 - IF_SECOND) + (1 - IF_FIRST) * IF_SECOND
    assert close(found.flip_rate, flips)
    assert found.flip_rate.n == 3000
    assert found.tie_rate.value == 0
    both_right, both_wrong = IF_FIRST * IF_SECOND, (1 - IF_FIRST) * (1 - IF_SECOND)
    accuracy = both_right / (both_right + both_wrong)
    against_truth = agreement(rulings(judged), rulings(truth))
    assert close(against_truth.agreement, accuracy)
    assert against_truth.kappa.value == pytest.approx(2 * accuracy - 1, abs=0.05)  # both sides are as often a as b


def test_an_unbiased_judge_is_found_unbiased():
    """Without a grip of the first place the share is one half, and accuracy is the skill."""
    judged, truth = simulated(4000, grip=0.0, skill=0.8, orders=("ab",))
    found = reliability(judged)
    assert close(found.position_bias, 0.5)
    assert found.flip_rate.value is None
    assert found.flip_rate.why == "no pair was judged in both orders"
    assert close(agreement(rulings(judged), rulings(truth)).agreement, 0.8)


def test_ties_and_consistency_of_a_simulated_judge():
    """Ties have their chance and do not water down position bias; two votes agree as often as the chances say."""
    judged, _ = simulated(3000, grip=GRIP, skill=SKILL, ties=0.2, orders=("ab",), votes=2, seed=1)
    found = reliability(judged, failed=600)
    assert close(found.tie_rate, 0.2)
    assert close(found.position_bias, 0.7)
    assert found.position_bias.n == judged.num_rows - judged["verdict"].null_count
    same = np.mean([0.2**2 + (0.8 * right) ** 2 + (0.8 * (1 - right)) ** 2 for right in (IF_FIRST, IF_SECOND)])
    assert close(found.self_consistency, same)
    assert found.self_consistency.n == 3000
    assert found.failure_rate.value == 600 / 6600


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=5), min_size=1, max_size=6))
def test_self_consistency_is_the_agreeing_share_of_couples(questions):
    """Each question counts once: the share of its votes' couples that say the same."""
    found = reliability(
        table(
            judgment(f"p{n // 2}", ("ab", "ba")[n % 2], v, said)
            for n, votes in enumerate(questions)
            for v, said in enumerate(votes)
        )
    ).self_consistency
    couples = [list(combinations(votes, 2)) for votes in questions]
    chances = [sum(x == y for x, y in pairs) / len(pairs) for pairs in couples if pairs]
    assert found.n == len(chances)
    assert found.value == (pytest.approx(np.mean(chances)) if chances else None)


def test_exchanging_the_sides_changes_nothing():
    """Which speech was stored as A has no part in any measure of the judge."""
    judged, _ = simulated(200, grip=0.3, skill=0.8, ties=0.1, votes=2)
    turned = table(
        judgment(row["pair_id"], row["order"][::-1], row["vote"], {"a": "b", "b": "a", None: None}[row["verdict"]])
        for row in judged.to_pylist()
    )
    assert reliability(turned) == reliability(judged)


def tournament(verdicts):
    """Return judgments and pairs for ``{(group, sample, sample): verdict}``."""
    names = {key: f"p{place:04d}" for place, key in enumerate(sorted(verdicts))}
    pairs = pa.table(
        {
            "pair_id": [names[key] for key in sorted(verdicts)],
            "group_id": [str(group) for group, _, _ in sorted(verdicts)],
            "sample_a": [f"{group}.{a}" for group, a, _ in sorted(verdicts)],
            "sample_b": [f"{group}.{b}" for group, _, b in sorted(verdicts)],
        },
        schema=pa.schema([(name, pa.string()) for name in ("pair_id", "group_id", "sample_a", "sample_b")]),
    )
    said = {key: verdict for key, verdict in verdicts.items() if verdict != "unasked"}
    return table(judgment(names[key], "ab", 0, verdict) for key, verdict in said.items()), pairs


def test_cycle_rates_of_mos_rmbench():
    """565 triplets: 16 circles are the published 2.83 % of the SFT model, one is the 0.18 % of the others (MOS-RMBench, Table 5)."""
    for circles, percent in ((16, 2.83), (1, 0.18)):
        verdicts = {}
        for group in range(565):
            verdicts |= {(group, 0, 1): "a", (group, 1, 2): "a", (group, 0, 2): "b" if group < circles else "a"}
        judged, pairs = tournament(verdicts)
        found = reliability(judged, pairs=pairs)
        assert found.cycle_rate.n == 565
        assert round(100 * found.cycle_rate.value, 2) == percent
        assert found.cyclic_groups.value == circles / 565


def test_most_circles_that_a_tournament_can_have():
    """Of seven samples at most (n^3 - n) / 24 = 14 of 35 triplets go in a circle (Kendall and Babington Smith 1940)."""
    verdicts = {("g", a, b): "a" if (b - a) % 7 in {1, 2, 3} else "b" for a, b in combinations(range(7), 2)}
    judged, pairs = tournament(verdicts)
    found = reliability(judged, pairs=pairs)
    assert (found.cycle_rate.n, found.cycle_rate.value) == (35, pytest.approx(14 / 35))
    assert found.cyclic_groups.value == 1


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(["a", "b", None, "unasked"]), min_size=12, max_size=12))
def test_cycle_rate_is_the_count_over_all_triplets(said):
    """On two text groups, some pairs without a verdict or a judgment: what networkx finds triplet by triplet."""
    keys = [(group, a, b) for group in "gh" for a, b in combinations(range(4), 2)]
    everything = dict(zip(keys, said, strict=True))
    judged, pairs = tournament(everything)
    complete = circles = 0
    cyclic = {}
    for group in "gh":
        for trio in combinations(range(4), 3):
            verdicts = {(a, b): everything[group, a, b] for a, b in combinations(trio, 2)}
            if not set(verdicts.values()) <= {"a", "b"}:
                continue
            graph = nx.DiGraph([(a, b) if verdict == "a" else (b, a) for (a, b), verdict in verdicts.items()])
            complete += 1
            circle = not nx.is_directed_acyclic_graph(graph)
            circles += circle
            cyclic[group] = cyclic.get(group, False) or circle
    found = reliability(judged, pairs=pairs)
    if complete:
        assert found.cycle_rate.n == complete
        assert found.cycle_rate.value == pytest.approx(circles / complete)
        assert found.cyclic_groups.value == pytest.approx(sum(cyclic.values()) / len(cyclic))
    else:
        assert found.cycle_rate.why == "no three samples of a text group have three verdicts"


def test_nothing_judged_is_nothing_known():
    """Without judgments every measure is undefined and says why; none is 0 or NaN."""
    found = reliability(empty("judgments"), pairs=empty("pairs"), failed=0)
    for name in ("position_bias", "flip_rate", "tie_rate", "cycle_rate", "cyclic_groups", "self_consistency", "failure_rate"):
        measure = getattr(found, name)
        assert measure.value is None
        assert measure.why
    assert reliability(empty("judgments")).cycle_rate.why == "no pairs were given"
    assert reliability(empty("judgments")).failure_rate.why == "failures were not counted"


def scored(seed, pairs, judge, *, also=()):
    """Return rulings of a judge with two dimensions of half points, and some that only it scores."""
    draw = np.random.default_rng(seed)
    rows = []
    for pair in pairs:
        a, b = ({name: draw.integers(0, 21) / 2 for name in ("x", "y", *also)} for _ in "ab")
        gap = sum(a.values()) - sum(b.values())
        rows.append(judgment(f"p{pair}", "ab", 0, "a" if gap > 0 else "b" if gap < 0 else None, a=a, b=b, judge=judge))
    return rulings(table(rows))


def test_dimensions_correlate_as_scipy_says():
    """Pearson and Spearman of leads over pairs and of scores over speeches, on the pairs and dimensions in common."""
    first, second = scored(1, range(40), "one", also=("z",)), scored(2, range(10, 60), "two", also=("w",))
    found = agreement(first, second)
    assert found.pairs == 30
    assert list(found.dimensions) == ["x", "y"]
    scores = [
        {(row["pair_id"], side): dict(row[f"scores_{side}"]) for row in ruled.to_pylist() for side in "ab"}
        for ruled in (first, second)
    ]
    common = [f"p{n}" for n in range(10, 40)]
    for name, correlation in found.dimensions.items():
        of_a, of_b = ([[one[pair, side][name] for pair in common] for one in scores] for side in "ab")
        leads = [np.subtract(a, b) for a, b in zip(of_a, of_b, strict=True)]
        everything = [a + b for a, b in zip(of_a, of_b, strict=True)]
        assert correlation.difference_pearson.value == pytest.approx(stats.pearsonr(*leads).statistic)
        assert correlation.difference_spearman.value == pytest.approx(stats.spearmanr(*leads).statistic)
        assert correlation.score_pearson.value == pytest.approx(stats.pearsonr(*everything).statistic)
        assert correlation.score_spearman.value == pytest.approx(stats.spearmanr(*everything).statistic)
        assert (correlation.difference_pearson.n, correlation.score_pearson.n) == (30, 60)


def test_agreement_counts_verdicts():
    """Binary kappa and agreement are over pairs that both decide; the ternary one is over all (2 of 3, and 3 of 5)."""
    verdicts = [("a", "a"), ("b", "b"), ("a", "b"), (None, None), (None, "a")]
    first, second = (
        rulings(table(judgment(f"p{n}", "ab", 0, said[place], judge=str(place)) for n, said in enumerate(verdicts)))
        for place in (0, 1)
    )
    found = agreement(first, second)
    assert (found.agreement.value, found.agreement.n) == (pytest.approx(2 / 3), 3)
    assert found.kappa.value == pytest.approx((2 / 3 - 4 / 9) / (1 - 4 / 9))
    assert found.ternary_kappa.n == 5
    assert found.ternary_kappa.value == pytest.approx((3 / 5 - 8 / 25) / (1 - 8 / 25))


def test_judges_of_other_pairs_cannot_be_compared():
    """No pair in common: nothing is defined, and everything says why."""
    first, second = scored(1, range(5), "one"), scored(2, range(5, 9), "two")
    found, moved = agreement(first, second), drift(first, second)
    assert (found.pairs, moved.pairs) == (0, 0)
    assert found.ternary_kappa.why == moved.changed.why == "no pair in common"
    assert found.dimensions == {}


def test_drift_is_what_moved():
    """Of four pairs one changed sides and one lost its winner; x rose by 1 for every speech, y fell by 2 for A alone."""
    old = [("a", 5.0, 8.0), ("b", 5.0, 8.0), ("a", 5.0, 8.0), ("a", 5.0, 8.0)]
    new = ["a", "a", None, "a"]

    def ruled(rows, judge):
        return rulings(table(judgment(f"p{n}", "ab", 0, said, a=a, b=b, judge=judge) for n, (said, a, b) in enumerate(rows)))

    before = ruled([(said, {"x": x, "y": y}, {"x": x, "y": y}) for said, x, y in old], "old")
    after = ruled([(said, {"x": 6.0, "y": 6.0}, {"x": 6.0, "y": 8.0}) for said in new], "new")
    found = drift(before, after)
    assert (found.changed.value, found.changed.n) == (0.5, 4)
    assert {name: (measure.value, measure.n) for name, measure in found.shift.items()} == {"x": (1.0, 8), "y": (-1.0, 8)}
    assert drift(before, before).changed.value == 0


def test_inquiries_are_told_apart():
    """Judge, model, prompt version, parameters and task make an inquiry, in the order of the table."""
    kinds = [{"model": "pro"}, {}, {"prompt_version": "v2"}, {"judge": "openai"}, {"task": "teacher"}, {"settings": "warm"}]
    rows = [judgment(f"p{n}", "ab", 0, "a", judgment_id=f"{n}-{k}", **kind) for n in range(3) for k, kind in enumerate(kinds)]
    found = inquiries_of(table(rows))
    assert [(one.task, one.judge, one.model, one.prompt_version, one.settings) for one in found] == [
        ("task1", "gemini", "pro", "v1", "s1"), ("task1", "gemini", "flash", "v1", "s1"), ("task1", "gemini", "flash", "v2", "s1"),
        ("task1", "openai", "flash", "v1", "s1"), ("teacher", "gemini", "flash", "v1", "s1"),
        ("task1", "gemini", "flash", "v1", "warm"),
    ]  # fmt: skip
    assert [one.judgments["judgment_id"].to_pylist() for one in found] == [[f"{n}-{k}" for n in range(3)] for k in range(6)]
    assert inquiries_of(empty("judgments"), empty("judgments")) == []


def test_repetitions_are_inquiries_of_their_own():
    """What a re-annotation asked again is told apart by its vote; what the recipe asked meanwhile is the recipe's."""
    recipe = [judgment("p", "ab", vote, "a") for vote in range(2)]
    again = [judgment("p", "ab", vote, "b") for vote in (1, 2, 3)]
    found = inquiries_of(table(recipe), table(again))
    assert [(one.repetition, one.judgments["vote"].to_pylist()) for one in found] == [(None, [0, 1]), (2, [2]), (3, [3])]
    assert [line["new"].rpartition(", ")[2] for line in drift_lines(found)] == ["asked again (vote 2)", "asked again (vote 3)"]
    assert [line["changed"] for line in drift_lines(found)] == [1.0, 1.0]


def test_drift_lines_compare_what_can_be_compared():
    """One line for every two inquiries of a task with pairs in common; a lone judge has none."""
    flash = [judgment(f"p{n}", "ab", 0, "a", a=6.0, b=5.0) for n in range(4)]
    pro = [
        judgment(f"p{n}", "ab", 0, "b" if n == 3 else "a", a=5.0, b=5.5, model="pro", judgment_id=f"q{n}") for n in range(2, 6)
    ]
    elsewhere = [judgment("other", "ab", 0, "a", model="mini"), judgment("p0", "ab", 0, "a", task="teacher", judgment_id="t")]
    assert drift_lines(inquiries_of(table(flash))) == []
    assert drift_lines(inquiries_of(table([*flash, *pro, *elsewhere]))) == [
        {
            "task": "task1",
            "old": "gemini/flash, prompt v1, settings s1",
            "new": "gemini/pro, prompt v1, settings s1",
            "pairs": 2,
            "changed": 0.5,
            "kappa": 0.0,
            "shift": {"naturalness": -0.25},
        }
    ]
