"""Agreement of each annotator with the others, agreement of the others among themselves, and chance agreement.

Labels are ternary for every protocol: A, B, or neither (a tie, an invalid pair), which agrees with itself only (SpeechJudge,
appendix B.1). Only ordinary items count: gold items are easy, and every annotator hears them.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.answer_arrays import Ints, annotator_codes, as_mask
from scoring.reliability.agreement_levels import annotator_rates
from scoring.reliability.chance import Floats

_LABELS = pa.array(["A", "B", "T"])


@dataclass(frozen=True, kw_only=True)
class PeerComparison:
    """Agreement of one annotator with the others.

    Attributes:
        annotator_id: pseudonym.
        items: ordinary items that at least one other annotator answered too.
        rate: mean share of the others who gave the same label (SpeechJudge, appendix B.1); None = too few items.
        expected: rate of a typical annotator: the agreement of the others among themselves, in the same languages; None = too
            few items have answers of two others.
        std: standard deviation of the share of agreement on one item.
        chance: rate of a random annotator with the same label frequencies.
    """

    annotator_id: str
    items: int
    rate: float | None
    expected: float | None
    std: float
    chance: float


def compare_with_peers(answers: pa.Table, *, min_items: int) -> list[PeerComparison]:
    """Return one comparison per annotator, sorted by id.

    Discarded answers are compared with those that count, but no answer is compared with a discarded one.

    Args:
        answers: table of schema ANSWERS.
        min_items: least number of items for ``rate``, and of items with two other answers for ``expected``.

    Raises:
        DataError: an annotator answered one item twice.
    """
    ids, _ = annotator_codes(answers)
    ordinary = pc.and_(pc.equal(pc.list_value_length(answers["gold"]), 0), pc.invert(answers["qualification"]))
    votes = _votes(answers.filter(pc.and_(ordinary, pc.is_valid(answers["value"]))))
    rates = annotator_rates(votes, peers=votes["counted"], min_items=min_items)
    columns = (rates[name].to_pylist() for name in ("annotator_id", "items", "rate"))
    rate_of = {annotator_id: (items, rate) for annotator_id, items, rate in zip(*columns, strict=True)}
    peers = _PeerVotes(votes, ids)
    expected, std, chance = peers.expected(min_items), peers.std(), peers.chance()
    found = []
    for place, annotator_id in enumerate(ids):
        items, rate = rate_of.get(annotator_id, (0, None))
        known = None if np.isnan(expected[place]) else float(expected[place])
        own = {"std": float(std[place]), "chance": float(chance[place])}
        found.append(PeerComparison(annotator_id=annotator_id, items=items, rate=rate, expected=known, **own))
    return found


def _votes(answers: pa.Table) -> pa.Table:
    side = answers["side"].combine_chunks()
    label = pc.if_else(pc.is_null(side), "T", pc.utf8_upper(side))
    return pa.table(
        {
            "pair_id": answers["item_id"],
            "annotator_id": answers["annotator_id"],
            "value": label,
            "language": answers["language"],
            "counted": pc.is_null(answers["discarded"]),
        }
    )


class _PeerVotes:
    """Votes as integer codes, with label counts per item of the answers that count."""

    def __init__(self, votes: pa.Table, ids: list[str]) -> None:
        self.people = len(ids)
        self.who = _codes(votes["annotator_id"], pa.array(ids, pa.string()))
        items = pc.unique(votes["pair_id"])
        self.item = _codes(votes["pair_id"], items)
        self.label = _codes(votes["value"], _LABELS)
        languages = pc.unique(votes["language"])
        self.language = _codes(votes["language"], languages)
        self.languages = max(1, len(languages))
        self.counted = as_mask(votes["counted"])
        flat = np.bincount((self.item * 3 + self.label)[self.counted], minlength=len(items) * 3)
        self.counts = flat.reshape(-1, 3)
        own = np.zeros((len(votes), 3), dtype=np.int64)
        own[np.arange(len(votes)), self.label] = self.counted
        self.others = self.counts[self.item] - own  # per vote: label counts of the others on its item
        self.compared = self.others.sum(axis=1) > 0

    def expected(self, min_items: int) -> Floats:
        """Return per annotator the agreement of the others among themselves, weighted by the annotator's languages."""
        language_of = np.zeros(len(self.counts), dtype=np.int64)
        language_of[self.item] = self.language
        total, pairs = _pairwise_agreement(self.counts)
        shape = (self.people, self.languages)
        cell = self.who * self.languages + self.language

        def summed_without_own(per_item: Floats, per_vote: Floats) -> Floats:
            change = np.where(self.counted, per_vote - per_item[self.item], 0.0)
            by_language = np.bincount(language_of, weights=per_item, minlength=self.languages)
            own = np.bincount(cell, weights=change, minlength=self.people * self.languages).reshape(shape)
            return np.asarray(by_language + own, dtype=np.float64)

        without, remaining = _pairwise_agreement(self.others)
        summed, number = summed_without_own(total, without), summed_without_own(pairs, remaining)
        everywhere = np.where(number.sum(axis=1) >= min_items, summed.sum(axis=1) / np.maximum(number.sum(axis=1), 1), np.nan)
        means = np.where(number >= min_items, summed / np.maximum(number, 1), everywhere[:, None])
        mix = np.bincount(cell[self.compared], minlength=self.people * self.languages).reshape(shape)
        compared = mix.sum(axis=1)
        rates: Floats = np.where(compared > 0, (mix * means).sum(axis=1) / np.maximum(compared, 1), np.nan)
        return rates

    def std(self) -> Floats:
        """Return per annotator the standard deviation of the share of agreement on one item, weighted by languages."""
        peer = self.compared & self.counted
        share = self.others[peer, self.label[peer]] / self.others[peer].sum(axis=1)
        number = np.maximum(np.bincount(self.language[peer], minlength=self.languages), 1)
        mean = np.bincount(self.language[peer], weights=share, minlength=self.languages) / number
        square = np.bincount(self.language[peer], weights=share**2, minlength=self.languages) / number
        variance = np.maximum(square - mean**2, 0.0)
        who = self.who[self.compared]
        weights = variance[self.language[self.compared]]
        summed = np.bincount(who, weights=weights, minlength=self.people)
        return np.asarray(np.sqrt(summed / np.maximum(np.bincount(who, minlength=self.people), 1)), dtype=np.float64)

    def chance(self) -> Floats:
        """Return per annotator the agreement of their labels with those of the others if paired at random."""
        share = self.others[self.compared] / self.others[self.compared].sum(axis=1, keepdims=True)
        who, label = self.who[self.compared], self.label[self.compared]
        compared = np.maximum(np.bincount(who, minlength=self.people), 1)
        given = np.bincount(who * 3 + label, minlength=self.people * 3).reshape(-1, 3) / compared[:, None]
        met = np.stack([np.bincount(who, weights=share[:, part], minlength=self.people) for part in range(3)], axis=1)
        rates: Floats = (given * met / compared[:, None]).sum(axis=1)
        return rates


def _pairwise_agreement(counts: Ints) -> tuple[Floats, Floats]:
    """Return per item the sum over votes of the agreement with the other votes, and the number of votes; 0 below two votes.

    The sum is over votes, like an annotator's rate: an item with three votes weighs more than one with two.
    """
    size = counts.sum(axis=1)
    agreeing = (counts * (counts - 1)).sum(axis=1)
    return agreeing / np.maximum(size - 1, 1), np.where(size > 1, size, 0).astype(np.float64)


def _codes(column: pa.ChunkedArray, values: pa.Array) -> Ints:
    return np.asarray(pc.index_in(column, value_set=values).to_numpy(), dtype=np.int64)
