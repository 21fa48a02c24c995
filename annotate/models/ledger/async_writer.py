"""The ledger writer: one thread that writes to a ledger for many asyncio tasks.

A ledger waits for the disk at every commit, and belongs to one thread. What tasks queue while one transaction is under way goes
into the next one, so that a thousand requests in flight need a few disk syncs and not two thousand. No task gets a result
before its transaction is durable. The jobs of one turn of the event loop wake the thread once, and their results wake the event
loop once: each wake-up is a system call and a change of threads.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Self, TypeVar

from annotate.database import DatabaseFailed
from annotate.group_commit import WriteJob, commit_together
from annotate.models.ledger.entries import Entry
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import Refusal, Reply

HEARTBEAT_S: Final = 15.0
"""Longest time between two extensions of the owner's lease."""

T = TypeVar("T")


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


@dataclass(kw_only=True, eq=False, slots=True)
class _Commit(WriteJob):
    """An answer to commit; those of one transaction are merged."""

    key: str
    answer: Reply | Refusal
    future: "asyncio.Future[Any]" = field(default_factory=_future)


@dataclass(kw_only=True, eq=False, slots=True)
class _Attempt(WriteJob):
    """An attempt to record before it is sent; those of one transaction are merged."""

    key: str
    highest_usd: float
    budget_usd: float | None
    future: "asyncio.Future[Any]" = field(default_factory=_future)


@dataclass(kw_only=True, eq=False, slots=True)
class _Call(WriteJob):
    """Anything else.

    Attributes:
        work: what is done with the ledger.
        reads: whether it only reads, and needs no transaction.
        future: gets the result, in the event loop.
    """

    work: Callable[[Ledger], Any]
    reads: bool = False
    future: "asyncio.Future[Any]" = field(default_factory=_future)


_Queued = _Commit | _Attempt | _Call


class LedgerWriter:
    """A ledger for the tasks of one event loop. Use it as an asynchronous context manager; leaving it writes what is queued.

    Once the database fails, every waiting task and every later one gets that error.
    """

    def __init__(self, open_ledger: Callable[[], Ledger], *, heartbeat_s: float = HEARTBEAT_S) -> None:
        """Prepare a writer.

        Args:
            open_ledger: opens the ledger, in the writer's own thread.
            heartbeat_s: longest time between two extensions of the owner's lease.
        """
        self._open_ledger = open_ledger
        self._heartbeat_s = heartbeat_s
        self._queue: queue.SimpleQueue[Sequence[_Queued | None]] = queue.SimpleQueue()
        self._gathered: list[_Queued | None] = []  # in this turn of the event loop
        self._opened: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._closing = False
        self._failure: DatabaseFailed | None = None
        self._thread = threading.Thread(target=self._run, name="ledger-writer")

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        try:
            await asyncio.shield(asyncio.wrap_future(self._opened))
        except BaseException:
            self._put(None)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._put(None)
        await asyncio.shield(asyncio.wrap_future(self._ended))
        self._thread.join()  # the thread has nothing left to do

    async def replies(self, keys: Sequence[str]) -> dict[str, Reply]:
        """See ``Ledger.replies``."""
        return await self.read(lambda ledger: ledger.replies(keys))

    async def claim(self, entries: Sequence[Entry]) -> list[str]:
        """See ``Ledger.claim``. A task that is cancelled while waiting has claimed nothing."""
        call = _Call(work=lambda ledger: ledger.claim(entries))
        try:
            claimed: list[str] = await self._wait(call, keep=True)
        except asyncio.CancelledError:
            call.future.add_done_callback(self._unclaim)
            raise
        return claimed

    async def release(self, keys: Sequence[str]) -> None:
        """See ``Ledger.release``. It happens even if the task is cancelled."""
        await self._wait(_Call(work=lambda ledger: ledger.release(keys)), keep=True)

    async def mark_sent(self, key: str, highest_usd: float, budget_usd: float | None) -> bool:
        """See ``Ledger.mark_sent``. A task that is cancelled while waiting must not send; the price may stay booked.

        Returns:
            Whether the request may be sent; False: the budget does not allow it now.
        """
        allowed: bool = await self._wait(_Attempt(key=key, highest_usd=highest_usd, budget_usd=budget_usd))
        return allowed

    async def commit(self, key: str, answer: Reply | Refusal) -> None:
        """See ``Ledger.commit``: durable when it returns. It happens even if the task is cancelled."""
        await self._wait(_Commit(key=key, answer=answer), keep=True)

    async def call(self, work: Callable[[Ledger], T]) -> T:
        """Write something else, in the writer's thread and in one transaction with others. It may run twice."""
        result: T = await self._wait(_Call(work=work))
        return result

    async def read(self, work: Callable[[Ledger], T]) -> T:
        """Read something, in the writer's thread."""
        result: T = await self._wait(_Call(work=work, reads=True))
        return result

    async def _wait(self, job: _Queued, *, keep: bool = False) -> Any:
        if self._closing:
            raise RuntimeError("this ledger writer is closed")
        self._put(job)
        return await (asyncio.shield(job.future) if keep else job.future)

    def _unclaim(self, future: "asyncio.Future[list[str]]") -> None:
        if future.exception() is None:
            keys = future.result()
            self._put(_Call(work=lambda ledger: ledger.release(keys)))

    def _put(self, job: _Queued | None) -> None:
        """Queue a job with all others of this turn of the event loop; None ends the queue."""
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(job)

    def _hand_over(self) -> None:
        self._queue.put(self._gathered)
        self._gathered = []

    # In the writer's thread.

    def _run(self) -> None:
        try:
            ledger = self._open_ledger()
        except BaseException as error:  # noqa: BLE001  # belongs to whoever waits for the opening
            self._opened.set_exception(error)
        else:
            with ledger:
                self._opened.set_result(None)
                self._serve(ledger)
        finally:
            self._ended.set_result(None)

    def _serve(self, ledger: Ledger) -> None:
        """Do what is queued, all of it at once, until the end of the queue."""
        queued: list[_Queued | None] = []
        heartbeat_at = time.monotonic()
        while None not in queued:
            queued = self._next(heartbeat_at)
            # A task that was cancelled before its job began has given it up.
            jobs = [job for job in queued if job is not None and not job.future.cancelled()]
            writes = [job for job in jobs if not (isinstance(job, _Call) and job.reads)]
            reads = [job for job in jobs if isinstance(job, _Call) and job.reads]
            if writes:
                write = partial(commit_together, writes, partial(_write, ledger))
                self._try(partial(write, transaction=ledger.together, savepoint=ledger.savepoint), writes)
            for job in reads:
                self._try(partial(_read, ledger, job), [job])
            if jobs:
                with contextlib.suppress(RuntimeError):  # the loop has ended: no task is left to wait
                    self._loop.call_soon_threadsafe(_resolve, jobs)
            if time.monotonic() >= heartbeat_at:
                self._try(ledger.extend_lease, [])
                heartbeat_at = time.monotonic() + self._heartbeat_s

    def _next(self, until: float) -> list[_Queued | None]:
        """Return what is queued, in order, as soon as there is something."""
        jobs: list[_Queued | None] = []
        with contextlib.suppress(queue.Empty):
            jobs += self._queue.get(timeout=max(0.0, until - time.monotonic()))
            while True:
                jobs += self._queue.get_nowait()
        return jobs

    def _try(self, work: Callable[[], None], jobs: Sequence[WriteJob]) -> None:
        """Do some jobs; once the database fails, these and all later ones get that error."""
        if self._failure is None:
            try:
                return work()
            except DatabaseFailed as error:
                self._failure = error
            except BaseException as error:  # noqa: BLE001  # belongs to whoever waits
                for job in jobs:
                    job.error = error
                return None
        for job in jobs:
            job.error = DatabaseFailed(str(self._failure))
        return None


def _write(ledger: Ledger, jobs: Sequence[_Queued]) -> None:
    """Write jobs inside a transaction. Answers go first: they release budget that attempts may need."""
    ledger.commit([(job.key, job.answer) for job in jobs if isinstance(job, _Commit)])
    attempts = [job for job in jobs if isinstance(job, _Attempt)]
    for budget_usd in {job.budget_usd for job in attempts}:
        alike = [job for job in attempts if job.budget_usd == budget_usd]
        unpaid = set(ledger.mark_sent([(job.key, job.highest_usd) for job in alike], budget_usd))
        for job in alike:
            job.result = job.key not in unpaid
    for call in jobs:
        if isinstance(call, _Call):
            call.result = call.work(ledger)


def _read(ledger: Ledger, call: _Call) -> None:
    call.result = call.work(ledger)


def _resolve(jobs: Sequence[_Queued]) -> None:
    """Wake every task that waits for one of these jobs and has not been cancelled; in the event loop."""
    for job in jobs:
        if job.future.done():
            continue
        if job.error is None:
            job.future.set_result(job.result)
        else:
            job.future.set_exception(job.error)
