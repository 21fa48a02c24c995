"""What ratings of a clip come to."""

import statistics

import pyarrow as pa
import pytest

from contracts.ratings import rating_summaries, scale_scores
from contracts.schema_columns import RATING_LIST


def test_the_deviation_of_ratings():
    """That of single raters with n - 1, as ``statistics.stdev``; of a stated mean its own; null where nothing says it."""
    scores = [3.0, 4.0, 4.5, 1.0]
    single = [{"scale": "mos", "rater": f"r{n}", "score": score} for n, score in enumerate(scores)]
    mean = {"scale": "mos", "score": 3.0, "std": 0.5}
    other = {"scale": "style", "rater": "r1", "score": 1.0}
    cases = [
        ([*single, other], statistics.stdev(scores)),
        ([*single, mean], statistics.stdev(scores)),
        (single[:1], None),
        ([single[0], single[0] | {"rater": "x"}], 0.0),
        ([mean, other], 0.5),
        ([mean, mean | {"std": 0.7}], None),
        ([mean | {"std": None}], None),
        ([other], None),
        ([], None),
        (None, None),
    ]
    found = rating_summaries(pa.array([ratings for ratings, _ in cases], RATING_LIST), "mos")["std"].to_pylist()
    assert found == [None if spread is None else pytest.approx(spread) for _, spread in cases]


def test_means_and_raters():
    """Single raters before stated means; of stated means their mean, and the largest number of raters."""

    def one(score, scale="mos", rater=None, raters=None):
        return {"scale": scale, "rater": rater, "score": score, "raters": raters, "std": None}

    cases = [
        (None, None, 0),
        ([], None, 0),
        ([one(3.0, scale="noise")], None, 0),
        ([one(3.0)], 3.0, 0),
        ([one(3.0, raters=8), one(4.0, raters=2)], 3.5, 8),
        ([one(5.0, rater="x"), one(4.0, rater="y"), one(1.0, raters=9)], 4.5, 2),
    ]
    found = rating_summaries(pa.chunked_array([pa.array([ratings for ratings, *_ in cases], RATING_LIST)]), "mos")
    assert list(zip(found["mean"].to_pylist(), found["raters"].to_pylist(), strict=True)) == [tuple(rest) for _, *rest in cases]


def one_score(clip, **changes):
    """Return the only score of a clip."""
    ratings = pa.array([clip], RATING_LIST)
    return scale_scores(
        ratings, {"overall": ("mos",)} | changes.pop("scales", {}), **({"rounded": False} | changes)
    ).to_pylist()[0]


@pytest.mark.parametrize(
    ("given", "score"), [([2, 3], 3.0), ([1, 2, 2], 2.0), ([1, 1, 2], 1.0), ([4, 5], 5.0), ([3, 4, 4, 3], 4.0)]
)
def test_halves_are_rounded_up(given, score):
    """Not to the even neighbour; the mean stays beside the score."""
    clip = [{"scale": "mos", "rater": f"r{n}", "score": float(value)} for n, value in enumerate(given)]
    (found,) = one_score(clip, rounded=True)
    assert (found["score"], found["mean"]) == (score, pytest.approx(sum(given) / len(given)))
    assert (found["raters"], found["std"]) == (len(given), pytest.approx(statistics.stdev(given)))
    assert one_score(clip)[0]["score"] == found["mean"]


def test_a_score_may_have_other_names_in_other_corpora():
    """The first scale on which the clip is rated counts; scores stand in the order of the scales."""
    scales = {"overall": ("overall_quality", "mos"), "noise": ("noise",)}
    quiet = {"scale": "noise", "score": 5.0}
    rated = [
        [{"scale": "mos", "score": 2.0}, quiet],
        [{"scale": "mos", "score": 2.0}, {"scale": "overall_quality", "score": 4.0}, quiet],
    ]
    found = scale_scores(pa.array(rated, RATING_LIST), scales, rounded=False).to_pylist()
    assert [[(one["scale"], one["score"]) for one in scores] for scores in found] == [
        [("overall", 2.0), ("noise", 5.0)],
        [("overall", 4.0), ("noise", 5.0)],
    ]
    assert {one["raters"] for scores in found for one in scores} == {None}, "unknown, not zero"


def test_a_clip_without_one_of_the_scores_has_none():
    scales = {"overall": ("mos",), "noise": ("noise",)}
    rated = [[{"scale": "mos", "score": 2.0}], [], None]
    assert scale_scores(pa.array(rated, RATING_LIST), scales, rounded=True).to_pylist() == [None, None, None]
