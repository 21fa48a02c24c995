"""The store of a listening test: items, annotators, who hears what, and what they said.

Every rule is written down where it is applied: ``queue`` who gets what, ``counting`` which votes count, ``hearing`` what has
to be heard, ``people`` who takes part. Here they are put into transactions, one at a time over all threads and processes.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, Self

import pyarrow as pa

from annotate.database_identity import Known, make_identity, read_identity
from annotate.people.store import annotators, as_tables, assignments, imported_votes, item_queue, playback, same_person
from annotate.people.store.item import Answer, Item
from annotate.people.store.opening import held, prepare
from annotate.people.store.store_records import Annotator, Assignment, Finished, Progress, Receipt, Refused, Share
from annotate.people.store.store_tables import identity
from annotate.people.store.terms import Terms
from annotate.people.store.vote_writer import Commits
from contracts.clocks import steady_time

__all__ = ["Annotator", "Assignment", "Finished", "Progress", "Receipt", "Refused", "Share", "Store"]

_CHUNK: Final = 500


class Store:
    """A listening test, for any number of threads and processes. What a method has returned from is on disk.

    Every method raises ``DatabaseFailed`` where the database fails; nothing has happened then, and asking again is safe.

    Attributes:
        terms: of the test.
        identity: random text that tells it from every other test.
    """

    def __init__(
        self,
        where: str | os.PathLike[str],
        terms: Terms,
        *,
        clock: Callable[[], float] = steady_time,
        known: Known | None = None,
    ) -> None:
        """Open a test, or begin one.

        Args:
            where: path of a SQLite file, or a postgresql:// URL of a database that holds one test.
            terms: of the test.
            clock: seconds since 1970, of the server; a step of it would end leases, or let no clip be heard to its end.
            known: the test that it has to be; None = any, or a new one.

        Raises:
            OtherDatabase: it is not the test that is known, or holds less.
            StorageError: it cannot be opened, or is a test of another protocol or of a newer version.
        """
        self.terms = terms
        self._clock = clock
        self._commits = Commits(where)
        try:
            prepare(self._commits, terms, known)
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

    @property
    def where(self) -> str:
        """Path or URL, without its password."""
        return self._commits.where

    def held(self) -> dict[str, int]:
        """Return how much there is, in numbers that only grow: answers and people."""
        with self._commits.reading() as connection:
            return held(connection)

    # Items

    def add_items(self, items: Iterable[Item]) -> int:
        """Put items in, those that are known once only; return how many are new.

        A withdrawn item is handed out again. An ordinary item takes the place of the former one of its subject.

        Raises:
            DataError: an item with other clips, languages or gold values than the terms allow.
        """
        return item_queue.add_items(self._commits, self.terms, items)

    def withdraw(self, item_ids: Iterable[str]) -> None:
        """Hand these items out no more; their answers stay, and whoever is at one may answer it.

        Raises:
            Refused: ``unknown_item``.
        """
        ids = list(item_ids)
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            self._commits.write(lambda connection, chunk=chunk: item_queue.withdraw(connection, self.terms, chunk))  # type: ignore[misc]

    def make_gold(self, item_id: str, values: Sequence[str]) -> None:
        """Make an item gold, with the values that are right; its votes count no more.

        Raises:
            Refused: ``unknown_item``, ``unknown_value``.
        """
        self._commits.write(lambda connection: item_queue.make_gold(connection, self.terms, item_id, values))

    def unmake_gold(self, item_id: str) -> None:
        """Make an item an ordinary one again; what was answered of it as gold does not become a vote.

        Raises:
            Refused: ``unknown_item``.
        """
        self._commits.write(lambda connection: item_queue.unmake_gold(connection, self.terms, item_id))

    def items(self) -> list[Item]:
        """Return all items that have not been withdrawn, with their gold values, by id."""
        with self._commits.reading() as connection:
            return as_tables.all_items(connection)

    # Annotators

    def invite(self, name: str, levels: Mapping[str, str]) -> Annotator:
        """Return the annotator of this name: a new one, or the known one of this name in any spelling, with these levels.

        Args:
            name: who it is, different from all others.
            levels: language -> level, of ``terms.LEVELS``; a language that is not named is not known.

        Raises:
            DataError: no name, one kept for imported votes (``annotators.ELSEWHERE``), or a level that is not known.
        """
        return self._commits.write(lambda connection: annotators.invite(connection, name, levels))

    def annotator(self, annotator_id: str) -> Annotator | None:
        """Return an annotator, also one of imported votes; None = nobody is known under this id."""
        with self._commits.reading() as connection:
            return annotators.known(connection, annotator_id)

    def named(self, name: str) -> Annotator | None:
        """Return the annotator of a name in any spelling; None = nobody has it.

        Raises:
            DataError: several have such a name, and none exactly this one.
        """
        with self._commits.reading() as connection:
            return annotators.named(connection, name)

    def revoked(self, holder: str) -> int:
        """Return how often the links and sessions of an annotator id, or of ``annotators.ADMIN``, were revoked."""
        with self._commits.reading() as connection:
            return annotators.revoked(connection, holder)

    def revoke(self, holder: str) -> int:
        """Make all links and sessions of an annotator id, or of ``annotators.ADMIN``, void at once; return the new number."""
        return self._commits.write(lambda connection: annotators.revoke(connection, holder))

    def annotators(self) -> list[Annotator]:
        """Return all annotators, those of imported votes too, by name."""
        with self._commits.reading() as connection:
            return annotators.everyone(connection)

    def consent(self, annotator_id: str) -> None:
        """Note that an annotator has consented; again is nothing new.

        Raises:
            Refused: ``unknown_annotator``, ``elsewhere``, ``excluded``.
        """
        self._commits.write(lambda connection: annotators.consent(connection, annotator_id))

    def equip(self, annotator_id: str) -> None:
        """Note that headphones and environment are fine; again is nothing new.

        Raises:
            Refused: ``unknown_annotator``, ``elsewhere``, ``excluded``, ``not_consented``.
        """
        self._commits.write(lambda connection: annotators.equip(connection, self.terms, annotator_id))

    def exclude(self, annotator_id: str, rule: str, evidence: Mapping[str, Any]) -> None:
        """Discard all ordinary answers of an annotator, without deleting any, and have them given again by others.

        Nothing happens to one who is excluded already or was pardoned, unless the rule is ``annotators.ADMIN``.

        Args:
            annotator_id: who.
            rule: why, in one word; it becomes ``discarded`` of the votes.
            evidence: the numbers, JSON-ready.

        Raises:
            Refused: ``unknown_annotator``.
        """
        self._commits.write(lambda connection: annotators.exclude(connection, self.terms, annotator_id, rule, evidence))

    def pardon(self, annotator_id: str) -> None:
        """Let an annotator who was excluded or failed take part again, out of reach of the rules.

        The answers count again in the order in which they were given; where that makes others superfluous, those become
        ``surplus``.

        Raises:
            Refused: ``unknown_annotator``.
        """
        self._commits.write(lambda connection: annotators.pardon(connection, self.terms, annotator_id))

    # Listening

    def next(self, annotator_id: str) -> Assignment | Finished:
        """Return the item that an annotator is at: the same until it is answered or its lease is over.

        Raises:
            Refused: ``unknown_annotator``, ``elsewhere``, ``not_consented``, ``not_equipped``.
        """
        return self._commits.write(lambda connection: assignments.current(connection, self.terms, self._clock(), annotator_id))

    def upcoming(self, annotator_id: str) -> Assignment | None:
        """Return the item after the present one, so that it can be loaded; None = there is none yet.

        Raises:
            Refused: ``unknown_annotator``, ``elsewhere``, ``not_consented``, ``not_equipped``.
        """
        return self._commits.write(lambda connection: assignments.ahead(connection, self.terms, self._clock(), annotator_id))

    def assignment(self, assignment_id: str, annotator_id: str) -> Assignment:
        """Return an assignment of this annotator.

        Raises:
            Refused: ``unknown_assignment``, also if it is somebody else's.
        """
        with self._commits.reading() as connection:
            return assignments.load(connection, self.terms, assignment_id, annotator_id)

    def played(self, assignment_id: str, annotator_id: str, slot: str, what: Literal["started", "ended"]) -> None:
        """Note that a clip began to play from its beginning, or has played to its end.

        One that begins ends every other one of this annotator, unheard: two at the same time are not heard at all.

        Raises:
            Refused: ``unknown_assignment``, ``unknown_slot``, ``not_started``, ``too_early`` (with ``wait_s``),
                ``no_plays_left`` (one that was never heard to its end may always be started), ``answered``, ``expired``,
                ``failed``, ``excluded``.
        """
        self._commits.write(
            lambda connection: playback.played(
                connection, self.terms, self._clock(), assignment_id, annotator_id, slot=slot, what=what
            )
        )

    def answer(self, assignment_id: str, annotator_id: str, answer: Answer) -> Receipt:
        """Keep an answer, given in the order of playing; the same one again gets the same receipt.

        Raises:
            Refused: ``unknown_assignment``, ``not_heard``, ``answered``, ``expired``, ``failed``, ``excluded``.
            DataError: no answer of the protocol.
        """
        return self._commits.write(
            lambda connection: playback.answer(connection, self.terms, self._clock(), assignment_id, annotator_id, said=answer)
        )

    def set_closed(self, closed: bool) -> None:
        """Ask nobody any more, or ask again; who is at an item may answer it, and votes are taken in as ever."""
        self._commits.write(lambda connection: item_queue.set_closed(connection, closed=closed))

    # Votes

    def take_in(
        self,
        votes: pa.Table,
        aliases: Mapping[str, same_person.Known] | None = None,
        places: Mapping[str, object] | None = None,
    ) -> int:
        """Keep votes or ratings that were collected elsewhere; return how many are new by their id.

        They all count, also beyond what the protocol asks for. Those that are discarded already never count. Annotators who
        are not known yet become ``elsewhere``; the votes of one who is excluded count nothing.

        Args:
            votes: table of schema VOTES, or RATINGS for a protocol of one clip.
            aliases: annotator -> other pseudonyms of the same person; whoever is known under one of them stays that one.
            places: vote or rating id -> where it stands in its file, for messages.

        Raises:
            DataError: no table of votes (of ratings, for a protocol of one clip), a vote of another protocol, or one of an
                annotator who has voted on the same subject before, otherwise or under another id; nothing is taken in then.
        """
        rows, known = imported_votes.read_rows(self.terms, votes), dict(aliases or {})
        if known:
            self._commits.write(lambda connection: same_person.unite(connection, self.terms, known))
        with self._commits.reading() as connection:
            owners = same_person.persons(connection, (row["annotator_id"] for row in rows))
            others = {who: (*names.same, *names.maybe) for who, names in known.items()}
            rows = imported_votes.by_person(self.terms, rows, owners, others, places or {})
            imported_votes.check_known(connection, rows)
        chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
        return sum(
            self._commits.write(lambda connection, chunk=chunk: imported_votes.take_in(connection, self.terms, chunk))  # type: ignore[misc]
            for chunk in chunks
        )

    def known_as(self, annotator_ids: Iterable[str]) -> dict[str, str]:
        """Return pseudonym -> annotator, of those pseudonyms that belong to an annotator of another one."""
        with self._commits.reading() as connection:
            return same_person.persons(connection, annotator_ids)

    def answers(self) -> pa.Table:
        """Return all answers, with schema ANSWERS: also of the qualification test, and discarded ones.

        Imported votes are among them if their subject has an item here; what is not known of them is null.
        """
        with self._commits.reading() as connection:
            return as_tables.answers_table(connection, self.terms.protocol)

    def votes(self) -> pa.Table:
        """Return all votes on pairs, imported ones and discarded ones included, with schema VOTES; gold is no vote."""
        with self._commits.reading() as connection:
            return as_tables.votes_table(connection, self.terms)

    def ratings(self) -> pa.Table:
        """Return all ratings of samples, imported ones and discarded ones included, with schema RATINGS."""
        with self._commits.reading() as connection:
            return as_tables.ratings_table(connection, self.terms)

    def progress(self) -> Progress:
        """Return how far the test is."""
        with self._commits.reading() as connection:
            return as_tables.progress(connection, self._clock())

    def version(self) -> str:
        """Return a word that is another one whenever votes or progress may be."""
        with self._commits.reading() as connection:
            return as_tables.version(connection, self._clock())
