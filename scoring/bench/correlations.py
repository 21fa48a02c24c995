"""Agreement of scores of single clips: Pearson per scale, and accuracy in whole numbers (UniSRM, sections 5.1 and 5.5)."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from scoring.bench.accuracy import EVERY
from scoring.bench.figure import Figure
from scoring.bench.intervals import Floats, correlation, mean_over_items
from scoring.bench.judged import JudgedClips
from scoring.reliability.measures import Measure

_NOTHING: Final = "no clip has a score on this scale"


def rounded(scores: Floats) -> Floats:
    """Return scores as whole numbers, a half upwards: 2.5 is 3 and 3.5 is 4 (``numpy.rint`` would say 2 and 4)."""
    whole: Floats = np.floor(scores + 0.5)
    return whole


def pearson_by_scale(clips: JudgedClips, of: Mapping[str, str] = EVERY, *, seed: int) -> Iterator[Figure]:
    """Yield Pearson's correlation of each scale over the clips with a readable score; n says how many these are."""
    for scale, truth in clips.truth.items():
        if scale in clips.said:
            measure = correlation(_mean_said(clips, scale), truth, clips.units, seed=seed)
            yield Figure(name="pearson", of={"scale": scale, **of}, measure=measure)


def accuracy_by_scale(clips: JudgedClips, of: Mapping[str, str] = EVERY, *, seed: int) -> Iterator[Figure]:
    """Yield how often score and truth are the same whole number; a clip without a readable score counts as wrong."""
    for scale, truth in clips.truth.items():
        if scale not in clips.said:
            continue
        known = ~np.isnan(truth)
        same = rounded(clips.said[scale][known]) == rounded(truth[known])[:, None]
        measure = mean_over_items(same.mean(axis=1), clips.units[known], seed=seed, nothing=_NOTHING)
        yield Figure(name="bin_accuracy", of={"scale": scale, **of}, measure=measure)


def unreadable_clips(clips: JudgedClips, *, seed: int) -> Measure:
    """Return the share of replies that cannot be read or never came."""
    return mean_over_items((~clips.readable).mean(axis=1), clips.units, seed=seed, nothing="no item")


def _mean_said(clips: JudgedClips, scale: str) -> Floats:
    """Return the mean of each clip's readable scores; NaN where none is."""
    said = clips.said[scale]
    count = (~np.isnan(said)).sum(axis=1)
    means: Floats = np.full(len(said), np.nan)
    np.divide(np.nansum(said, axis=1), count, out=means, where=count > 0)
    return means
