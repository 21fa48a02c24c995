"""One person, one annotator: pseudonyms of imported votes that turn out to be the same person's.

An earlier import may have known somebody under another spelling, or a program by a number where it now gives an address. What
is known of that is kept, so that every later file finds the same annotator. Votes that are here under two pseudonyms of one
person become those of one; where both are on the same subject, the first stays and the other is marked, as one person has one
vote.
"""

from collections.abc import Collection, Iterable, Mapping, Set
from typing import Any, Final, Protocol

from sqlalchemy import Connection, insert, select, text, update

from annotate.people.store.annotators import change, known, note_imported
from annotate.people.store.counting import recount
from annotate.people.store.store_tables import aliases, annotators, note_change
from annotate.people.store.terms import Terms
from contracts.ids import canonical_json

SAME: Final = "same_annotator"
"""Why a vote does not count whose annotator has voted on the subject under another pseudonym."""

_CHUNK: Final = 500
_MOVED: Final = text("""
    UPDATE listening_assignments SET annotator_id = :survivor
    WHERE annotator_id = :other AND subject_id NOT IN (
        SELECT subject_id FROM listening_assignments WHERE annotator_id = :survivor AND state IN ('open', 'answered'))
    RETURNING subject_id""")
_LEFT: Final = text("""
    UPDATE listening_assignments SET dismissed = :why WHERE annotator_id = :other RETURNING subject_id""")


class Known(Protocol):
    """Other pseudonyms of one annotator.

    Attributes:
        same: certainly the same person's.
        maybe: the same person's unless somebody else has them already.
    """

    @property
    def same(self) -> Collection[str]: ...  # noqa: D102 - see the class

    @property
    def maybe(self) -> Collection[str]: ...  # noqa: D102 - see the class


def unite(connection: Connection, terms: Terms, given: Mapping[str, Known]) -> None:
    """Make those one annotator who are one person, and remember it.

    Args:
        connection: in a transaction.
        terms: of the test.
        given: annotator -> other pseudonyms of the same person.
    """
    for who, others in sorted(given.items()):
        owners = _owners(connection, {who, *others.same, *others.maybe})
        here = _annotators(connection, {who, *others.same, *others.maybe})
        found = {owners.get(name, name) for name in (who, *others.same) if name in owners or name in here}
        free = {name for name in others.maybe if owners.get(name) is None or owners[name] in found}
        found |= free & (here - owners.keys())
        survivor = _survivor(connection, found) or who
        for other in sorted(found - {survivor}):
            _merge(connection, terms, other, survivor)
        names = {who, *others.same, *free}
        _remember(connection, {name: survivor for name in names if owners.get(name) != survivor})


def persons(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """Return pseudonym -> annotator, of those that are known as another one."""
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
    """Return who stays: one who is excluded, so that nobody is back by another name; else the first."""
    people = [known(connection, who) for who in sorted(found)]
    there = [person for person in people if person is not None]
    there.sort(key=lambda person: (person.state != "excluded", person.elsewhere, person.annotator_id))
    return there[0].annotator_id if there else None


def _merge(connection: Connection, terms: Terms, other: str, survivor: str) -> None:
    moved = connection.execute(_MOVED, {"other": other, "survivor": survivor}).scalars().all()
    left = connection.execute(_LEFT, {"other": other, "why": SAME}).scalars().all()
    connection.execute(update(aliases).where(aliases.c.annotator_id == other).values(annotator_id=survivor))
    change(connection, other, state="excluded", before="elsewhere", reason=SAME, evidence=canonical_json({SAME: survivor}))
    note_imported(connection, {survivor: len(moved)})
    for subject in sorted({*moved, *left}):
        recount(connection, terms, subject, returned=False)
    note_change(connection)


def _remember(connection: Connection, owner_of: Mapping[str, str]) -> None:
    for alias, who in sorted(owner_of.items()):
        facts: dict[str, Any] = {"annotator_id": who}
        if not connection.execute(update(aliases).where(aliases.c.alias == alias).values(**facts)).rowcount:
            connection.execute(insert(aliases).values(alias=alias, **facts))
