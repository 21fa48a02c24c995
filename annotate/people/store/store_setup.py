"""Opening the database of a listening test: tables are created, migrated, or brought in line with a changed recipe."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, inspect, select, update

from annotate.database_identity import Known, read_identity, require_no_less, require_same
from annotate.people.store.listening_settings import ListeningSettings
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
from annotate.people.store.vote_counts import SURPLUS, recount
from annotate.people.store.vote_writer import Commits
from contracts.errors import StorageError


@dataclass(frozen=True, kw_only=True)
class _StoredTest:
    """Version, protocol and settings of the stored test."""

    version: int
    protocol: str
    settings: str


def prepare(commits: Commits, settings: ListeningSettings, known: Known | None = None) -> None:
    """Create missing tables, and bring the tables of a started test in line with the settings.

    Raises:
        OtherDatabase: the database is not the known test, or holds less than it did.
        StorageError: a newer version of this software wrote the tables, they belong to a test of another protocol or name,
            they hold answers to other questions, or the database fails.
    """
    if known is not None:
        labels = {"what": "listening test", "name": "listening", "where": commits.where}
        with commits.reading() as connection:
            require_same(known, read_identity(connection, identity), **labels)
            require_no_less(known, counts(connection), **labels)
    with commits.reading() as connection:  # reads first: opening a test need not wait for writers
        found = _read_stored(connection)
    if found is None:
        found = commits.write(lambda connection: _read_stored(connection) or _create(connection, settings))
    if found.version > VERSION:
        raise StorageError(
            f"{commits.where} is a listening test of version {found.version}, this software reads {VERSION}: update it"
        )
    if found.protocol != settings.protocol_name:
        raise StorageError(
            f"{commits.where} is a listening test of protocol {found.protocol}, the recipe says {settings.protocol_name}: "
            "move the file away or name another database to begin a new test"
        )
    if (known := json.loads(found.settings)[3]) and settings.test and known != settings.test:
        raise StorageError(
            f"{commits.where} is the listening test {known!r}, not {settings.test!r}, which would take its items back: "
            "name another database"
        )
    if _form_text(found.settings) != _form_text(settings.as_json) and _has_answers(commits):
        raise StorageError(
            f"{commits.where} holds answers to other questions ({_form_text(found.settings)}) than the recipe's protocol asks "
            f"({_form_text(settings.as_json)}): take that back, or move the file away or name another database to begin a new "
            "test"
        )
    if found.version < VERSION:
        commits.write(lambda connection: _migrate(connection, settings))
    if found.settings != settings.as_json:
        commits.write(lambda connection: _apply_settings(connection, settings))


def counts(connection: Connection) -> dict[str, int]:
    """Return the numbers of answers (imported ones included) and of annotators; both only grow."""
    return {
        "answers": connection.execute(select(state.c.answers)).scalar_one(),
        "people": connection.execute(select(func.count()).select_from(annotators)).scalar_one(),
    }


def _read_stored(connection: Connection) -> _StoredTest | None:
    if not inspect(connection).has_table(state.name):
        return None
    row = connection.execute(select(state.c.version, state.c.protocol, state.c.settings)).one()
    return _StoredTest(version=row.version, protocol=row.protocol, settings=row.settings)


def _form_text(settings: str) -> str:
    """Return the questions and the ends of their scales as one line."""
    form = json.loads(settings)[2]
    return "; ".join(f"{name}: {options[0]} to {options[-1]}" for name, *options in form)


def _has_answers(commits: Commits) -> bool:
    answered = select(assignments.c.answer_id).where(assignments.c.state == "answered").limit(1)
    with commits.reading() as connection:
        return connection.execute(answered).first() is not None


def _create(connection: Connection, settings: ListeningSettings) -> _StoredTest:
    METADATA.create_all(connection)
    test = _StoredTest(version=VERSION, protocol=settings.protocol_name, settings=settings.as_json)
    connection.execute(insert(state).values(version=test.version, protocol=test.protocol, settings=test.settings))
    return test


def _migrate(connection: Connection, settings: ListeningSettings) -> None:
    """Migrate a test of version 1: add missing tables and columns, and count imported votes that were ``surplus`` before."""
    if connection.execute(select(state.c.version)).scalar_one() == VERSION:  # another process was faster
        return
    METADATA.create_all(connection)
    connection.exec_driver_sql("ALTER TABLE listening_state ADD COLUMN closed BOOLEAN NOT NULL DEFAULT FALSE")
    connection.exec_driver_sql("ALTER TABLE listening_assignments ADD COLUMN aggregated BOOLEAN")
    more = select(assignments.c.subject_id).where(assignments.c.item_id.is_(None), assignments.c.discarded == SURPLUS)
    subjects = connection.execute(more.distinct()).scalars().all()
    for subject in sorted(subjects):
        recount(connection, settings, subject, returned=False)
    connection.execute(update(state).values(version=VERSION))
    if subjects:
        note_change(connection)


def _apply_settings(connection: Connection, settings: ListeningSettings) -> None:
    """Apply changed settings: languages of annotators, and votes per item."""
    connection.execute(update(annotators).values(looked=0))
    connection.execute(update(items).where(items.c.queued == 0).values(wanted=settings.protocol.votes_needed(())))
    for subject in connection.execute(select(assignments.c.subject_id).distinct()).scalars().all():
        recount(connection, settings, subject, returned=True)
    connection.execute(update(state).values(settings=settings.as_json))
    note_change(connection)
