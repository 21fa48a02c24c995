"""Rewards of completions about pairs and clips: values computed by hand from the papers' equations."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.parse.scorecard import SpeechAssessment
from annotate.models.tasks import quality, task1, task3, task4
from contracts import plugins
from contracts.errors import DataError, RecipeError
from scoring.rewards.advantage import advantages
from scoring.rewards.mos_aware import MosAware, percentiles
from scoring.rewards.preferred import Preferred
from scoring.rewards.unisrm import UniSRM
from scoring.rewards.unisrm_quality import UniSRMQuality

CARDS = {"task1": task1.CARD, "task3": task3.CARD, "task4": task4.CARD}
SUMMARY = "One keeps its words. The other one does not."


def card(task: str, a: list[float], b: list[float]) -> str:
    """Return a completion that gives these scores."""
    names = [dimension.name for dimension in CARDS[task].dimensions]
    sides = [
        SpeechAssessment(scores=dict(zip(names, given_, strict=True)), explanations=dict.fromkeys(names, "It is clear."))
        for given_ in (a, b)
    ]
    return CARDS[task].compose(*sides, SUMMARY)


def pair(task: str, label: str, a: list[float], b: list[float]) -> dict[str, Any]:
    """Return what the reward reads of a released row."""
    names = [dimension.name for dimension in CARDS[task].dimensions]
    scores = {
        f"scores_{side}": [{"dimension": name, "score": score} for name, score in zip(names, given_, strict=True)]
        for side, given_ in (("a", a), ("b", b))
    }
    return {"pair_id": "p", "label": label, **scores}


ROW = pair("task1", "a", [9, 8, 7, 6], [5, 8, 8, 1])  # signs + 0 - +


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([9, 8, 7, 6], [5, 8, 8, 1], (0, 1, 1.0, 2.0)),
        ([2, 3, 1, 9], [1, 3, 2, 8], (0, 1, 1.0, 2.0)),  # other scores, the same signs
        ([9, 9, 9, 9], [1, 1, 1, 1], (0, 1, 0.5, 1.5)),  # + + + +: two of four
        ([1, 1, 1, 1], [9, 9, 9, 9], (0, 0, 0.25, 0.25)),  # - - - -: one of four
        ([5, 8, 8, 1], [9, 8, 7, 6], (0, 0, 0.25, 0.25)),  # exchanged: the tie stays one
    ],
)
def test_unisrm_by_hand(a, b, expected):
    (found,) = UniSRM().rewards([card("task1", a, b)], [ROW])
    assert tuple(found.values()) == pytest.approx(expected)
    assert tuple(found) == ("format", "accuracy", "reasoning", "reward")


@pytest.mark.parametrize("task", ["task1", "task3", "task4"])
def test_d_is_four_three_and_five(task):
    """A rank that differs on one dimension costs one D-th."""
    size = {"task1": 4, "task3": 3, "task4": 5}[task]
    truth = pair(task, "a", [9.0] * size, [1.0] * size)
    said = card(task, [9.0] * size, [*[1.0] * (size - 1), 9.5])
    (found,) = UniSRM(task=task).rewards([said], [truth])
    assert found["reasoning"] == pytest.approx(1 - 1 / size)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "Speech A is better",
        card("task1", [9, 8, 7, 6], [5, 8, 8, 1]).replace("<think>", ""),
        card("task1", [9, 8, 7, 6], [5, 8, 8, 1]).replace("Speech A is better", "Speech B is better"),
        card("task1", [9, 8, 7, 6], [5, 8, 8, 1]).replace("score=9/10", "score=19/10"),
        card("task3", [9, 8, 7], [5, 8, 8]),
    ],
)
def test_what_cannot_be_read_gets_the_format_part_alone(broken):
    (found,) = UniSRM().rewards([broken], [ROW])
    assert found == {"format": -1.0, "accuracy": 0.0, "reasoning": 0.0, "reward": -1.0}


def test_weights_and_rows_without_scores():
    row = {"pair_id": "p7", "label": "b", "scores_a": None, "scores_b": None}
    said = [card("task1", [1, 1, 1, 1], [2, 2, 2, 2])]
    (found,) = UniSRM(format_weight=0.5, accuracy_weight=2, reasoning_weight=0).rewards(said, [row])
    assert found["reward"] == 2
    with pytest.raises(DataError, match="row p7 has no scores_a"):
        UniSRM().rewards(said, [row])
    with pytest.raises(DataError, match="label 'tie' is neither a nor b"):
        UniSRM().rewards(said, [row | {"label": "tie"}])
    with pytest.raises(DataError, match="is it of another task"):
        UniSRM().rewards(said, [pair("task3", "a", [1, 2, 3], [3, 2, 1])])


scores = st.lists(st.integers(0, 20).map(lambda half: half / 2), min_size=4, max_size=4)


@given(scores, scores, scores, scores)
def test_exchanging_a_and_b_of_row_and_completion_changes_nothing(said_a, said_b, a, b):
    if sum(said_a) == sum(said_b):
        said_a = [*said_a[:-1], said_a[-1] - 0.25 if said_a[-1] else 0.25]
    before = UniSRM().rewards([card("task1", said_a, said_b)], [pair("task1", "a", a, b)])
    after = UniSRM().rewards([card("task1", said_b, said_a)], [pair("task1", "b", b, a)])
    assert before == after


def test_quality_by_hand():
    """Eq. 9 looks at the overall score alone, Eq. 11 at all seven; a distance of 4 of 4 is 0."""
    said = dict(zip([aspect.key for aspect in quality.ASPECTS], (1, 2, 3, 4, 5, 5, 4), strict=True))
    texts = dict.fromkeys(quality.FORM.fields, "None") | {quality.FORM.paragraph: "A hum."}
    completion = quality.FORM.compose(said, texts)
    truth = said | {"overall": 2, "noise": 5}
    row = {"clip_id": "c", "scores": [{"scale": name, "score": score} for name, score in truth.items()]}
    (found,) = UniSRMQuality().rewards([completion], [row])
    overall = 1 - abs(said["overall"] - 2) / 4
    every = 1 - (abs(said["overall"] - 2) / 4 + abs(said["noise"] - 5) / 4) / 7
    assert found == pytest.approx({"format": 0, "accuracy": overall, "reasoning": every, "reward": overall + every})
    assert UniSRMQuality().rewards(["noise=1;"], [row]) == [{"format": -1, "accuracy": 0, "reasoning": 0, "reward": -1}]
    with pytest.raises(DataError, match="row c scores noise, not"):
        UniSRMQuality().rewards([completion], [row | {"scores": [{"scale": "noise", "score": 1}]}])


ANALYSIS = "\n".join(f"{name}: fine." for name in ("Noise", "Distortion", "Naturalness", "Continuity"))


def critique(a: int, b: int) -> str:
    blocks = "\n\n".join(f"Audio {number}\n{ANALYSIS}" for number in (1, 2))
    return f"{blocks}\n\nFinal Scores: [[{a}, {b}]]"


@pytest.mark.parametrize(("a", "b", "expected"), [(8, 3, 1.0), (3, 8, -1.0), (5, 5, -1.0)])
def test_right_or_wrong(a, b, expected):
    assert Preferred(task="critique_pair").rewards([critique(a, b)], [{"label": "a"}]) == [{"reward": expected}]
    assert Preferred(task="critique_pair").rewards([critique(b, a)], [{"label": "b"}]) == [{"reward": expected}]
    assert Preferred().rewards(["no scores"], [{"label": "a"}]) == [{"reward": -1.0}]


@pytest.mark.parametrize(
    ("gap", "right", "expected"),
    [
        (0.0, True, 0.5 * (1 + 1)),
        (0.0, False, 0.5 * (-1 + 1)),
        (0.5, True, 0.5 * (1 + math.cos(math.pi / 2))),
        (1.0, True, 0.0),
        (1.0, False, -1.0),
        (3.0, True, 0.0),  # clamped
        (0.25, False, 0.5 * (-1 + math.cos(math.pi / 4))),
    ],
)
def test_mos_difference_by_hand(gap, right, expected):
    """Eq. 2, of a corpus whose 90th percentile is 1."""
    said = critique(8, 3) if right else critique(3, 8)
    (found,) = MosAware(percentiles={"bvcc": 1.0}).rewards([said], [{"label": "a", "corpus": "bvcc", "rating_gap": gap}])
    accuracy = 1.0 if right else -1.0
    assert found == pytest.approx({"accuracy": accuracy, "mos_difference": expected, "reward": accuracy + expected})


def test_the_gap_counts_in_percentiles_of_its_corpus():
    gaps = percentiles({"bvcc": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "somos": [2.0]})
    assert gaps == {"bvcc": 9.0, "somos": 2.0}
    row = {"label": "a", "corpus": "bvcc", "rating_gap": 4.5}
    assert MosAware(percentiles=gaps).rewards([critique(2, 1)], [row])[0]["mos_difference"] == pytest.approx(0.5)
    with pytest.raises(DataError, match="percentiles has no corpus 'nisqa'"):
        MosAware(percentiles=gaps).rewards([critique(2, 1)], [row | {"corpus": "nisqa"}])
    with pytest.raises(RecipeError, match="must be above 0"):
        plugins.configure("reward", "mos_aware", {"percentiles": {"bvcc": 0}})


def test_advantages():
    """Eq. 12: mean 2, population standard deviation sqrt(2/3)."""
    assert advantages([1, 2, 3], epsilon=0) == pytest.approx(np.array([-1, 0, 1]) / math.sqrt(2 / 3))
    assert advantages([0.7]) == pytest.approx([0])
    assert advantages([5, 5, 5]) == pytest.approx([0, 0, 0])
