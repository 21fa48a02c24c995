"""Ratings of clips by people, as corpora bring them along (schema ``contracts.schemas.RATING_LIST``)."""

import pyarrow as pa


def mean_ratings(ratings: pa.Array | pa.ChunkedArray, scale: str) -> pa.Array:
    """Return the mean rating of each clip on a scale; null where it has none.

    Where single raters are known, it is their mean, each with equal weight; a mean that the corpus states beside them is left
    out, for it may rest on raters whom the corpus excluded. Where only stated means are there, it is their mean.

    Args:
        ratings: column of type RATING_LIST.
        scale: name of the scale.
    """
    means: list[float | None] = []
    for listed in ratings.to_pylist():
        mine = [rating for rating in listed or () if rating["scale"] == scale]
        scores = [rating["score"] for rating in mine if rating["rater"] is not None] or [rating["score"] for rating in mine]
        means.append(sum(scores) / len(scores) if scores else None)
    return pa.array(means, pa.float64())
