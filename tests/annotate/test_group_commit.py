"""One transaction for many jobs: what is undone when one raises, and who learns of a database that fails."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, text

from annotate.database import Database, DatabaseFailed
from annotate.group_commit import WriteJob, commit_together


@dataclass(kw_only=True, eq=False, slots=True)
class Write(WriteJob):
    action: Callable[[Connection], object]


def insert(name: str) -> Write:
    return Write(
        action=lambda connection: connection.execute(text("INSERT INTO names VALUES (:name)"), {"name": name}).rowcount
    )


def insert_and_raise(name: str) -> Write:
    def action(connection: Connection) -> object:
        insert(name).action(connection)
        raise ValueError(name)

    return Write(action=action)


@pytest.fixture
def database(tmp_path) -> Iterator[Database]:
    opened = Database(tmp_path / "names.sqlite")
    with opened.writing() as connection:
        connection.execute(text("CREATE TABLE names (name TEXT)"))
    yield opened
    opened.close()


def commit(database: Database, jobs: list[Write]) -> None:
    def run(some: list[Write]) -> None:
        for job in some:
            job.result = job.action(database.connection)

    commit_together(jobs, run, transaction=database.writing, savepoint=database.savepoint)


def names(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(text("SELECT name FROM names ORDER BY rowid")).scalars())


def test_all_jobs_are_written_in_one_transaction(database):
    begun = []
    plain = database.writing
    database.writing = lambda: begun.append(None) or plain()
    jobs = [insert("a"), insert("b"), insert("c")]
    commit(database, jobs)
    assert (names(database), len(begun)) == (["a", "b", "c"], 1)
    assert [(job.result, job.error, job.done) for job in jobs] == [(1, None, True)] * 3


@pytest.mark.parametrize("place", range(3))
def test_a_job_that_raises_is_undone_alone(database, place: int):
    jobs = [insert("a"), insert("b")]
    jobs.insert(place, insert_and_raise("x"))
    commit(database, jobs)
    assert names(database) == ["a", "b"]
    assert [str(job.error) for job in jobs if job.error] == ["x"]
    assert all(job.done for job in jobs)


def test_a_single_job_that_raises_writes_nothing(database):
    (job,) = jobs = [insert_and_raise("x")]
    commit(database, jobs)
    assert (names(database), str(job.error), job.done) == ([], "x", True)


def test_what_was_to_follow_a_commit_is_forgotten_with_the_job_that_raised(database):
    """An action in memory happens once for each job that was written, though all of them ran twice."""
    done = []

    def noted(job: Write) -> Write:
        def action(connection: Connection) -> object:
            database.once_durable(lambda: done.append(job))
            return job.action(connection)

        return Write(action=action)

    good, bad = insert("a"), insert_and_raise("x")
    commit(database, [noted(good), noted(bad)])
    assert done == [good]


@pytest.mark.parametrize("others", [[], [insert_and_raise("x")]])
def test_a_database_that_fails_fails_all_jobs(database, others: list[Write]):
    """Each job gets an error of its own."""
    broken = Write(action=lambda connection: connection.execute(text("INSERT INTO nowhere VALUES (1)")))
    jobs = [insert("a"), *others, broken]
    with pytest.raises(DatabaseFailed, match="nowhere"):
        commit(database, jobs)
    assert names(database) == []
    assert all(job.done and isinstance(job.error, DatabaseFailed) for job in jobs)
    assert len({id(job.error) for job in jobs}) == len(jobs)


def test_an_interrupt_fails_the_other_jobs_and_goes_on(database):
    def interrupt(_: Connection) -> object:
        raise KeyboardInterrupt

    jobs = [insert("a"), Write(action=interrupt)]
    with pytest.raises(KeyboardInterrupt):
        commit(database, jobs)
    assert (names(database), [str(job.error) for job in jobs]) == ([], ["writing was broken off; ask again"] * 2)
