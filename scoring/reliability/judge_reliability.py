"""How far a judge can be trusted: its bias and noise, its agreement with another judge, and what changed between the two.

What two inquiries are compared by are their rulings (see ``scoring.reliability.aggregation``), on the pairs that both have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotate.models.inquiry_rows import InquiryRows, couples
from contracts.joins import among
from scoring.reliability.aggregation import ORDERS, VERDICTS, Floats, Ints, Marks, majority_signs, marks, rulings, unfold
from scoring.reliability.measures import Measure, kappa, mean, pearson, share, spearman
from scoring.reliability.triplets import circles

_NO_PAIRS: Final = Measure.undefined("no pairs were given")
_DECIMALS: Final = 9  # means of the same scores may differ by a bit of the last place, and ties in ranks must be ties


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """The reliability of a judge in one inquiry.

    Attributes:
        judgments: how many there are.
        pairs: pairs judged.
        position_bias: share of the judgments with a preference that prefer the speech played first; 0.5 = none, as long as
            which speech is played first is random or both orders are put.
        flip_rate: share of the pairs judged in both orders whose majority verdicts are opposite.
        tie_rate: share of judgments without a preference.
        cycle_rate: share of the triplets of a text group with three verdicts that go in a circle (MOS-RMBench, appendix C.2).
        cyclic_groups: share of the text groups with such a triplet that have one in a circle.
        self_consistency: chance that two votes on the same question in the same order agree, no preference being an answer of
            its own: mean over questions of the agreeing share of their votes' couples (Fleiss 1971, P_i).
        failure_rate: share of the questions that got no usable answer.
    """

    judgments: int
    pairs: int
    position_bias: Measure
    flip_rate: Measure
    tie_rate: Measure
    cycle_rate: Measure
    cyclic_groups: Measure
    self_consistency: Measure
    failure_rate: Measure


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """How the scores of two inquiries on one dimension go together.

    Attributes:
        difference_pearson: correlation of A's lead over B, over pairs.
        difference_spearman: the same of the ranks.
        score_pearson: correlation of the scores themselves, over both speeches of every pair.
        score_spearman: the same of the ranks.
    """

    difference_pearson: Measure
    difference_spearman: Measure
    score_pearson: Measure
    score_spearman: Measure


@dataclass(frozen=True, kw_only=True)
class JudgeAgreement:
    """How far two inquiries agree.

    Attributes:
        pairs: pairs that both have a ruling on.
        kappa: Cohen's kappa of the verdicts, over the pairs on which both have one.
        ternary_kappa: likewise with no preference as a third verdict, over all pairs.
        agreement: share of the pairs with two verdicts on which they are the same.
        dimensions: dimension -> correlation, for the dimensions that both score.
    """

    pairs: int
    kappa: Measure
    ternary_kappa: Measure
    agreement: Measure
    dimensions: Mapping[str, Correlation]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What changed from one inquiry to the next.

    Attributes:
        pairs: pairs that both have a ruling on.
        changed: share of them whose verdict is another; gaining or losing a preference is a change.
        shift: dimension -> mean of new score minus old score, over both speeches of every pair.
    """

    pairs: int
    changed: Measure
    shift: Mapping[str, Measure]


def reliability(judgments: pa.Table, *, pairs: pa.Table | None = None, failed: int | None = None) -> Reliability:
    """Measure one inquiry.

    The intervals take judgments for independent: with several votes on a pair they are too narrow.

    Args:
        judgments: table of schema JUDGMENTS: those of one inquiry.
        pairs: ``pair_id, group_id, sample_a, sample_b`` of the pairs among which to look for cycles.
        failed: questions of the same inquiry that ended in ``failures``.

    Raises:
        DataError: the judgments are of more than one inquiry, or have an unknown order or verdict.
    """
    found = marks(judgments)
    decided = found.sign != 0
    for_first = found.sign == np.where(found.order == ORDERS.index("ab"), 1, -1)
    signs, counts = majority_signs(found)
    both = (counts > 0).all(axis=1)
    triplets, groups = circles(rulings(judgments), pairs) if pairs is not None else (_NO_PAIRS, _NO_PAIRS)
    return Reliability(
        judgments=judgments.num_rows,
        pairs=len(signs),
        position_bias=share(int((for_first & decided).sum()), int(decided.sum()), nothing="no judgment has a preference"),
        flip_rate=share(
            int((signs[both].prod(axis=1) < 0).sum()), int(both.sum()), nothing="no pair was judged in both orders"
        ),
        tie_rate=share(int((~decided).sum()), judgments.num_rows, nothing="no judgments"),
        cycle_rate=triplets,
        cyclic_groups=groups,
        self_consistency=_self_consistency(found, len(signs)),
        failure_rate=Measure.undefined("failures were not counted")
        if failed is None
        else share(failed, failed + judgments.num_rows, nothing="no requests"),
    )


def _self_consistency(found: Marks, pairs: int) -> Measure:
    questions = found.pair * len(ORDERS) + found.order
    size = pairs * len(ORDERS)
    votes = np.stack([np.bincount(questions[found.sign == sign], minlength=size) for sign in (1, -1, 0)], axis=1)
    n = votes.sum(axis=1)
    votes, n = votes[n > 1], n[n > 1]
    agreeing = (votes * (votes - 1)).sum(axis=1) / (n * (n - 1))
    return mean(agreeing, nothing="no question was put twice in one order")


def agreement(first: pa.Table, second: pa.Table) -> JudgeAgreement:
    """Compare the rulings (schema RULINGS) of two inquiries on the pairs that both have."""
    first, second = _common(first, second)
    codes, others = _codes(first), _codes(second)
    decided = (codes >= 0) & (others >= 0)
    same = int((codes == others)[decided].sum())
    dimensions = {}
    for name, of_a, of_b, other_a, other_b in _scores(first, second):
        gap, other_gap = np.round(of_a - of_b, _DECIMALS), np.round(other_a - other_b, _DECIMALS)
        scores, other_scores = np.concatenate([of_a, of_b]), np.concatenate([other_a, other_b])
        dimensions[name] = Correlation(
            difference_pearson=pearson(gap, other_gap),
            difference_spearman=spearman(gap, other_gap),
            score_pearson=pearson(scores, other_scores),
            score_spearman=spearman(scores, other_scores),
        )
    return JudgeAgreement(
        pairs=first.num_rows,
        kappa=kappa(codes[decided], others[decided]),
        ternary_kappa=kappa(codes + 1, others + 1) if len(codes) else Measure.undefined("no pair in common"),
        agreement=share(same, int(decided.sum()), nothing="no pair has a verdict of both"),
        dimensions=dimensions,
    )


def drift(old: pa.Table, new: pa.Table) -> Drift:
    """Return what changed from the rulings (schema RULINGS) of one inquiry to another's, on the pairs that both have."""
    old, new = _common(old, new)
    changed = int((_codes(old) != _codes(new)).sum())
    return Drift(
        pairs=old.num_rows,
        changed=share(changed, old.num_rows, nothing="no pair in common"),
        shift={
            name: mean(np.concatenate([new_a - old_a, new_b - old_b]), nothing="no pair is scored by both")
            for name, old_a, old_b, new_a, new_b in _scores(old, new)
        },
    )


def drift_lines(inquiries: Sequence[InquiryRows]) -> list[dict[str, object]]:
    """Return a line for every two inquiries that can be compared and share pairs.

    Returns:
        ``task``, ``old``, ``new`` (labels; ``old`` is the one that comes first), ``pairs`` (in common),
        ``changed`` (share), ``kappa`` (null where undefined), ``shift`` (dimension -> mean of new minus old).
    """
    lines: list[dict[str, object]] = []
    for (old, before), (new, after) in couples(inquiries):
        if not (moved := drift(before, after)).pairs:
            continue
        lines.append(
            {
                "task": old.task,
                "old": old.label,
                "new": new.label,
                "pairs": moved.pairs,
                "changed": moved.changed.value,
                "kappa": agreement(before, after).kappa.value,
                "shift": {name: measure.value for name, measure in moved.shift.items()},
            }
        )
    return lines


def _common(first: pa.Table, second: pa.Table) -> tuple[pa.Table, pa.Table]:
    return tuple(
        among(one, "pair_id", other["pair_id"]).sort_by("pair_id").combine_chunks()
        for one, other in ((first, second), (second, first))
    )


def _codes(ruled: pa.Table) -> Ints:
    codes: Ints = pc.index_in(ruled["verdict"], value_set=pa.array(VERDICTS)).fill_null(-1).to_numpy().astype(np.int64)
    return codes


def _scores(first: pa.Table, second: pa.Table) -> list[tuple[str, Floats, Floats, Floats, Floats]]:
    """Return per dimension that both score: its name and A's and B's scores of both inquiries, NaN where there is none."""
    columns = [table[f"scores_{side}"].combine_chunks() for table in (first, second) for side in "ab"]
    named = [unfold(column)[1].unique() for column in columns]
    names = [name for name in named[0].to_pylist() if all(pc.is_in(pa.scalar(name), other).as_py() for other in named[1:])]
    grids = [_grid(column, pa.array(names, pa.string())) for column in columns]
    return [(name, *(grid[:, place] for grid in grids)) for place, name in enumerate(names)]


def _grid(scores: pa.MapArray, names: pa.StringArray) -> Floats:
    """Return scores as an array of shape (rows, names)."""
    owner, dimension, values = unfold(scores)
    place = pc.index_in(dimension, value_set=names).fill_null(-1).to_numpy(zero_copy_only=False)
    grid = np.full((len(scores), len(names)), np.nan)
    grid[owner[place >= 0], place[place >= 0]] = np.round(values[place >= 0], _DECIMALS)
    return grid
