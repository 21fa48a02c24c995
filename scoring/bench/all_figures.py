"""All figures of a benchmark, in one list."""

from collections.abc import Iterator, Sequence

import numpy as np

from scoring.bench.accuracy import EVERY, Facets, accuracy, accuracy_by, accuracy_by_dimension, ties, unreadable
from scoring.bench.correlations import accuracy_by_scale, pearson_by_scale, unreadable_clips
from scoring.bench.figure import Figure
from scoring.bench.gap_bins import accuracy_on_small_gaps, errors_by_gap
from scoring.bench.judged import Bools, JudgedClips, JudgedPairs
from scoring.bench.order_effects import order_effects
from scoring.bench.preference_cycles import Clips, cycles
from scoring.bench.voting import voting


def pair_figures(
    pairs: JudgedPairs, *, facets: Facets, crossed: Sequence[tuple[str, ...]], rated: Clips | None = None, seed: int
) -> list[Figure]:
    """Return the figures of judged pairs.

    Args:
        pairs: the pairs.
        facets: what tells parts of them apart (see ``scoring.bench.accuracy``).
        crossed: facets whose values are looked at together.
        rated: the clips with their ratings; None = the pairs have none.
        seed: of intervals and of the choice of triplets.
    """
    found = [
        Figure(name="accuracy", measure=accuracy(pairs, seed=seed)),
        *accuracy_by_dimension(pairs, seed=seed),
        *_dimensions_by_language(pairs, facets, seed=seed),
        *accuracy_by(pairs, facets, crossed, seed=seed),
        Figure(name="ties", measure=ties(pairs, seed=seed)),
        Figure(name="unreadable", measure=unreadable(pairs, seed=seed)),
        *order_effects(pairs, seed=seed),
        *voting(pairs, facets, crossed, seed=seed),
    ]
    if rated is not None:
        gap = abs(rated.rating_a - rated.rating_b)
        found += [
            *errors_by_gap(pairs, gap, rated.source, seed=seed),
            *accuracy_on_small_gaps(pairs, gap, rated.source, seed=seed),
            *cycles(pairs, rated, seed=seed),
        ]
    return found


def _dimensions_by_language(pairs: JudgedPairs, facets: Facets, *, seed: int) -> Iterator[Figure]:
    for language, mask in _parts(facets.get("language", ())):
        yield from accuracy_by_dimension(pairs.where(mask), {"language": language}, seed=seed)


def _parts(values: Sequence[str | None]) -> Iterator[tuple[str, Bools]]:
    """Yield each value and where it is."""
    for value in sorted({one for one in values if one is not None}):
        yield value, np.array([one == value for one in values])


def clip_figures(clips: JudgedClips, *, corpora: Sequence[str | None] = (), on_scale: bool = True, seed: int) -> list[Figure]:
    """Return the figures of judged clips.

    Args:
        clips: the clips.
        corpora: where each clip comes from; empty = this is not told apart.
        on_scale: whether scores are on the scale of the truth, as those of a metric are not: only then are they rounded.
        seed: of the intervals.
    """
    parts = [(EVERY, clips), *(({"corpus": name}, clips.where(mask)) for name, mask in _parts(corpora))]
    return [
        *(figure for of, part in parts for figure in pearson_by_scale(part, of, seed=seed)),
        *(figure for of, part in parts if on_scale for figure in accuracy_by_scale(part, of, seed=seed)),
        Figure(name="unreadable", measure=unreadable_clips(clips, seed=seed)),
    ]
