"""How the tables of a listening test come to be, and how a changed recipe meets a test that has begun."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, inspect, select, update

from annotate.database_identity import Known, read_identity, require_no_less, require_same
from annotate.people.store.counting import SURPLUS, recount
from annotate.people.store.store_tables import (
    METADATA,
    VERSION,
    annotators,
    assignments,
    identity,
    items,
    note_change,
    state,
)
from annotate.people.store.terms import Terms
from annotate.people.store.vote_writer import Commits
from contracts.errors import StorageError


@dataclass(frozen=True, kw_only=True)
class _Test:
    """What a test was begun with."""

    version: int
    protocol: str
    settings: str


def prepare(commits: Commits, terms: Terms, known: Known | None = None) -> None:
    """Make the tables where there are none, and bring those of a test that has begun in line with the terms.

    Raises:
        OtherDatabase: it is not the test that is known, or holds less.
        StorageError: a newer version of this software wrote them, they belong to a test of another protocol or name or hold
            answers to other questions, or the database fails.
    """
    if known is not None:
        told = {"what": "listening test", "name": "listening", "where": commits.where}
        with commits.reading() as connection:
            require_same(known, read_identity(connection, identity), **told)
            require_no_less(known, held(connection), **told)
    with commits.reading() as connection:  # a look first, as opening need not wait for those who write
        found = _begun_with(connection)
    if found is None:
        found = commits.write(lambda connection: _begun_with(connection) or _create(connection, terms))
    if found.version > VERSION:
        raise StorageError(
            f"{commits.where} is a listening test of version {found.version}, this software reads {VERSION}: update it"
        )
    if found.protocol != terms.protocol_name:
        raise StorageError(
            f"{commits.where} is a listening test of protocol {found.protocol}, the recipe says {terms.protocol_name}: "
            "move the file away or name another database to begin a new test"
        )
    if (known := json.loads(found.settings)[3]) and terms.test and known != terms.test:
        raise StorageError(
            f"{commits.where} is the listening test {known!r}, not {terms.test!r}, which would take its items back: "
            "name another database"
        )
    if _form(found.settings) != _form(terms.settings) and _is_answered(commits):
        raise StorageError(
            f"{commits.where} holds answers to other questions ({_form(found.settings)}) than the recipe's protocol asks "
            f"({_form(terms.settings)}): take that back, or move the file away or name another database to begin a new test"
        )
    if found.version < VERSION:
        commits.write(lambda connection: _migrate(connection, terms))
    if found.settings != terms.settings:
        commits.write(lambda connection: _adopt(connection, terms))


def held(connection: Connection) -> dict[str, int]:
    """Return how much there is, in numbers that only grow: answers, imported ones too, and people."""
    return {
        "answers": connection.execute(select(state.c.answers)).scalar_one(),
        "people": connection.execute(select(func.count()).select_from(annotators)).scalar_one(),
    }


def _begun_with(connection: Connection) -> _Test | None:
    if not inspect(connection).has_table(state.name):
        return None
    row = connection.execute(select(state.c.version, state.c.protocol, state.c.settings)).one()
    return _Test(version=row.version, protocol=row.protocol, settings=row.settings)


def _form(settings: str) -> str:
    """Return what is asked, as people read it."""
    form = json.loads(settings)[2]
    return "; ".join(f"{name}: {options[0]} to {options[-1]}" for name, *options in form)


def _is_answered(commits: Commits) -> bool:
    answered = select(assignments.c.answer_id).where(assignments.c.state == "answered").limit(1)
    with commits.reading() as connection:
        return connection.execute(answered).first() is not None


def _create(connection: Connection, terms: Terms) -> _Test:
    METADATA.create_all(connection)
    test = _Test(version=VERSION, protocol=terms.protocol_name, settings=terms.settings)
    connection.execute(insert(state).values(version=test.version, protocol=test.protocol, settings=test.settings))
    return test


def _migrate(connection: Connection, terms: Terms) -> None:
    """Bring a test of version 1 up to date: what it lacks, and imported votes count beyond those that the app asks for."""
    if connection.execute(select(state.c.version)).scalar_one() == VERSION:  # somebody else was faster
        return
    METADATA.create_all(connection)
    connection.exec_driver_sql("ALTER TABLE listening_state ADD COLUMN closed BOOLEAN NOT NULL DEFAULT FALSE")
    connection.exec_driver_sql("ALTER TABLE listening_assignments ADD COLUMN aggregated BOOLEAN")
    more = select(assignments.c.subject_id).where(assignments.c.item_id.is_(None), assignments.c.discarded == SURPLUS)
    subjects = connection.execute(more.distinct()).scalars().all()
    for subject in sorted(subjects):
        recount(connection, terms, subject, returned=False)
    connection.execute(update(state).values(version=VERSION))
    if subjects:
        note_change(connection)


def _adopt(connection: Connection, terms: Terms) -> None:
    """Go by other terms from now on: who understands what, and how many votes an item needs."""
    connection.execute(update(annotators).values(looked=0))
    connection.execute(update(items).where(items.c.queued == 0).values(wanted=terms.protocol.wanted(())))
    for subject in connection.execute(select(assignments.c.subject_id).distinct()).scalars().all():
        recount(connection, terms, subject, returned=True)
    connection.execute(update(state).values(settings=terms.settings))
    note_change(connection)
