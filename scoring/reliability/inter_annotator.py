"""Agreement between annotators over all pairs: the chance that two agree, and what is beyond chance.

Source: SpeechJudge, appendix B.2 and Table 5: the probability that two annotators chosen at random assign the same label to the
same pair, of all pairs with ties (raw, ternary), and of those with a preference without (pref, binary). Whether a pair is drawn
first, or a couple of annotators of all couples, it does not say; both are told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.language_codes import MIXED
from contracts.rng import generator_for
from scoring.reliability.agreement_levels import counted_by_pair
from scoring.reliability.measures import Measure

_SIDES: Final = 2  # A and B, without ties
_RESAMPLES: Final = 1000

Counts = npt.NDArray[np.int64]


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
class AgreementRow:
    """One row of the table of agreement.

    Attributes:
        labels: ``ternary`` = A, B or tie, on all pairs; ``binary`` = A or B, on pairs with a preference.
        weight: ``pair`` = a pair is drawn, then two of its annotators; ``couple`` = two annotators of one pair are drawn of all
            such couples, so that a pair with three votes weighs three times as much as one with two.
        cells: per column; None = no pair with two votes there.
        total: of all pairs.
    """

    labels: str
    weight: str
    cells: Sequence[InterAnnotatorAgreement | None]
    total: InterAnnotatorAgreement | None


@dataclass(frozen=True, kw_only=True)
class AgreementTable:
    """Agreement by style and language of the pairs, and in all.

    Attributes:
        columns: style and language of each cell, regular ones first and mixed text last.
        rows: ternary and binary agreement by pair, then both by couple.
    """

    columns: Sequence[tuple[str, str]]
    rows: Sequence[AgreementRow]


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
    agreeing, couples = _couples(counted_by_pair(votes)[2], binary=binary)
    chance = agreeing[couples > 0] / couples[couples > 0]
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
    columns = sorted(set(cells), key=lambda cell: (cell[0] != "regular", cell[0] or "", cell[1] == MIXED, cell[1] or ""))
    numbers = {cell: place for place, cell in enumerate(columns)}
    place_of = np.array([numbers[cell] for cell in cells], dtype=np.int64)
    rows = []
    for weight in ("pair", "couple"):
        for labels in ("ternary", "binary"):
            agreeing, couples = _couples(counts, binary=labels == "binary")
            name = f"{labels}/{weight}"
            found = [
                _resampled(agreeing[place_of == place], couples[place_of == place], weight, seed, f"{place}/{name}")
                for place in range(len(columns))
            ]
            total = _resampled(agreeing, couples, weight, seed, f"all/{name}")
            rows.append(AgreementRow(labels=labels, weight=weight, cells=found, total=total))
    return AgreementTable(columns=columns, rows=rows)


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


def _couples(counts: Counts, *, binary: bool) -> tuple[Counts, Counts]:
    """Return per pair how many couples of its votes agree, and how many there are; none of a pair that does not count."""
    if binary:
        most = counts[:, :_SIDES].max(axis=1)
        has_preference = (2 * most > counts.sum(axis=1)) & (most > 1)
        counts = np.where(has_preference[:, None], counts[:, :_SIDES], 0)
    size = counts.sum(axis=1)
    agreeing: Counts = (counts * (counts - 1)).sum(axis=1) // 2
    return agreeing, size * (size - 1) // 2


def _resampled(agreeing: Counts, couples: Counts, weight: str, seed: int, name: str) -> InterAnnotatorAgreement | None:
    """Return the mean and the standard deviation of the means of as many pairs drawn with replacement.

    Pairs differ in few ways, so that a resample is one draw of how often each of them occurs.
    """
    kinds, times = np.unique(np.stack([agreeing, couples])[:, couples > 0], axis=1, return_counts=True)
    if not times.size:
        return None
    hits, of = (kinds[0] / kinds[1], np.ones(times.size)) if weight == "pair" else (kinds[0], kinds[1])
    pairs = int(times.sum())
    std = None
    if pairs > 1:
        drawn = generator_for(seed, "inter-annotator agreement", name).multinomial(pairs, times / pairs, _RESAMPLES)
        std = float(((drawn @ hits) / (drawn @ of)).std(ddof=1))
    return InterAnnotatorAgreement(pairs=pairs, mean=float((times @ hits) / (times @ of)), std=std)
