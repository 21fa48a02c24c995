"""Tables of quality control for people: who listens how, and how far listeners agree by style and language.

Source: SpeechJudge, appendix B: agreement rates (B.1, Figure 9) and Table 5.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotate.agreement import MIN_ITEMS, InterAnnotatorAgreement, inter_annotator
from annotate.listening.behaviour import FIRST, SECOND, Marks, annotators, gold_marks, mask, places
from annotate.listening.chance import Floats
from annotate.listening.peers import standings
from annotate.listening.trust import Assessment, set_aside
from contracts.errors import DataError
from contracts.joins import attach

AGREEMENT: Final = pa.schema(
    [
        pa.field("protocol", pa.string(), nullable=False),
        pa.field("labels", pa.string(), nullable=False),  # ternary, or binary: without ties and invalid votes
        pa.field("style", pa.string()),  # null = all
        pa.field("language", pa.string()),  # null = all
        pa.field("pairs", pa.int64(), nullable=False),  # with two votes that count
        pa.field("mean", pa.float64()),  # chance that two annotators of a pair agree; null = no such pair
        pa.field("std", pa.float64()),  # standard error of the mean; null for fewer than two pairs
    ]
)
"""Table 5: one row per protocol, labels, style and language."""

LISTENERS: Final = pa.schema(
    [
        pa.field("annotator_id", pa.string(), nullable=False),
        pa.field("answers", pa.int64(), nullable=False),
        pa.field("discarded", pa.int64(), nullable=False),
        pa.field("gold_items", pa.int64(), nullable=False),  # answers to gold items, the qualification test left out
        pa.field("gold_share", pa.float64()),  # right of these; null = none
        pa.field("peer_items", pa.int64(), nullable=False),  # ordinary items that somebody else answered too
        pa.field("peer_rate", pa.float64()),  # agreement rate (SpeechJudge, appendix B.1); null = fewer than 10 items
        pa.field("peer_expected", pa.float64()),  # that of somebody like the others; null = unknown
        pa.field("first_share", pa.float64()),  # preferences for what was played first; null = none of known order
        pa.field("deciding_s", pa.float64()),  # median time after the end of what had to be heard; null = unknown
        pa.field("plays", pa.float64()),  # mean number of plays a clip; null = unknown
        pa.field("verdict", pa.string()),  # null = not assessed
        pa.field("rule", pa.string()),  # that excluded; null = none
    ]
)
"""One row per annotator."""


def agreement_table(votes: pa.Table, strata: pa.Table) -> pa.Table:
    """Return how far listeners agree in each cell of style and language, and in the margins: a table of schema AGREEMENT.

    Where the protocol is ``unisrm``, ``invalid`` takes the place of a tie.

    Args:
        votes: table of schema VOTES; discarded ones do not count.
        strata: columns pair_id, style, language, one row per pair.

    Raises:
        DataError: a vote on a pair that ``strata`` lacks, a value that the protocol does not know, or an annotator who voted
            twice on a pair.
    """
    counted = votes.filter(pc.is_null(votes["discarded"])).select(["pair_id", "annotator_id", "protocol", "value"])
    known = attach(counted, "pair_id", strata, "pair_id", {"style": "style", "language": "language"})
    if known["style"].null_count:
        stranger = known["pair_id"][pc.index(pc.is_null(known["style"]), True).as_py()].as_py()
        raise DataError(f"votes: pair {stranger!r} has no style; give the style and language of every pair")
    return pa.Table.from_pylist(list(_agreement_rows(known)), schema=AGREEMENT)


def _agreement_rows(votes: pa.Table) -> Iterator[dict[str, Any]]:
    for protocol in pc.unique(votes["protocol"]).sort().to_pylist():
        cast = votes.filter(pc.equal(votes["protocol"], protocol))
        if protocol == "unisrm":
            place = cast.column_names.index("value")
            cast = cast.set_column(place, "value", pc.if_else(pc.equal(cast["value"], "invalid"), "T", cast["value"]))
        styles, languages = (pc.unique(cast[name]).sort().to_pylist() for name in ("style", "language"))
        for labels in ("ternary", "binary"):
            for style in (*styles, None):
                for language in (*languages, None):
                    cell = _agreement(_where(_where(cast, "style", style), "language", language), binary=labels == "binary")
                    yield {
                        "protocol": protocol, "labels": labels, "style": style, "language": language,
                        "pairs": cell.pairs if cell else 0, "mean": cell and cell.mean, "std": cell and cell.std,
                    }  # fmt: skip


def _where(votes: pa.Table, column: str, value: str | None) -> pa.Table:
    return votes if value is None else votes.filter(pc.equal(votes[column], value))


def _agreement(votes: pa.Table, *, binary: bool) -> InterAnnotatorAgreement | None:
    """Return the agreement, None where no pair has two votes that count."""
    counted = votes.filter(pc.not_equal(pc.utf8_slice_codeunits(votes["value"], 0, 1), "T")) if binary else votes
    if pc.count_distinct(counted["pair_id"]).as_py() == counted.num_rows:
        return None
    return inter_annotator(votes, binary=binary)


def listener_table(answers: pa.Table, assessments: Sequence[Assessment] = ()) -> pa.Table:
    """Return what is known of each annotator: a table of schema LISTENERS, sorted by id.

    Args:
        answers: table of schema ANSWERS.
        assessments: of the same answers; annotators without one have no verdict. Nobody's agreement is taken with those
            whom they exclude.

    Raises:
        DataError: an annotator answered one item twice.
    """
    ids, who = annotators(answers)
    gold, right = gold_marks(answers)
    gold &= ~mask(answers["qualification"])
    place = places(answers)

    def number(marks: Marks) -> np.ndarray:
        return np.bincount(who[marks], minlength=len(ids))

    def share(part: Marks, whole: Marks) -> pa.Array:
        of = number(whole)
        return pa.array(number(part & whole) / np.maximum(of, 1), mask=of == 0)

    everything = np.ones(answers.num_rows, dtype=bool)
    total = number(everything)
    deciding = pc.subtract(answers["time_s"], answers["audio_s"]).to_numpy()
    counts = [answers[name] for name in ("plays_a", "plays_b")]
    played = np.sum([pc.fill_null(count, 0).to_numpy() for count in counts], axis=0)
    plays = np.bincount(who, weights=played, minlength=len(ids))
    clips = np.sum([number(mask(pc.is_valid(count))) for count in counts], axis=0)
    order = np.argsort(who, kind="stable")
    excluded = [one.annotator_id for one in assessments if one.verdict == "excluded"]
    peers = standings(set_aside(answers, excluded), min_items=MIN_ITEMS)
    said = {one.annotator_id: one for one in assessments}
    columns = {
        "annotator_id": ids,
        "answers": total,
        "discarded": number(mask(pc.is_valid(answers["discarded"]))),
        "gold_items": number(gold),
        "gold_share": share(right, gold),
        "peer_items": [one.items for one in peers],
        "peer_rate": [one.rate for one in peers],
        "peer_expected": [one.expected for one in peers],
        "first_share": share(place == FIRST, (place == FIRST) | (place == SECOND)),
        "deciding_s": [_median(times) for times in np.split(deciding[order], np.cumsum(total)[:-1])] if ids else [],
        "plays": [of / known if known else None for of, known in zip(plays.tolist(), clips.tolist(), strict=True)],
        "verdict": [said[name].verdict if name in said else None for name in ids],
        "rule": [said[name].rule if name in said else None for name in ids],
    }
    return pa.table({name: pa.array(column, LISTENERS.field(name).type) for name, column in columns.items()}, schema=LISTENERS)


def _median(times: Floats) -> float | None:
    """Return the median of the times that are known, which are no NaN."""
    known = times[~np.isnan(times)]
    return float(np.median(known)) if known.size else None
