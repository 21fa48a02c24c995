"""Votes on their way into the tables: one per annotator and subject, whoever collected them."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import pyarrow as pa

from annotate.people.exchange.file_annotators import Aliases
from annotate.people.exchange.file_problems import Problem
from annotate.people.store.item import Answer, Order
from annotate.people.store.protocol import ListeningProtocol
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

    def literal(self) -> str:
        """Return subject and ``said`` as the one JSON text that stands for them."""
        answer = self.answer
        said = [answer.value, answer.errors_a, answer.errors_b, dict(answer.scores), self.accurate_a, self.accurate_b]
        return ids.canonical_json([self.subject_id, *said])


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What a file held.

    Attributes:
        table: its votes (schema VOTES), or ratings (schema RATINGS) under a protocol for single clips; sorted by id.
        unanswered: places for a vote that were left empty.
        repeated: votes that stood there more than once, and are in the table once; none of a row that was left out.
        cancelled: annotations that were skipped by their annotator (Label Studio).
        problems: what was wrong with the rows that were left out; empty unless ``skip_bad``.
        rejected: file that holds those rows.
        aliases: annotator -> other pseudonyms that the store may know them by.
        places: vote or rating id -> its row and its annotator as the file names them, for messages.
        notes: what whoever imports the file should know of its annotators.
    """

    table: pa.Table
    unanswered: int
    repeated: int
    cancelled: int = 0
    problems: tuple[Problem, ...] = ()
    rejected: Path | None = None
    aliases: Mapping[str, Aliases] = field(default_factory=dict)
    places: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Cast:
    """A ballot and where it stood in its file.

    Attributes:
        ballot: what was said.
        row: as ``Problem`` counts.
        name: the annotator as the file has it; None = the file names nobody.
    """

    ballot: Ballot
    row: int
    name: str | None = None

    def __str__(self) -> str:
        return f"row {self.row}" + (f", annotator {self.name!r}" if self.name is not None else "")


class BallotBox:
    """The ballots of one file, by annotator and subject."""

    def __init__(self, repeated: Literal["first", "last", "mean"] | None = None) -> None:
        """Begin a file.

        Args:
            repeated: which ballots of one annotator on one subject count; None = they have to say the same.
        """
        self._keep = repeated
        self._cast: dict[tuple[str, str], list[Cast]] = {}
        self._contradicted: set[tuple[str, str]] = set()

    def add(self, cast: Cast) -> list[tuple[int, int]]:
        """Put a ballot in.

        Returns:
            (row, row that says something else) for each ballot that turns out to contradict another one of the same annotator
            on the same subject. All of them are bad then, those that say the same as well: nobody knows which one was meant.
        """
        key = cast.ballot.subject_id, cast.ballot.annotator_id
        earlier = self._cast.setdefault(key, [])
        earlier.append(cast)
        said = cast.ballot.said()
        if self._keep is not None or (key not in self._contradicted and earlier[0].ballot.said() == said):
            return []
        found = [(cast.row, next(each.row for each in earlier if each.ballot.said() != said))]
        if key not in self._contradicted:
            self._contradicted.add(key)
            found += [(each.row, cast.row) for each in earlier[:-1]]
        return list(dict(found).items())

    def counted(self, bad: Container[int] = ()) -> tuple[list[Cast], int]:
        """Return the one ballot per annotator and subject that counts, bad rows apart; and how many there were beyond."""
        good = [[cast for cast in casts if cast.row not in bad] for casts in self._cast.values()]
        kept = [self._kept(casts) for casts in good if casts]
        return kept, sum(map(len, good)) - len(kept)

    def _kept(self, casts: list[Cast]) -> Cast:
        if self._keep != "mean":
            return casts[-1 if self._keep == "last" else 0]
        first = casts[0].ballot.answer
        scores = {scale: fmean(each.ballot.answer.scores[scale] for each in casts) for scale in first.scores}
        return replace(casts[0], ballot=replace(casts[0].ballot, answer=replace(first, scores=scores)))


def of_unnamed(casts: Iterable[Cast], seed: int, vendor: str) -> list[Cast]:
    """Return ballots of people whom their file does not name, each under a pseudonym of its own.

    It comes from all votes of the file, whatever their order, and from the vendor: another file is of other people, and the
    same votes again, in whatever kind of file, are of the same ones.
    """
    ordered = sorted(casts, key=lambda cast: cast.ballot.literal())
    content = ids.digest([cast.ballot.literal() for cast in ordered])
    named = []
    on_subject: Counter[str] = Counter()
    for cast in ordered:
        subject = cast.ballot.subject_id
        on_subject[subject] += 1
        who = ids.row_id("unnamed", seed, vendor, content, subject, on_subject[subject])
        named.append(replace(cast, ballot=replace(cast.ballot, annotator_id=who)))
    return named


def imported(casts: Sequence[Cast], protocol: ListeningProtocol, protocol_name: str, source: str, **rest: Any) -> Imported:
    """Return what a file held: its votes or ratings as a table, where each stood, and the rest as it is given."""
    ballots = [cast.ballot for cast in casts]
    kind, table_of = ("rating", _ratings) if protocol.clips == 1 else ("vote", _votes)
    keys = [ids.row_id(kind, each.subject_id, each.annotator_id, protocol_name) for each in ballots]
    places = dict(zip(keys, casts, strict=True))
    return Imported(table=table_of(keys, ballots, protocol_name, source), places=places, **rest)


def _votes(keys: list[str], ballots: list[Ballot], protocol_name: str, source: str) -> pa.Table:
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


def _ratings(keys: list[str], ballots: list[Ballot], protocol_name: str, source: str) -> pa.Table:
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
