"""Planted shortcuts are found and named; clean data raises alarms at the stated rate only; A and B are all the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, mannwhitneyu, permutation_test, spearmanr

from scoring.audit.association import Association, associations, critical, numbered
from scoring.audit.pairs import by_split, correlated, preferred
from tests.scoring.audit.planted import NAMES, Simulated, pairs


def audited(simulated: Simulated, *, seed=0, alpha=0.01) -> dict[str, Association]:
    columns = [preferred(values, simulated.chosen) for values in simulated.differences.values()]
    added, known = (np.column_stack([column[part] for column in columns]) for part in (0, 1))
    found = associations(added, known, simulated.groups, np.random.default_rng(seed), alpha=alpha)
    return dict(zip(simulated.differences, found, strict=True))


def named(found):
    return {name for name, one in found.items() if one.is_found}


PLANTED = {"louder": "loudness_lufs", "longer": "duration_s", "real": "is_synthetic"}


@pytest.mark.parametrize("shortcuts", [("louder",), ("longer",), ("real",), ("louder", "longer", "real")])
def test_a_planted_shortcut_is_found_and_named_and_nothing_else(shortcuts):
    """Positives 6 dB louder, 20 % longer, always real: each alone, and all together."""
    found = audited(pairs(5, shortcuts=shortcuts))
    assert named(found) == {PLANTED[shortcut] for shortcut in shortcuts}
    for shortcut in shortcuts:
        one = found[PLANTED[shortcut]]
        direction = -1 if shortcut == "real" else 1
        assert one.low <= one.effect <= one.high
        assert direction * one.effect > one.bound
        assert one.p_value == pytest.approx(1 / 2000)


def test_a_fixed_position_is_found():
    """A is always the chosen clip: position alone tells it."""
    simulated = pairs(6)
    assert named(audited(Simulated(simulated.differences, np.ones(len(simulated.chosen)), simulated.groups))) == {"position"}


def test_clean_data_raises_alarms_at_the_stated_rate():
    """Of 300 clean data sets with dependent labels, as many raise any alarm as a rate of 5 % allows (binomial, 1 in 1000)."""
    alarms = sum(bool(named(audited(pairs(1000 + seed, groups=60, size=4), seed=seed, alpha=0.05))) for seed in range(300))
    low, high = binom.ppf([0.0005, 0.9995], 300, 0.05)
    assert low <= alarms <= high


def test_clean_data_is_silent_at_the_rate_of_an_audit():
    """Of 200 clean data sets at most so many raise an alarm at 1 % as a binomial bound of 1 in 1000 allows."""
    alarms = sum(bool(named(audited(pairs(seed, groups=60, size=4), seed=seed))) for seed in range(200))
    assert alarms <= binom.ppf(0.999, 200, 0.01)


def test_independent_pairs_have_the_p_value_of_a_sign_test():
    """One column, every pair a group of its own: the exact two-sided sign test of scipy, within the error of 1,999 draws."""
    chosen, differences = np.ones(80), np.where(np.arange(80) < 50, 1.0, -1.0)
    added, known = preferred(differences, chosen)
    (found,) = associations(added[:, None], known[:, None], np.arange(80), np.random.default_rng(1))
    exact = binomtest(50, 80).pvalue
    assert found.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 1999))
    assert found.effect == pytest.approx(2 * 50 / 80 - 1)


def test_the_bound_is_what_the_largest_column_stays_within():
    """At 1 % and 1,999 draws the 20th largest: a larger statistic has at most 19 draws as large, which is p <= 0.01."""
    drawn = np.arange(1999.0)
    assert critical(drawn, 0.01) == 1979
    assert (1 + np.sum(drawn >= 1979.5)) / 2000 <= 0.01
    assert (1 + np.sum(drawn >= 1979)) / 2000 > 0.01
    assert critical(np.arange(50.0), 0.01) == float("inf")


def test_the_interval_covers_the_true_effect():
    """Of 200 data sets in which the chosen clip is longer in 70 % of the pairs, about 95 % of the intervals hold 0.4."""
    hits = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        added = np.where(draw.random((240, 1)) < 0.7, 1.0, -1.0)
        (found,) = associations(added, np.ones((240, 1), dtype=bool), np.repeat(np.arange(80), 3), draw)
        hits += found.low <= 0.4 <= found.high
    assert binom.ppf(0.0005, 200, 0.95) <= hits


def test_the_effect_is_the_area_under_the_curve_of_all_pairs():
    """Every clip of one side against every one of the other: Mann and Whitney's U over its largest value, ties by half."""
    draw = np.random.default_rng(3)
    better, worse = draw.integers(0, 12, 40).astype(float), draw.integers(0, 10, 30).astype(float)
    added, _ = preferred(np.subtract.outer(better, worse).ravel(), np.ones(1200))
    assert (1 + added.mean()) / 2 == pytest.approx(mannwhitneyu(better, worse).statistic / 1200)


def test_clips_have_spearmans_correlation():
    """With ties; unknown values are left out."""
    draw = np.random.default_rng(4)
    values, scores = draw.integers(0, 20, 90).astype(float), draw.integers(1, 6, 90).astype(float)
    values[5] = scores[7] = np.nan
    added, known = correlated(values, scores)
    kept = ~(np.isnan(values) | np.isnan(scores))
    assert added.sum() / known.sum() == pytest.approx(spearmanr(values[kept], scores[kept]).statistic)
    assert known.tolist() == kept.tolist()


def test_independent_clips_have_the_p_value_of_a_permutation_test():
    """Spearman's correlation of independent clips: scipy's permutation of all scores, within 0.02."""
    draw = np.random.default_rng(8)
    values = draw.normal(size=150)
    scores = values * 0.2 + draw.normal(size=150)
    added, known = correlated(values, scores)
    (found,) = associations(added[:, None], known[:, None], np.arange(150), draw)
    expected = permutation_test(
        (scores,), lambda x: spearmanr(values, x).statistic, permutation_type="pairings", n_resamples=1999, rng=draw
    )
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.02)


def test_all_columns_together_are_stricter_than_one():
    """The p-value of the largest of six columns is at least that of the column alone, and at most six times it (Bonferroni)."""
    simulated = pairs(13)
    found = audited(simulated)
    for name, values in simulated.differences.items():
        added, known = preferred(values, simulated.chosen)
        (alone,) = associations(added[:, None], known[:, None], simulated.groups, np.random.default_rng(0))
        assert alone.p_value - 0.03 <= found[name].p_value <= len(NAMES) * alone.p_value + 0.03


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_exchanging_a_and_b_changes_nothing_but_the_position(seed, data):
    """Any pairs exchanged, and the rows in any order: the same findings."""
    simulated = pairs(seed, groups=12, size=3, shortcuts=("longer",))
    count = len(simulated.chosen)
    flips = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    order = np.array(data.draw(st.permutations(range(count))))
    without = {name: values for name, values in simulated.differences.items() if name != "position"}
    simulated = Simulated(without, simulated.chosen, simulated.groups)
    assert audited(simulated) == audited(simulated.swapped(flips).taken(order))


def test_a_shortcut_in_one_split_is_named_there():
    """Columns once for all, once for each split: found in the split that has it."""
    clean, spoilt = pairs(21), pairs(22, shortcuts=("louder",))
    loud = [np.concatenate([one.differences["loudness_lufs"] for one in (clean, spoilt)])]
    chosen = np.concatenate([clean.chosen, spoilt.chosen])
    added, known = preferred(loud[0], chosen)
    is_rl = np.arange(len(chosen)) >= len(clean.chosen)
    members = {None: np.ones(len(chosen), dtype=bool), "sft": ~is_rl, "rl": is_rl}
    groups = np.concatenate([clean.groups, spoilt.groups + 1000])
    columns = by_split(added[:, None], known[:, None], members)
    found = dict(zip(members, associations(*columns, numbered(groups), np.random.default_rng(0)), strict=True))
    assert found["rl"].is_found
    assert not found["sft"].is_found
    assert found[None].items == found["sft"].items + found["rl"].items


def test_nothing_known_is_nothing_found():
    """A feature that nobody measured, and clips that never differ."""
    added, known = preferred(np.array([np.nan, 0.0, 0.0]), np.ones(3))
    (one,) = associations(added[:, None], known[:, None], np.arange(3), np.random.default_rng(0))
    assert (one.items, one.differing, one.effect, one.bound, one.p_value, one.is_found) == (2, 0, 0.0, 0.0, 1.0, False)


def test_few_groups_can_prove_nothing():
    """Four groups have 16 turns, so that the smallest p-value is 1 in 8: nothing is found, however plain."""
    added = np.ones((40, 1))
    (one,) = associations(added, added > 0, np.repeat(np.arange(4), 10), np.random.default_rng(0))
    assert one.effect == 1.0
    assert not one.is_found
    assert one.p_value == pytest.approx(1 / 8, abs=0.03)


def drawn(seed, *, louder=0.0):
    """Return what pairs drawn of one pool add, and their clips: the label is that of the clips' ratings."""
    draw = np.random.default_rng(seed)
    rating, values = draw.normal(size=80), draw.normal(size=(80, 4))
    values[:, 0] += louder * rating
    first, second = draw.integers(0, 80, (2, 240))
    first, second = first[first != second], second[first != second]
    added, known = zip(
        *(preferred(column[first] - column[second], np.sign(rating[first] - rating[second])) for column in values.T),
        strict=True,
    )
    return np.vstack([np.column_stack(added)] * 2), np.vstack([np.column_stack(known)] * 2), np.concatenate([first, second])


def test_pairs_that_share_clips_raise_alarms_at_no_more_than_the_rate():
    """Of 200 clean pools, whose clips stand in six pairs each, no more than a binomial bound of 1 in 1000 allows at 5 %."""
    alarms = sum(
        any(one.is_found for one in associations(*drawn(seed), np.random.default_rng(seed), alpha=0.05, times=2))
        for seed in range(200)
    )
    assert alarms <= binom.ppf(0.999, 200, 0.05)


def test_a_shortcut_in_drawn_pairs_is_found():
    added, known, clips = drawn(3, louder=1.5)
    found = associations(added, known, clips, np.random.default_rng(3), times=2)
    assert [one.is_found for one in found] == [True, False, False, False]
    assert found[0].items == len(added) // 2
    assert found[0].effect == pytest.approx(added[:, 0].mean())
    assert found[0].low <= found[0].effect <= found[0].high
    assert found[0].effect > found[0].bound
