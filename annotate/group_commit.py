"""Group commit: the writes of many waiters in one transaction, so that the disk syncs once for all of them.

No job is done before its transaction is durable. If a job raises, only its own writes are undone. If the database fails, every
job of the transaction gets that failure. Who waits, and how it is woken, is for the caller to decide: threads that take turns
(``annotate.people.store.vote_writer``), or the tasks of an event loop (``annotate.models.ledger.async_writer``).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from annotate.database import DatabaseFailed


@dataclass(kw_only=True, eq=False, slots=True)
class WriteJob:
    """What one waiter wants written; a subclass says what that is.

    Attributes:
        result: what it came to.
        error: why nothing of it was written.
        done: whether its transaction has ended, in one way or the other.
    """

    result: Any = None
    error: BaseException | None = None
    done: bool = False


J = TypeVar("J", bound=WriteJob)
_Begin = Callable[[], AbstractContextManager[Any]]


def commit_together(jobs: Sequence[J], run: Callable[[Sequence[J]], None], *, transaction: _Begin, savepoint: _Begin) -> None:
    """Run jobs in one transaction, and set the result or the error of each.

    If a job raises, the transaction is rolled back and all jobs run once more, each behind a savepoint: savepoints cost two
    statements a job, and jobs seldom raise.

    Args:
        jobs: what to write.
        run: writes some of them, sets their results, and may merge what they write. It may be called twice for a job.
        transaction: begins a transaction, which is durable when the context ends.
        savepoint: begins a part of the transaction that is undone alone if it raises.

    Raises:
        DatabaseFailed: the database fails; nothing has been written, and each job has an error of this kind.
        BaseException: an interrupt; likewise.
    """
    try:
        _run_together(jobs, run, transaction, savepoint)
    except BaseException as error:
        message = str(error) if isinstance(error, DatabaseFailed) else "writing was broken off; ask again"
        for job in jobs:
            job.error = DatabaseFailed(message)  # one each: a shared one would collect the tracebacks of all waiters
        raise
    finally:
        for job in jobs:
            job.done = True


def _run_together(jobs: Sequence[J], run: Callable[[Sequence[J]], None], transaction: _Begin, savepoint: _Begin) -> None:
    try:
        with transaction():
            run(jobs)
        return
    except DatabaseFailed:
        raise
    except Exception as error:  # noqa: BLE001  # belongs to whoever waits for the job
        if len(jobs) == 1:
            jobs[0].error = error
            return
    with transaction():
        for job in jobs:
            try:
                with savepoint():
                    run([job])
            except (DatabaseFailed, SQLAlchemyError):  # the database's own failure concerns all jobs
                raise
            except Exception as error:  # noqa: BLE001  # as above
                job.error = error
