"""Dawid and Skene's model, against the values that crowd-kit's own tests print."""

import numpy as np
import pytest

from scoring.reliability.dawid_skene import dawid_skene

VOTES = {
    "t1": {"w1": "no", "w2": "yes", "w4": "yes", "w5": "no"},
    "t2": {"w1": "yes", "w2": "yes", "w3": "yes", "w4": "no", "w5": "no"},
    "t3": {"w1": "yes", "w2": "no", "w3": "no", "w4": "yes", "w5": "no"},
    "t4": {"w1": "yes", "w2": "yes", "w3": "yes", "w4": "yes", "w5": "yes"},
    "t5": {"w1": "yes", "w2": "no", "w3": "no", "w4": "no", "w5": "no"},
}
STEPS = {
    0: {
        "probabilities": [[0.5, 0.5], [0.4, 0.6], [0.6, 0.4], [0.0, 1.0], [0.8, 0.2]],
        "priors": [0.46, 0.54],
        "errors": [
            [[0.22, 0.19], [0.78, 0.81]],
            [[0.61, 0.22], [0.39, 0.78]],
            [[0.78, 0.27], [0.22, 0.73]],
            [[0.52, 0.30], [0.48, 0.70]],
            [[1.00, 0.63], [0.00, 0.37]],
        ],
        "labels": [0, 1, 0, 1, 0],
    },
    1: {
        "probabilities": [[0.35, 0.65], [0.26, 0.74], [0.87, 0.13], [0.0, 1.0], [0.95, 0.05]],
        "priors": [0.49, 0.51],
        "errors": [
            [[0.14, 0.25], [0.86, 0.75]],
            [[0.75, 0.07], [0.25, 0.93]],
            [[0.87, 0.09], [0.13, 0.91]],
            [[0.50, 0.31], [0.50, 0.69]],
            [[1.00, 0.61], [0.00, 0.39]],
        ],
        "labels": [1, 1, 0, 1, 0],
    },
}
"""Toloka/crowd-kit, tests/aggregation/test_ds_aggregation.py, ``test_dawid_skene_step_by_step``: to 0.005."""


def coded():
    rows = [(task, who, label) for task, cast in enumerate(VOTES.values()) for who, label in cast.items()]
    return (
        np.array([task for task, _, _ in rows]),
        np.array([int(who[1]) - 1 for _, who, _ in rows]),
        np.array([("no", "yes").index(label) for _, _, label in rows]),
    )


@pytest.mark.parametrize("steps", [0, 1])
def test_step_by_step(steps):
    found, printed = dawid_skene(*coded(), kinds=2, steps=steps), STEPS[steps]
    assert found.steps == steps
    for name in ("probabilities", "priors", "errors"):
        np.testing.assert_allclose(getattr(found, name), printed[name], atol=0.005)
    assert found.labels.tolist() == printed["labels"]


def test_who_votes_at_random_sways_nothing():
    """Three careful people and two who throw dice: the careful ones are believed."""
    draw = np.random.default_rng(7)
    truth = draw.integers(0, 2, 400)
    said = np.stack([np.where(draw.random(400) < right, truth, 1 - truth) for right in (0.95, 0.9, 0.85, 0.5, 0.5)])
    tasks, people = np.tile(np.arange(400), 5), np.repeat(np.arange(5), 400)
    found = dawid_skene(tasks, people, said.reshape(-1), kinds=2)
    majority = (said.sum(axis=0) > 2).astype(int)
    assert (found.labels == truth).mean() > (majority == truth).mean()
    assert found.errors[4][0][1] == pytest.approx(0.5, abs=0.1)
    np.testing.assert_allclose(found.errors.sum(axis=1), 1.0)


def test_no_votes_is_an_error():
    empty = np.array([], dtype=np.int64)
    with pytest.raises(ValueError, match="needs votes"):
        dawid_skene(empty, empty, empty, kinds=3)
