"""What the ratings of a clip come to (``contracts.schema_columns.RATING_LIST``): one rule, for labels, rows and cards."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.schema_columns import SCALE_SCORES


def rating_summaries(ratings: pa.Array | pa.ChunkedArray, scale: str) -> pa.Table:
    """Return ``mean``, ``raters`` and ``std`` of each clip's ratings on a scale.

    Where single raters are known, it is their mean, each with equal weight; a mean that the corpus states beside them is left
    out, for it may rest on raters that were excluded elsewhere. Where only stated means are there, it is their mean.

    Args:
        ratings: ratings of each clip.
        scale: name of the scale.

    Returns:
        One row per clip: ``mean`` (null = not rated), ``raters`` (how many stand behind it, of stated means the largest number;
        0 = unknown) and ``std`` (sample standard deviation, n - 1, over single raters, or what is stated beside the only mean;
        null = unknown, or one rater).
    """
    whole = ratings.combine_chunks() if isinstance(ratings, pa.ChunkedArray) else ratings
    listed, clips = whole.flatten(), len(whole)
    clip = pc.list_parent_indices(whole).to_numpy()
    scores = listed.field("score").to_numpy()
    on_scale = pc.equal(listed.field("scale"), scale).to_numpy(zero_copy_only=False)
    single = on_scale & listed.field("rater").is_valid().to_numpy(zero_copy_only=False)
    stated = on_scale & ~single

    def sums(of: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.bincount(clip[of], values[of], clips)

    singles, means = (np.bincount(clip[of], minlength=clips) for of in (single, stated))
    center = np.where(singles > 0, sums(single, scores) / np.maximum(singles, 1), sums(stated, scores) / np.maximum(means, 1))
    squares = sums(single, (scores - center[clip]) ** 2)
    spread = np.where(singles > 1, np.sqrt(squares / np.maximum(singles - 1, 1)), np.nan)
    only = sums(stated, listed.field("std").to_numpy(zero_copy_only=False))
    spread = np.where((singles == 0) & (means == 1), only, spread)
    behind = np.zeros(clips, np.int64)
    np.maximum.at(behind, clip[stated], pc.fill_null(listed.field("raters"), 0).to_numpy()[stated])
    return pa.table(
        {
            "mean": pa.array(center, mask=(singles == 0) & (means == 0)),
            "raters": np.where(singles > 0, singles, behind),
            "std": pa.array(spread, mask=np.isnan(spread)),
        }
    )


def scale_scores(ratings: pa.Array | pa.ChunkedArray, scales: Mapping[str, Sequence[str]], *, rounded: bool) -> pa.Array:
    """Return the scores of each clip, of type SCALE_SCORES, in the order of the scales; null = a score without a rating.

    Args:
        ratings: ratings of each clip.
        scales: name of a score -> the scales that it may be the mean rating on; the first one on which a clip is rated counts.
        rounded: whether a score is the nearest whole number to the mean, halves up (2.5 is 3), or the mean itself.
    """
    found, clips = [_first_rated(ratings, of) for of in scales.values()], len(ratings)
    mean = np.column_stack([one["mean"].to_numpy() for one in found])  # null is NaN here
    missing = np.isnan(mean)
    values = np.where(missing, 0.0, mean)
    raters, std = (np.column_stack([one[name].to_numpy() for one in found]) for name in ("raters", "std"))
    columns = {
        "scale": pa.array(list(scales) * clips, pa.string()),
        "score": pa.array((np.floor(values + 0.5) if rounded else values).ravel()),
        "mean": pa.array(values.ravel()),
        "raters": pa.array(raters.ravel(), mask=raters.ravel() == 0),
        "std": pa.array(std.ravel(), mask=np.isnan(std.ravel())),
    }
    scores = pa.StructArray.from_arrays(list(columns.values()), names=list(columns)).cast(SCALE_SCORES.value_type)
    ends = pa.array(np.arange(clips + 1) * len(scales), pa.int32())
    return pa.ListArray.from_arrays(ends, scores, mask=pa.array(missing.any(axis=1))).cast(SCALE_SCORES)


def _first_rated(ratings: pa.Array | pa.ChunkedArray, scales: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    """Return the summaries of each clip on the first of these scales on which it is rated."""
    first, *others = (rating_summaries(ratings, scale) for scale in scales)
    found = {name: first[name] for name in first.column_names}
    for other in others:
        is_rated = pc.is_valid(found["mean"])
        found = {name: pc.if_else(is_rated, column, other[name]) for name, column in found.items()}
    return found
