"""Votes on their way into the tables: one per annotator and subject, whoever collected them."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import pyarrow as pa

from annotate.exchange.annotators import Aliases
from annotate.exchange.problems import Problem
from annotate.listening.item import Answer, Order
from annotate.listening.protocol import ListeningProtocol
from contracts import ids
from contracts.joins import sorted_by
from contracts.schemas import RATINGS, VOTES


@dataclass(frozen=True, kw_only=True, slots=True)
class Ballot:
    """What one annotator said of one pair or sample, A and B as the pair has them.

    Attributes:
        subject_id: the pair or sample.
        annotator_id: pseudonym.
        answer: in the stored order.
        accurate_a: A speaks the text without error; None = not asked.
        accurate_b: likewise B.
        order: what was played first; None = unknown.
        time_s: seconds from the showing to the vote.
        plays_a: how often A was played.
        plays_b: likewise B.
        aggregated: True = a label that was made of votes that are not in the file, by no single annotator.
    """

    subject_id: str
    annotator_id: str
    answer: Answer
    accurate_a: bool | None = None
    accurate_b: bool | None = None
    order: Order | None = None
    time_s: float | None = None
    plays_a: int | None = None
    plays_b: int | None = None
    aggregated: bool | None = None

    def said(self) -> tuple[Answer, bool | None, bool | None]:
        """Return what makes two ballots of one annotator on one subject the same vote."""
        return self.answer, self.accurate_a, self.accurate_b


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What a file held.

    Attributes:
        table: its votes (schema VOTES), or ratings (schema RATINGS) under a protocol for single clips; sorted by id.
        unanswered: places for a vote that were left empty.
        repeated: votes that stood there more than once, and are in the table once.
        cancelled: annotations that were skipped by their annotator (Label Studio).
        problems: what was wrong with the rows that were left out; empty unless ``skip_bad``.
        rejected: file that holds those rows.
        aliases: annotator -> other pseudonyms that the store may know them by.
    """

    table: pa.Table
    unanswered: int
    repeated: int
    cancelled: int = 0
    problems: tuple[Problem, ...] = ()
    rejected: Path | None = None
    aliases: Mapping[str, Aliases] = field(default_factory=dict)


class BallotBox:
    """The ballots of one file, by annotator and subject.

    Attributes:
        repeated: ballots of an annotator on a subject beyond the first.
    """

    def __init__(self, repeated: Literal["first", "last", "mean"] | None = None) -> None:
        """Begin a file.

        Args:
            repeated: which ballots of one annotator on one subject count; None = they have to say the same.
        """
        self._keep = repeated
        self._ballots: dict[tuple[str, str], list[tuple[int, Ballot]]] = {}
        self.repeated = 0

    def add(self, ballot: Ballot, row: int) -> int | None:
        """Put a ballot in, once.

        Returns:
            The row of an earlier ballot of the same annotator on the same subject that says something else, or None.
        """
        earlier = self._ballots.setdefault((ballot.subject_id, ballot.annotator_id), [])
        if earlier and self._keep is None and earlier[0][1].said() != ballot.said():
            return earlier[0][0]
        self.repeated += bool(earlier)
        if not earlier or self._keep is not None:
            earlier.append((row, ballot))
        return None

    def table(self, protocol: ListeningProtocol, protocol_name: str, source: str, bad: Container[int] = ()) -> pa.Table:
        """Return the votes or ratings of all rows that are not bad, sorted by id."""
        good = [[ballot for row, ballot in ballots if row not in bad] for ballots in self._ballots.values()]
        kept = [self._kept(ballots) for ballots in good if ballots]
        if protocol.clips == 1:
            return _ratings(kept, protocol_name, source)
        return _votes(kept, protocol_name, source)

    def _kept(self, ballots: list[Ballot]) -> Ballot:
        if self._keep != "mean":
            return ballots[-1 if self._keep == "last" else 0]
        scores = {scale: fmean(each.answer.scores[scale] for each in ballots) for scale in ballots[0].answer.scores}
        return replace(ballots[0], answer=replace(ballots[0].answer, scores=scores))


def _votes(ballots: list[Ballot], protocol_name: str, source: str) -> pa.Table:
    keys = [ids.row_id("vote", each.subject_id, each.annotator_id, protocol_name) for each in ballots]
    columns: dict[str, list[Any]] = {
        "vote_id": keys,
        "pair_id": [each.subject_id for each in ballots],
        "annotator_id": [each.annotator_id for each in ballots],
        "protocol": [protocol_name] * len(ballots),
        "value": [each.answer.value for each in ballots],
        "text_accurate_a": [each.accurate_a for each in ballots],
        "text_accurate_b": [each.accurate_b for each in ballots],
        "errors_a": [each.answer.errors_a for each in ballots],
        "errors_b": [each.answer.errors_b for each in ballots],
        "order": [each.order for each in ballots],
        "time_s": [each.time_s for each in ballots],
        "plays_a": [each.plays_a for each in ballots],
        "plays_b": [each.plays_b for each in ballots],
        "source": [source] * len(ballots),
        "discarded": [None] * len(ballots),
        "aggregated": [each.aggregated for each in ballots],
    }
    return sorted_by(pa.table(columns, schema=VOTES), "vote_id")


def _ratings(ballots: list[Ballot], protocol_name: str, source: str) -> pa.Table:
    keys = [ids.row_id("rating", each.subject_id, each.annotator_id, protocol_name) for each in ballots]
    columns: dict[str, list[Any]] = {
        "rating_id": keys,
        "sample_id": [each.subject_id for each in ballots],
        "annotator_id": [each.annotator_id for each in ballots],
        "protocol": [protocol_name] * len(ballots),
        "scores": [list(each.answer.scores.items()) for each in ballots],
        "time_s": [each.time_s for each in ballots],
        "plays": [each.plays_a for each in ballots],
        "source": [source] * len(ballots),
        "discarded": [None] * len(ballots),
    }
    return sorted_by(pa.table(columns, schema=RATINGS), "rating_id")
