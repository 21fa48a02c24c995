"""The store of a listening test: items, annotators, assignments and answers.

``Store`` runs each operation as a transaction, one at a time over all threads and processes. The operations are defined in
``item_queue``, ``annotators``, ``assignments``, ``playback``, ``vote_counts`` and ``imported_votes``.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar

import pyarrow as pa
from sqlalchemy import Connection

from annotate.database_identity import Known, make_identity, read_identity
from annotate.people.store import (
    annotator_aliases,
    annotators,
    assignments,
    imported_votes,
    item_queue,
    playback,
    store_queries,
)
from annotate.people.store.item import Answer, Item
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.store_records import (
    Annotator,
    Assignment,
    Finished,
    ListeningProgress,
    Receipt,
)
from annotate.people.store.store_setup import counts, prepare
from annotate.people.store.store_tables import identity
from annotate.people.store.vote_writer import Commits
from contracts.clocks import steady_time

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """A listening test, for any number of threads and processes. Once a method returns, its changes are on disk.

    Every method raises ``DatabaseFailed`` if the database fails; nothing has changed then, and a retry is safe. A method
    that takes an annotator id raises ``Refused`` with ``unknown_annotator`` if there is no such annotator.

    Attributes:
        settings: of the test.
        identity: random text that differs between any two tests.
    """

    def __init__(
        self,
        where: str | os.PathLike[str],
        settings: ListeningSettings,
        *,
        clock: Callable[[], float] = steady_time,
        known: Known | None = None,
    ) -> None:
        """Open or create a test.

        Args:
            where: path of a SQLite file, or a postgresql:// URL of a database that holds one test.
            settings: of the test.
            clock: seconds since 1970 without steps: a step would end leases, or reject clips that were heard.
            known: the expected test; None = any, or a new one.

        Raises:
            OtherDatabase: it is not the expected test, or holds less than it did.
            StorageError: it cannot be opened, or is a test of another protocol or of a newer version.
        """
        self.settings = settings
        self._clock = clock
        self._commits = Commits(where)
        try:
            prepare(self._commits, settings, known)
            with self._commits.reading() as connection:
                found = read_identity(connection, identity)
            self.identity = found or self._commits.write(lambda connection: make_identity(connection, identity))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._commits.close()

    def _read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self._commits.reading() as connection:
            return query(connection, *args, **kwargs)

    def _write(
        self, action: Callable[Concatenate[Connection, ListeningSettings, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return self._commits.write(lambda connection: action(connection, self.settings, *args, **kwargs))

    @property
    def where(self) -> str:
        """Path or URL, without its password."""
        return self._commits.where

    def counts(self) -> dict[str, int]:
        """Return the numbers of answers and of annotators; both only grow."""
        return self._read(counts)

    # Items

    def add_items(self, items: Iterable[Item]) -> int:
        """Add items and return how many are new.

        A withdrawn item that is added again is assigned again. A new ordinary item replaces the former one of its subject.

        Raises:
            DataError: the settings do not allow an item's number of clips, language or gold values.
        """
        return item_queue.add_items(self._commits, self.settings, items)

    def withdraw(self, item_ids: Iterable[str]) -> None:
        """Assign these items no more; answers stay, and open assignments may still be answered.

        Raises:
            Refused: ``unknown_item``.
        """
        item_queue.withdraw(self._commits, self.settings, item_ids)

    def make_gold(self, item_id: str, values: Sequence[str]) -> None:
        """Make an item gold with these right values; its votes no longer count.

        Raises:
            Refused: ``unknown_item``, ``unknown_value``.
        """
        self._write(item_queue.make_gold, item_id, values)

    def unmake_gold(self, item_id: str) -> None:
        """Make an item ordinary again (``Refused``: ``unknown_item``); its answers as a gold item do not become votes."""
        self._write(item_queue.unmake_gold, item_id)

    def items(self) -> list[Item]:
        """Return all items that are not withdrawn, with their gold values, by id."""
        return self._read(store_queries.all_items)

    # Annotators

    def invite(self, name: str, levels: Mapping[str, str]) -> Annotator:
        """Return the annotator of this name in any spelling, created if new, with these language levels.

        Raises:
            DataError: the name is empty, reserved (``annotators.IMPORTED_PREFIX``) or ambiguous, or a level is unknown.
        """
        return self._commits.write(lambda connection: annotators.invite(connection, name, levels))

    def annotator(self, annotator_id: str) -> Annotator | None:
        """Return an invited or imported annotator; None = the id is unknown."""
        return self._read(annotators.by_id, annotator_id)

    def find_annotator(self, name: str) -> Annotator | None:
        """Return the annotator of a name in any spelling; None = there is none. An ambiguous name raises ``DataError``."""
        return self._read(annotators.by_name, name)

    def revocation_count(self, holder: str) -> int:
        """Return how often the links and sessions of an annotator id, or of ``annotators.ADMIN``, were revoked."""
        return self._read(annotators.revocation_count, holder)

    def revoke(self, holder: str) -> int:
        """Revoke all links and sessions of an annotator id, or of ``annotators.ADMIN``; return the new revocation count."""
        return self._commits.write(lambda connection: annotators.revoke(connection, holder))

    def annotators(self) -> list[Annotator]:
        """Return all annotators, imported ones included, by name."""
        return self._read(annotators.all_annotators)

    def consent(self, annotator_id: str) -> None:
        """Record the consent of an annotator; ``Refused`` with ``elsewhere`` or ``excluded``."""
        self._commits.write(lambda connection: annotators.record_consent(connection, annotator_id))

    def confirm_equipment(self, annotator_id: str) -> None:
        """Record the equipment check; ``Refused`` with ``elsewhere``, ``excluded`` or ``not_consented``."""
        self._write(annotators.confirm_equipment, annotator_id)

    def exclude(self, annotator_id: str, rule: str, evidence: Mapping[str, Any]) -> None:
        """Discard the ordinary answers of an annotator for a rule, with JSON-ready evidence, and assign their items to others.

        An annotator who is excluded already stays so; a pardoned one is excluded only by the rule ``annotators.ADMIN``.
        """
        self._write(annotators.exclude, annotator_id, rule, evidence)

    def pardon(self, annotator_id: str) -> None:
        """Let an excluded or failed annotator take part again; no rule excludes them from then on.

        Their answers count again in the order of their arrival; votes that become superfluous are ``surplus``.
        """
        self._write(annotators.pardon, annotator_id)

    # Listening

    def next(self, annotator_id: str) -> Assignment | Finished:
        """Return the current assignment of an annotator: the same until it is answered or its lease ends.

        Raises:
            Refused: ``elsewhere``, ``not_consented``, ``not_equipped``.
        """
        return self._write(assignments.current_assignment, self._clock(), annotator_id)

    def upcoming(self, annotator_id: str) -> Assignment | None:
        """Return the assignment after the current one, so that its clips can be loaded; None = there is none yet.

        Raises:
            Refused: ``elsewhere``, ``not_consented``, ``not_equipped``.
        """
        return self._write(assignments.prefetch_assignment, self._clock(), annotator_id)

    def assignment(self, assignment_id: str, annotator_id: str) -> Assignment:
        """Return an assignment of this annotator; any other raises ``Refused`` with ``unknown_assignment``."""
        return self._read(assignments.load_assignment, self.settings, assignment_id, annotator_id)

    def played(self, assignment_id: str, annotator_id: str, slot: str, what: Literal["started", "ended"]) -> None:
        """Record that a clip has started from its beginning, or has played to its end.

        A start stops every other clip of this annotator, unheard: two clips played at once do not count as heard.

        Raises:
            Refused: ``unknown_assignment``, ``unknown_slot``, ``not_started``, ``too_early`` (with ``wait_s``),
                ``no_plays_left``, ``answered``, ``expired``, ``failed``, ``excluded``.
        """
        self._write(playback.record_playback, self._clock(), assignment_id, annotator_id, slot=slot, what=what)

    def answer(self, assignment_id: str, annotator_id: str, answer: Answer) -> Receipt:
        """Store an answer, given in the order of playing; the same answer again gets the same receipt.

        Raises:
            Refused: ``unknown_assignment``, ``not_heard``, ``answered``, ``expired``, ``failed``, ``excluded``.
            DataError: the answer is not valid in the protocol.
        """
        return self._write(playback.record_answer, self._clock(), assignment_id, annotator_id, answer=answer)

    def set_closed(self, closed: bool) -> None:
        """Stop or resume assigning items; open assignments may still be answered, and votes may still be imported."""
        self._commits.write(lambda connection: item_queue.set_closed(connection, closed=closed))

    # Votes

    def import_votes(
        self,
        votes: pa.Table,
        aliases: Mapping[str, annotator_aliases.OtherPseudonyms] | None = None,
        places: Mapping[str, object] | None = None,
    ) -> int:
        """Import votes (ratings, for a protocol of one clip) and return how many are new by their id.

        All of them count, also beyond the number that the protocol needs, except those that are discarded in the table or
        whose annotator is excluded. Unknown annotators get the state ``elsewhere``.

        Args:
            votes: table of schema VOTES or RATINGS.
            aliases: annotator -> other pseudonyms of the same person, which may be stored already.
            places: vote or rating id -> its place in the file, for messages.

        Raises:
            DataError: see ``imported_votes``; nothing is imported then.
        """
        return imported_votes.import_votes(self._commits, self.settings, votes, aliases or {}, places or {})

    def resolve_aliases(self, annotator_ids: Iterable[str]) -> dict[str, str]:
        """Return alias -> annotator id, for those ids that are aliases."""
        return self._read(annotator_aliases.resolve, annotator_ids)

    def answers(self) -> pa.Table:
        """Return all answers, of the qualification test and discarded ones included, with schema ANSWERS.

        Imported votes are included if their subject has an item; their unknown values are null.
        """
        return self._read(store_queries.answers_table, self.settings.protocol)

    def votes(self) -> pa.Table:
        """Return all votes on pairs, imported and discarded ones included, with schema VOTES; answers to gold are no votes."""
        return self._read(store_queries.votes_table, self.settings)

    def ratings(self) -> pa.Table:
        """Return all ratings of samples, imported and discarded ones included, with schema RATINGS."""
        return self._read(store_queries.ratings_table, self.settings)

    def progress(self) -> ListeningProgress:
        """Return the progress of the test."""
        return self._read(store_queries.progress, self._clock())

    def version(self) -> str:
        """Return a string that changes whenever votes or progress may have changed."""
        return self._read(store_queries.version, self._clock())
