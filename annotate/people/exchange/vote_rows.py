"""Votes of an imported file: one per annotator and subject, as a table."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import pyarrow as pa

from annotate.people.exchange.file_annotators import Aliases
from annotate.people.exchange.file_problems import RowProblem
from annotate.people.store.item import Answer, Order
from annotate.people.store.protocol import ListeningProtocol
from contracts import ids
from contracts.joins import sorted_by
from contracts.schemas import RATINGS, VOTES


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedVote:
    """The vote of one annotator on one pair or sample, A and B in the stored order.

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
        aggregated: True = a label aggregated from votes that are not in the file.
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

    def content(self) -> tuple[Answer, bool | None, bool | None]:
        """Return the values in which two votes of one annotator on one subject must agree to be the same vote."""
        return self.answer, self.accurate_a, self.accurate_b

    def literal(self) -> str:
        """Return subject and ``content`` as canonical JSON."""
        answer = self.answer
        content = [answer.value, answer.errors_a, answer.errors_b, dict(answer.scores), self.accurate_a, self.accurate_b]
        return ids.canonical_json([self.subject_id, *content])


@dataclass(frozen=True, kw_only=True)
class VoteFile:
    """The content of a file.

    Attributes:
        table: its votes (schema VOTES), or ratings (schema RATINGS) of a protocol for single clips; sorted by id.
        unanswered: number of places for a vote that are empty.
        repeated: number of repetitions of votes, which are in the table once; bad rows are not counted.
        cancelled: annotations that the annotator skipped (Label Studio).
        problems: problems of the rows that were left out; empty unless ``skip_bad``.
        rejected: file of those rows.
        aliases: annotator -> other pseudonyms of the same person, which may be in the store.
        places: vote or rating id -> its row and the annotator's name in the file, for messages.
        notes: notes on the file's annotators for whoever imports it.
    """

    table: pa.Table
    unanswered: int
    repeated: int
    cancelled: int = 0
    problems: tuple[RowProblem, ...] = ()
    rejected: Path | None = None
    aliases: Mapping[str, Aliases] = field(default_factory=dict)
    places: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LocatedVote:
    """A vote and its place in the file.

    Attributes:
        vote: the vote.
        row: as ``RowProblem`` counts.
        name: the annotator's name in the file; None = the file has no names.
    """

    vote: ImportedVote
    row: int
    name: str | None = None

    def __str__(self) -> str:
        return f"row {self.row}" + (f", annotator {self.name!r}" if self.name is not None else "")


class VoteCollection:
    """The votes of one file, by annotator and subject."""

    def __init__(self, repeated: Literal["first", "last", "mean"] | None = None) -> None:
        """Start with no votes.

        Args:
            repeated: which votes of one annotator on one subject count; None = all must be the same.
        """
        self._repeated = repeated
        self._votes: dict[tuple[str, str], list[LocatedVote]] = {}
        self._contradicted: set[tuple[str, str]] = set()

    def add(self, located: LocatedVote) -> list[tuple[int, int]]:
        """Add a vote.

        Returns:
            (row, row of a different vote) for each vote of this annotator on this subject that is now in conflict. If any two
            differ, all of them are bad, equal ones too, as the intended one is unknown.
        """
        key = located.vote.subject_id, located.vote.annotator_id
        earlier = self._votes.setdefault(key, [])
        earlier.append(located)
        content = located.vote.content()
        if self._repeated is not None or (key not in self._contradicted and earlier[0].vote.content() == content):
            return []
        found = [(located.row, next(each.row for each in earlier if each.vote.content() != content))]
        if key not in self._contradicted:
            self._contradicted.add(key)
            found += [(each.row, located.row) for each in earlier[:-1]]
        return list(dict(found).items())

    def selected(self, bad: Container[int] = ()) -> tuple[list[LocatedVote], int]:
        """Return the vote per annotator and subject that counts, without bad rows, and the number of repetitions."""
        good = [[each for each in located if each.row not in bad] for located in self._votes.values()]
        kept = [self._kept(located) for located in good if located]
        return kept, sum(map(len, good)) - len(kept)

    def _kept(self, located: list[LocatedVote]) -> LocatedVote:
        if self._repeated != "mean":
            return located[-1 if self._repeated == "last" else 0]
        first = located[0].vote.answer
        scores = {scale: fmean(each.vote.answer.scores[scale] for each in located) for scale in first.scores}
        return replace(located[0], vote=replace(located[0].vote, answer=replace(first, scores=scores)))


def with_unnamed_pseudonyms(located: Iterable[LocatedVote], seed: int, vendor: str) -> list[LocatedVote]:
    """Return votes of unnamed annotators, each with its own pseudonym.

    The pseudonyms are hashes of all votes of the file, in any order, and of the vendor. So different files have different
    annotators, and the same votes have the same ones, in any kind of file.
    """
    ordered = sorted(located, key=lambda each: each.vote.literal())
    content = ids.digest([each.vote.literal() for each in ordered])
    named = []
    on_subject: Counter[str] = Counter()
    for each in ordered:
        subject = each.vote.subject_id
        on_subject[subject] += 1
        who = ids.row_id("unnamed", seed, vendor, content, subject, on_subject[subject])
        named.append(replace(each, vote=replace(each.vote, annotator_id=who)))
    return named


def vote_file(
    located: Sequence[LocatedVote], protocol: ListeningProtocol, protocol_name: str, source: str, **rest: Any
) -> VoteFile:
    """Return the content of a file: its votes or ratings as a table, their places, and further fields of ``VoteFile``."""
    votes = [each.vote for each in located]
    kind, table_of = ("rating", _ratings) if protocol.clips == 1 else ("vote", _votes)
    keys = [ids.row_id(kind, each.subject_id, each.annotator_id, protocol_name) for each in votes]
    places = dict(zip(keys, located, strict=True))
    return VoteFile(table=table_of(keys, votes, protocol_name, source), places=places, **rest)


def _votes(keys: list[str], votes: list[ImportedVote], protocol_name: str, source: str) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "vote_id": keys,
        "pair_id": [each.subject_id for each in votes],
        "annotator_id": [each.annotator_id for each in votes],
        "protocol": [protocol_name] * len(votes),
        "value": [each.answer.value for each in votes],
        "text_accurate_a": [each.accurate_a for each in votes],
        "text_accurate_b": [each.accurate_b for each in votes],
        "errors_a": [each.answer.errors_a for each in votes],
        "errors_b": [each.answer.errors_b for each in votes],
        "order": [each.order for each in votes],
        "time_s": [each.time_s for each in votes],
        "plays_a": [each.plays_a for each in votes],
        "plays_b": [each.plays_b for each in votes],
        "source": [source] * len(votes),
        "discarded": [None] * len(votes),
        "aggregated": [each.aggregated for each in votes],
        "judgment_id": [None] * len(votes),
    }
    return sorted_by(pa.table(columns, schema=VOTES), "vote_id")


def _ratings(keys: list[str], votes: list[ImportedVote], protocol_name: str, source: str) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "rating_id": keys,
        "sample_id": [each.subject_id for each in votes],
        "annotator_id": [each.annotator_id for each in votes],
        "protocol": [protocol_name] * len(votes),
        "scores": [list(each.answer.scores.items()) for each in votes],
        "time_s": [each.time_s for each in votes],
        "plays": [each.plays_a for each in votes],
        "source": [source] * len(votes),
        "discarded": [None] * len(votes),
    }
    return sorted_by(pa.table(columns, schema=RATINGS), "rating_id")
