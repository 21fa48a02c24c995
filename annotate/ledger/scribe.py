"""The scribe: many asyncio tasks, one ledger.

A ledger is slow to write, because it waits for the disk, and belongs to one thread. The scribe is that thread. Everything that
is asked of it while it waits goes into its next transaction, so that a thousand requests under way need a few waits for the
disk and not two thousand. Nobody gets an answer before the transaction that it was in is durable.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, TypeVar

from annotate.judge import Refusal, Reply
from annotate.ledger.ledger import Ledger, LedgerFailed
from annotate.ledger.records import Entry

BEAT_S: Final = 15.0
"""How often the ledger learns that we are alive, at least."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Commit:
    key: str
    answer: Reply | Refusal
    done: "Future[Any]" = field(default_factory=Future)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Sent:
    key: str
    highest_usd: float
    budget_usd: float | None
    done: "Future[Any]" = field(default_factory=Future)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Work:
    """Anything else.

    Attributes:
        work: it.
        how: ``shared``: in one transaction with others; ``reading``: in none, and in any order; ``alone``: in its turn.
        done: gets its result.
    """

    work: Callable[[Ledger], Any]
    how: Literal["shared", "reading", "alone"]
    done: "Future[Any]" = field(default_factory=Future)


_Job = _Commit | _Sent | _Work


class Scribe:
    """A ledger for the tasks of one event loop. Use it as an asynchronous context manager; leaving it writes what is queued.

    Once the database fails, everybody who waits and everybody who comes later gets that error.
    """

    def __init__(self, open_ledger: Callable[[], Ledger], *, beat_s: float = BEAT_S) -> None:
        """Prepare a scribe.

        Args:
            open_ledger: opens the ledger, in the scribe's own thread.
            beat_s: longest time without a sign of life to the other users of the ledger.
        """
        self._open_ledger = open_ledger
        self._beat_s = beat_s
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._opened: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._closing = False
        self._failure: LedgerFailed | None = None
        self._thread = threading.Thread(target=self._run, name="scribe")

    async def __aenter__(self) -> Self:
        self._thread.start()
        try:
            await asyncio.shield(asyncio.wrap_future(self._opened))
        except BaseException:
            self._queue.put(None)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._queue.put(None)
        await asyncio.shield(asyncio.wrap_future(self._ended))
        self._thread.join()  # it has nothing left to do

    async def replies(self, keys: Sequence[str]) -> dict[str, Reply]:
        """See ``Ledger.replies``."""
        replies: dict[str, Reply] = await self._wait(_Work(work=lambda ledger: ledger.replies(keys), how="reading"))
        return replies

    async def claim(self, entries: Sequence[Entry]) -> list[str]:
        """See ``Ledger.claim``. Who is cancelled while waiting has claimed nothing."""
        job = _Work(work=lambda ledger: ledger.claim(entries), how="shared")
        try:
            claimed: list[str] = await self._wait(job)
        except asyncio.CancelledError:
            job.done.add_done_callback(self._unclaim)
            raise
        return claimed

    async def give_back(self, keys: Sequence[str]) -> None:
        """See ``Ledger.give_back``. It happens even if the caller is cancelled."""
        await self._wait(_Work(work=lambda ledger: ledger.give_back(keys), how="shared"), keep=True)

    async def sent(self, key: str, highest_usd: float, budget_usd: float | None) -> bool:
        """See ``Ledger.mark_sent``. Who is cancelled while waiting must not send; the price may stay booked.

        Returns:
            Whether it may leave; False: there is no money for it now.
        """
        allowed: bool = await self._wait(_Sent(key=key, highest_usd=highest_usd, budget_usd=budget_usd))
        return allowed

    async def commit(self, key: str, answer: Reply | Refusal) -> None:
        """See ``Ledger.commit``: durable when it returns. It happens even if the caller is cancelled."""
        await self._wait(_Commit(key=key, answer=answer), keep=True)

    async def call(self, work: Callable[[Ledger], T]) -> T:
        """Do something else with the ledger, in its turn and in the scribe's thread."""
        result: T = await self._wait(_Work(work=work, how="alone"))
        return result

    async def _wait(self, job: _Job, *, keep: bool = False) -> Any:
        if self._closing:
            raise RuntimeError("this scribe is closed")
        self._queue.put(job)
        waiting: asyncio.Future[Any] = asyncio.wrap_future(job.done)
        return await (asyncio.shield(waiting) if keep else waiting)

    def _unclaim(self, done: "Future[list[str]]") -> None:
        if not done.cancelled() and done.exception() is None:
            keys = done.result()
            self._queue.put(_Work(work=lambda ledger: ledger.give_back(keys), how="shared"))

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
        """Take what is queued, all of it at once, until the end of the queue."""
        jobs: list[_Job | None] = []
        beat_at = time.monotonic()
        while None not in jobs:
            jobs = self._queued(beat_at)
            together: list[_Job] = []
            for job in jobs:
                # Who was cancelled before it began has given up.
                if job is None or not job.done.set_running_or_notify_cancel():
                    continue
                if isinstance(job, _Work) and job.how == "alone":
                    self._do_together(ledger, together)
                    together = []
                    self._do(ledger, job)
                else:
                    together.append(job)
            self._do_together(ledger, together)
            if time.monotonic() >= beat_at:
                self._do(ledger, _Work(work=Ledger.beat, how="alone"))
                beat_at = time.monotonic() + self._beat_s

    def _queued(self, until: float) -> list[_Job | None]:
        """Return what is queued, in order, as soon as there is something; None is the end of the queue."""
        jobs: list[_Job | None] = []
        with contextlib.suppress(queue.Empty):
            jobs.append(self._queue.get(timeout=max(0.0, until - time.monotonic())))
            while True:
                jobs.append(self._queue.get_nowait())
        return jobs

    def _do_together(self, ledger: Ledger, jobs: Sequence[_Job]) -> None:
        """Write what is to be written in one transaction, or one by one if somebody's fault undoes that; then read."""
        reads = [job for job in jobs if isinstance(job, _Work) and job.how == "reading"]
        writes = [job for job in jobs if not (isinstance(job, _Work) and job.how == "reading")]
        if len(writes) > 1 and self._failure is None:
            try:
                results = _write(ledger, writes)
            except LedgerFailed as error:
                self._failure = error
            except Exception:  # noqa: BLE001, S110  # whose fault it is shows when they go one by one
                pass
            else:
                for job in writes:
                    job.done.set_result(results.get(job))
                writes = []
        for job in (*writes, *reads):
            self._do(ledger, job)

    def _do(self, ledger: Ledger, job: _Job) -> None:
        """Do one thing, and tell whoever waits for it."""
        if self._failure is not None:
            # An error of one's own: a shared one would collect the tracebacks of all tasks that raise it.
            job.done.set_exception(LedgerFailed(str(self._failure)))
            return
        try:
            if isinstance(job, _Work) and job.how != "shared":
                result = job.work(ledger)
            else:
                result = _write(ledger, [job]).get(job)
        except BaseException as error:  # noqa: BLE001  # belongs to whoever waits
            if isinstance(error, LedgerFailed):
                self._failure = error
            job.done.set_exception(error)
        else:
            job.done.set_result(result)


def _write(ledger: Ledger, jobs: Sequence[_Job]) -> dict[_Job, Any]:
    """Do all of that in one transaction, and return what there is to tell.

    Answers go first: they give money back that attempts may need.
    """
    results: dict[_Job, Any] = {}
    with ledger.together():
        ledger.commit([(job.key, job.answer) for job in jobs if isinstance(job, _Commit)])
        sent = [job for job in jobs if isinstance(job, _Sent)]
        for budget_usd in {job.budget_usd for job in sent}:
            alike = [job for job in sent if job.budget_usd == budget_usd]
            unpaid = set(ledger.mark_sent([(job.key, job.highest_usd) for job in alike], budget_usd))
            results |= {job: job.key not in unpaid for job in alike}
        for job in jobs:
            if isinstance(job, _Work):
                results[job] = job.work(ledger)
    return results
