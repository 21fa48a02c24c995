"""Accuracy against the papers' own totals, and what counts as wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from scoring.bench.accuracy import accuracy, accuracy_by, accuracy_by_dimension, ties, unreadable
from tests.scoring.bench.judged import pairs_of, right

SIZES = {"BVCC": 1000, "NISQA": 2240, "SingMOS": 1000, "SOMOS": 1000, "TMHINT-QI": 1000, "VMC'23": 3000}
"""Test pairs of MOS-RMBench by source (Table 1)."""

BY_SOURCE = {
    "UTMOS": ((86.70, 73.17, 63.80, 65.00, 68.10, 60.83), 68.18),
    "Gemini-2.5-Pro": ((63.90, 81.96, 58.50, 64.10, 73.20, 65.57), 69.26),
    "Classic + BT Loss": ((85.70, 83.93, 74.80, 76.80, 81.10, 77.73), 80.04),
    "GRM + GRPO": ((82.50, 80.31, 76.40, 74.60, 78.10, 73.13), 76.94),
}
"""MOS-RMBench, Table 2: accuracy by source, and overall."""

BY_STYLE = {"WER": (59.3, 57.0, 57.9), "UTMOS": (54.0, 53.5, 53.7), "Gemini-2.5-Flash": (73.5, 66.2, 69.1)}
"""SpeechJudge, Table 2: regular (400 pairs of Table 4), expressive (600) and total."""


@pytest.mark.parametrize("model", BY_SOURCE)
def test_overall_is_micro_as_in_mos_rmbench(model):
    """From each source's accuracy and size follows the printed overall accuracy."""
    shares, overall = BY_SOURCE[model]
    parts = [right(round(n * share / 100), n) for n, share in zip(SIZES.values(), shares, strict=True)]
    pairs = pairs_of(np.concatenate([one.truth for one in parts]), np.concatenate([one.said.ravel() for one in parts]))
    source = [name for name, n in SIZES.items() for _ in range(n)]
    found = {figure.of["corpus"]: figure.measure for figure in accuracy_by(pairs, {"corpus": source}, [("corpus",)], seed=1)}
    assert 100 * accuracy(pairs, seed=1).value == pytest.approx(overall, abs=0.006)
    assert {name: measure.n for name, measure in found.items()} == SIZES
    assert [100 * found[name].value for name in SIZES] == pytest.approx(shares, abs=0.05)


@pytest.mark.parametrize("model", BY_STYLE)
def test_total_is_micro_as_in_speechjudge(model):
    """Regular and expressive pairs weigh as many as they are; the paper prints one decimal."""
    regular, expressive, total = BY_STYLE[model]
    parts = [right(round(4 * regular), 400), right(round(6 * expressive), 600)]
    pairs = pairs_of(np.concatenate([one.truth for one in parts]), np.concatenate([one.said.ravel() for one in parts]))
    assert 100 * accuracy(pairs, seed=1).value == pytest.approx(total, abs=0.11)


@given(st.lists(st.tuples(st.sampled_from([-1, 1]), st.sampled_from([-1, 0, 1])), min_size=1, max_size=30))
def test_accuracy_is_scikit_learns(answers):
    """Ties are a third class, which is never the truth."""
    truth, said = zip(*answers, strict=True)
    assert accuracy(pairs_of(truth, said), seed=1).value == pytest.approx(accuracy_score(truth, said))


def test_an_oracle_a_coin_and_an_always_a_judge():
    """1.0; .5 inside the interval; the share of A."""
    generator = np.random.default_rng(3)
    truth = np.where(generator.random(400) < 0.4, 1, -1)
    assert accuracy(pairs_of(truth, truth), seed=1).value == 1.0
    coin = accuracy(pairs_of(truth, np.where(generator.random(400) < 0.5, 1, -1)), seed=1)
    assert coin.low < 0.5 < coin.high
    assert accuracy(pairs_of(truth, np.ones(400, dtype=int)), seed=1).value == (truth == 1).mean()


def test_ties_and_unreadable_replies_are_wrong_and_shown():
    """Of four replies to pairs whose A is better: right, tie, unreadable, wrong."""
    pairs = pairs_of([1, 1, 1, 1], [1, 0, 0, -1], readable=[True, True, False, True])
    assert accuracy(pairs, seed=1).value == 0.25
    assert ties(pairs, seed=1).value == 0.25
    assert unreadable(pairs, seed=1).value == 0.25


def test_parts_by_two_facets_leave_out_items_without_a_value():
    pairs = pairs_of([1, 1, -1], [1, -1, -1])
    facets = {"style": ["regular", "expressive", "regular"], "setting": ["en2en", "en2en", None]}
    found = {tuple(figure.of.items()): figure.measure for figure in accuracy_by(pairs, facets, [("style", "setting")], seed=1)}
    assert {of: (measure.value, measure.n) for of, measure in found.items()} == {
        (("style", "regular"), ("setting", "en2en")): (1.0, 1),
        (("style", "expressive"), ("setting", "en2en")): (0.0, 1),
    }


def test_dimensions_agree_in_sign_as_in_equation_10():
    """Equal scores are a rank of their own; no score is wrong; what the release does not score is left out."""
    pairs = pairs_of([1] * 5, [1] * 5, leads={"text": [2, 0, -1, np.nan, 1]}, true_leads={"text": [1, 0, 3, 1, np.nan]})
    (figure,) = accuracy_by_dimension(pairs, seed=1)
    assert figure.of == {"dimension": "text"}
    assert (figure.measure.value, figure.measure.n) == (0.5, 4)
