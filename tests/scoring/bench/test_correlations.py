"""Scores of clips: scipy's correlation, and whole numbers."""

import numpy as np
import pytest
from scipy import stats

from scoring.bench.correlations import accuracy_by_scale, pearson_by_scale, rounded, unreadable_clips
from tests.scoring.bench.judged import clips_of


def test_pearson_is_scipys_over_the_readable_clips():
    truth, said = [1, 2, 4, 5, 3], [1.5, 2, 3, 5, None]
    (figure,) = pearson_by_scale(clips_of(truth, said), seed=1)
    assert figure.of == {"scale": "overall"}
    assert figure.measure.value == pytest.approx(stats.pearsonr(truth[:4], said[:4]).statistic)
    assert figure.measure.n == 4


def test_whole_numbers_round_a_half_upwards():
    assert rounded(np.array([2.5, 3.5, 3.49, 1.0])).tolist() == [3, 4, 3, 1]


def test_decimal_ratings_are_rounded_for_accuracy_alone():
    """3.6 is in the bin of 4; a clip without a score is wrong and stays in n."""
    (figure,) = accuracy_by_scale(clips_of([3.6, 2.4, 2.5, 1.0], [4, 3, 3, None]), seed=1)
    assert (figure.measure.value, figure.measure.n) == (0.5, 4)
    assert unreadable_clips(clips_of([1, 2], [1, None]), seed=1).value == 0.5


def test_a_constant_judge_has_no_correlation_but_a_reason():
    (figure,) = pearson_by_scale(clips_of([1, 2, 3], [3, 3, 3]), seed=1)
    assert figure.measure.value is None
    assert "equal" in figure.measure.why
