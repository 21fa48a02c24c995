"""Agreement between annotators over all pairs: the chance that two agree, and what is beyond chance.

Source: SpeechJudge, appendix B.2 and Table 5: the probability that two annotators chosen at random assign the same label to the
same pair, of all pairs with ties (raw, ternary), and of those with a preference without (pref, binary).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.rng import generator_for
from scoring.reliability.agreement_levels import counted_by_pair
from scoring.reliability.measures import Measure

_SIDES: Final = 2  # A and B, without ties
_RESAMPLES: Final = 1000

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class InterAnnotatorAgreement:
    """Probability that two random annotators of a random pair give the same label.

    Attributes:
        pairs: pairs with at least two votes that count.
        mean: the probability, in [0, 1].
        std: standard deviation of that mean over samples of as many pairs; null for one pair.
    """

    pairs: int
    mean: float
    std: float | None


@dataclass(frozen=True, kw_only=True)
class AgreementTable:
    """Agreement by style and language of the pairs, and in all.

    Attributes:
        columns: style and language of each cell.
        ternary: per cell the agreement with ties; None = no pair with two votes there.
        binary: per cell the agreement on pairs with a preference, without ties.
        total: both in all: ternary, binary.
    """

    columns: Sequence[tuple[str, str]]
    ternary: Sequence[InterAnnotatorAgreement | None]
    binary: Sequence[InterAnnotatorAgreement | None]
    total: tuple[InterAnnotatorAgreement | None, InterAnnotatorAgreement | None]


def inter_annotator(votes: pa.Table, *, binary: bool = False) -> InterAnnotatorAgreement | None:
    """Return the chance that two random annotators of a pair agree; None where no pair has two votes that count.

    A pair is drawn first, then two of its annotators, so a pair with three votes weighs as much as one with two. The standard
    deviation is that of a mean of independent pairs.

    Args:
        votes: columns pair_id, annotator_id, value (CMOS); other columns are ignored.
        binary: only pairs with a majority for A or B, which are the ``pref`` subset, and of those without the votes for a tie.
            A pair of full disagreement is not among them: without its tie it would be two people who disagree.

    Raises:
        DataError: unknown value, or an annotator who voted twice on one pair.
    """
    chance = _chances(counted_by_pair(votes)[2], binary=binary)
    chance = chance[~np.isnan(chance)]
    if not chance.size:
        return None
    std = float(chance.std(ddof=1) / np.sqrt(chance.size)) if chance.size > 1 else None
    return InterAnnotatorAgreement(pairs=int(chance.size), mean=float(chance.mean()), std=std)


def agreement_table(votes: pa.Table, *, seed: int) -> AgreementTable:
    """Return agreement by style and language in the layout of Table 5, its standard deviations by bootstrap over pairs.

    Args:
        votes: columns pair_id, annotator_id, value (CMOS), and style and language of the pair.
        seed: decides the resamples.

    Raises:
        DataError: unknown value, or an annotator who voted twice on one pair.
    """
    pair, _, counts = counted_by_pair(votes)
    _, first = np.unique(pair, return_index=True)
    where = votes.select(["style", "language"]).take(pa.array(first))
    cells = list(zip(where["style"].to_pylist(), where["language"].to_pylist(), strict=True))
    columns = sorted(set(cells), key=lambda cell: (cell[0] != "regular", cell[0] or "", cell[1] or ""))
    numbers = {cell: place for place, cell in enumerate(columns)}
    place_of = np.array([numbers[cell] for cell in cells], dtype=np.int64)
    rows = []
    for binary in (False, True):
        chance = _chances(counts, binary=binary)
        whole = _resampled(chance, seed, f"all/{binary}")
        rows.append(
            ([_resampled(chance[place_of == place], seed, f"{place}/{binary}") for place in range(len(columns))], whole)
        )
    (ternary, in_all), (preferred, preferred_in_all) = rows
    return AgreementTable(columns=columns, ternary=ternary, binary=preferred, total=(in_all, preferred_in_all))


def alpha(votes: pa.Table) -> Measure:
    """Return Krippendorff's alpha of the labels A, B and tie, as names without an order (Krippendorff 2011).

    Args:
        votes: columns pair_id, annotator_id, value (CMOS); other columns are ignored.

    Raises:
        DataError: unknown value, or an annotator who voted twice on one pair.
    """
    import krippendorff

    counts = counted_by_pair(votes)[2]
    counts = counts[counts.sum(axis=1) > 1]
    if not counts.size:
        return Measure.undefined("no pair has two votes")
    if (counts.sum(axis=0) > 0).sum() < 2:
        return Measure.undefined("all votes are the same", len(counts))
    found = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    return Measure(value=float(found), n=len(counts))


def rate_histogram(rates: Sequence[float | None], *, bins: int = 10) -> Mapping[str, int]:
    """Return how many annotators agree with the others how often (SpeechJudge, Fig. 9).

    Args:
        rates: of ``annotator_rates``; None = not rated.
        bins: number of bins of equal width over [0, 1]; a rate on an edge is in the higher one.

    Returns:
        Bin, as ``60-70 %``, -> annotators, the lowest first; all bins, and ``not rated`` if somebody is not.
    """
    rated = np.array([rate for rate in rates if rate is not None], dtype=np.float64)
    places = np.minimum(np.floor(np.round(rated * bins, 9)).astype(np.int64), bins - 1)
    heights = np.bincount(places, minlength=bins)
    found = {f"{100 * n / bins:g}-{100 * (n + 1) / bins:g} %": int(heights[n]) for n in range(bins)}
    missing = len(rates) - len(rated)
    return found | ({"not rated": missing} if missing else {})


def _chances(counts: Counts, *, binary: bool) -> Floats:
    """Return per pair the chance that two of its annotators agree; NaN where the pair does not count."""
    size = counts.sum(axis=1)
    counted = size > 1
    if binary:
        sides = counts[:, :_SIDES]
        counted &= (2 * sides.max(axis=1) > size) & (sides.max(axis=1) > 1)
        counts, size = sides, sides.sum(axis=1)
    couples = (counts * (counts - 1)).sum(axis=1)
    found: Floats = np.divide(couples, size * (size - 1), out=np.full(len(counts), np.nan), where=counted)
    return found


def _resampled(chance: Floats, seed: int, name: str) -> InterAnnotatorAgreement | None:
    """Return mean and the standard deviation of the means of as many pairs drawn with replacement.

    A chance takes few values, so that a resample is one draw of how often each of them occurs.
    """
    chance = chance[~np.isnan(chance)]
    if not chance.size:
        return None
    values, times = np.unique(chance, return_counts=True)
    std = None
    if chance.size > 1:
        drawn = generator_for(seed, "inter-annotator agreement", name).multinomial(chance.size, times / chance.size, _RESAMPLES)
        std = float((drawn @ values / chance.size).std(ddof=1))
    return InterAnnotatorAgreement(pairs=int(chance.size), mean=float(chance.mean()), std=std)
