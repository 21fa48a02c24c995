"""Aliases: several pseudonyms of one imported annotator are merged into one annotator.

An earlier file may spell a name differently, or give a number where a later one gives an address. Aliases are stored, so that
every later file finds the same annotator. Merging moves the votes to the surviving annotator. If both pseudonyms voted on the
same subject, the survivor's vote stays and the other one is discarded as ``SAME``: one person has one vote.
"""

from collections.abc import Collection, Iterable, Mapping, Set
from typing import Final, Protocol

from sqlalchemy import Connection, insert, select, text, update

from annotate.people.store.annotators import add_imported_votes, by_id, set_columns
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.store_tables import aliases, annotators, note_change
from annotate.people.store.vote_counts import recount
from contracts.ids import canonical_json

SAME: Final = "same_annotator"
"""Reason of a discarded vote whose annotator has voted on the subject under another pseudonym."""

_CHUNK: Final = 500
_MOVED: Final = text("""
    UPDATE listening_assignments SET annotator_id = :survivor
    WHERE annotator_id = :other AND subject_id NOT IN (
        SELECT subject_id FROM listening_assignments WHERE annotator_id = :survivor AND state IN ('open', 'answered'))
    RETURNING subject_id""")
_DUPLICATES: Final = text("""
    UPDATE listening_assignments SET dismissed = :why WHERE annotator_id = :other RETURNING subject_id""")


class OtherPseudonyms(Protocol):
    """Other pseudonyms of one annotator.

    Attributes:
        same: certainly of the same person.
        maybe: of the same person unless another annotator has them already.
    """

    @property
    def same(self) -> Collection[str]: ...  # noqa: D102 - see the class

    @property
    def maybe(self) -> Collection[str]: ...  # noqa: D102 - see the class


def merge_aliases(connection: Connection, settings: ListeningSettings, given: Mapping[str, OtherPseudonyms]) -> None:
    """Merge the annotators that are one person, and store their aliases.

    Args:
        connection: in a transaction.
        settings: of the test.
        given: annotator -> other pseudonyms of the same person.
    """
    for who, others in sorted(given.items()):
        owners = _owners(connection, {who, *others.same, *others.maybe})
        stored = _annotators(connection, {who, *others.same, *others.maybe})
        found = {owners.get(name, name) for name in (who, *others.same) if name in owners or name in stored}
        free = {name for name in others.maybe if owners.get(name) is None or owners[name] in found}
        found |= free & (stored - owners.keys())
        survivor = _survivor(connection, found) or who
        for other in sorted(found - {survivor}):
            _merge(connection, settings, other, survivor)
        names = {who, *others.same, *free}
        _save_aliases(connection, {name: survivor for name in names if owners.get(name) != survivor})


def resolve(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """Return alias -> annotator id, for those names that are aliases."""
    wanted = sorted(set(names))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _CHUNK):
        found |= _owners(connection, set(wanted[start : start + _CHUNK]))
    return found


def _owners(connection: Connection, names: Set[str]) -> dict[str, str]:
    rows = connection.execute(select(aliases).where(aliases.c.alias.in_(sorted(names))))
    return {row.alias: row.annotator_id for row in rows}


def _annotators(connection: Connection, names: Set[str]) -> set[str]:
    chosen = select(annotators.c.annotator_id).where(annotators.c.annotator_id.in_(sorted(names)))
    return set(connection.execute(chosen).scalars())


def _survivor(connection: Connection, found: Set[str]) -> str | None:
    """Return the annotator to keep: an excluded one first, so that a new name lifts no exclusion; then an invited one."""
    people = [by_id(connection, who) for who in sorted(found)]
    stored = [person for person in people if person is not None]
    stored.sort(key=lambda person: (person.state != "excluded", person.is_imported, person.annotator_id))
    return stored[0].annotator_id if stored else None


def _merge(connection: Connection, settings: ListeningSettings, other: str, survivor: str) -> None:
    moved = connection.execute(_MOVED, {"other": other, "survivor": survivor}).scalars().all()
    duplicates = connection.execute(_DUPLICATES, {"other": other, "why": SAME}).scalars().all()
    connection.execute(update(aliases).where(aliases.c.annotator_id == other).values(annotator_id=survivor))
    set_columns(connection, other, state="excluded", before="elsewhere", reason=SAME, evidence=canonical_json({SAME: survivor}))
    add_imported_votes(connection, {survivor: len(moved)})
    for subject in sorted({*moved, *duplicates}):
        recount(connection, settings, subject, returned=False)
    note_change(connection)


def _save_aliases(connection: Connection, owner_of: Mapping[str, str]) -> None:
    for alias, who in sorted(owner_of.items()):
        if not connection.execute(update(aliases).where(aliases.c.alias == alias).values(annotator_id=who)).rowcount:
            connection.execute(insert(aliases).values(alias=alias, annotator_id=who))
