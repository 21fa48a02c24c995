"""What can be told without listening: a linear classifier on held-out groups, against scipy's logistic regression."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import binom

from scoring.audit.association import numbered
from scoring.audit.reader import read_without_listening
from tests.scoring.audit.planted import pairs

MEASURED = ("duration_s", "loudness_lufs", "bandwidth_hz", "f0_median_hz")


def measured(simulated):
    return np.column_stack([simulated.differences[name] for name in MEASURED]) * simulated.chosen[:, None]


def read(simulated, seed=0, alpha=0.01):
    return read_without_listening(measured(simulated), numbered(simulated.groups), np.random.default_rng(seed), alpha=alpha)


def logistic(differences, groups, seed=0):
    """Return the accuracy of an unclipped, fully fitted logistic regression on held-out groups."""
    x = np.nan_to_num(differences)
    x = x / np.sqrt((x**2).mean(axis=0))
    folds = np.random.default_rng(seed).permutation(groups.max() + 1) % 5
    right = 0.0
    for fold in range(5):
        train, test = x[folds[groups] != fold], x[folds[groups] == fold]
        fit = minimize(lambda w, x=train: np.logaddexp(0, -x @ w).sum() + 1e-3 * w @ w, np.zeros(x.shape[1]))
        right += np.sum(test @ fit.x > 0)
    return right / len(x)


@pytest.mark.parametrize("shortcuts", [("longer",), ("louder",), ("longer", "louder")])
def test_a_reader_uses_a_shortcut(shortcuts):
    """Right far more often than by chance, and as often as a full logistic regression, within two percentage points."""
    simulated = pairs(1, groups=200, shortcuts=shortcuts)
    found = read(simulated)
    assert found.is_found
    assert found.low > found.bound > 0
    assert (1 + found.effect) / 2 == pytest.approx(logistic(measured(simulated), simulated.groups), abs=0.02)


def test_a_reader_of_clean_data_is_no_better_than_chance():
    """Of 200 clean data sets so many raise an alarm at 5 % as a binomial bound of 1 in 1000 allows."""
    alarms = sum(read(pairs(seed, groups=40, size=4), seed, alpha=0.05).is_found for seed in range(200))
    low, high = binom.ppf([0.0005, 0.9995], 200, 0.05)
    assert low <= alarms <= high


def test_two_features_tell_what_none_tells_alone():
    """The chosen clip is louder than its length explains: the difference of both tells it, each alone hardly does."""
    draw = np.random.default_rng(2)
    length = draw.normal(0, 5, 900)
    differences = np.column_stack([length, length + np.abs(draw.normal(0, 0.5, 900))])
    found = read_without_listening(differences, np.arange(900) // 3, draw, alpha=0.01)
    assert found.effect > 0.9


def test_too_few_groups_are_not_read():
    """Five folds need five groups; without a difference there is nothing to read."""
    assert read(pairs(1, groups=4)) is None
    assert read_without_listening(np.zeros((30, 2)), np.arange(30), np.random.default_rng(0), alpha=0.01) is None
