"""The scribe: many asyncio tasks, one ledger.

A ledger is slow to write, because it waits for the disk, and belongs to one thread. The scribe is that thread. Everything that
is asked of it while it waits goes into its next transaction, so that a thousand requests under way need a few waits for the
disk and not two thousand. Nobody gets an answer before the transaction that it was in is durable, and all of its answers wake
the event loop once: each wake-up is a system call and a change of threads.
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

from annotate.models.judge import Refusal, Reply
from annotate.models.ledger.entries import Entry
from annotate.models.ledger.ledger import Ledger, LedgerFailed

BEAT_S: Final = 15.0
"""How often the ledger learns that we are alive, at least."""

T = TypeVar("T")


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Commit:
    key: str
    answer: Reply | Refusal
    done: "asyncio.Future[Any]" = field(default_factory=_future)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Sent:
    key: str
    highest_usd: float
    budget_usd: float | None
    done: "asyncio.Future[Any]" = field(default_factory=_future)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Work:
    """Anything else.

    Attributes:
        work: it.
        how: ``shared``: in one transaction with others; ``reading``: in none, and in any order; ``alone``: in its turn.
        done: gets its result, in the event loop.
    """

    work: Callable[[Ledger], Any]
    how: Literal["shared", "reading", "alone"]
    done: "asyncio.Future[Any]" = field(default_factory=_future)


_Job = _Commit | _Sent | _Work

_Outcome = tuple[_Job, Any, BaseException | None]
"""What came of a job: its result or its error."""


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
        self._queue: queue.SimpleQueue[Sequence[_Job | None]] = queue.SimpleQueue()
        self._gathered: list[_Job | None] = []  # in this turn of the event loop
        self._opened: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._closing = False
        self._failure: LedgerFailed | None = None
        self._thread = threading.Thread(target=self._run, name="scribe")

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
        self._thread.join()  # it has nothing left to do

    async def replies(self, keys: Sequence[str]) -> dict[str, Reply]:
        """See ``Ledger.replies``."""
        replies: dict[str, Reply] = await self._wait(_Work(work=lambda ledger: ledger.replies(keys), how="reading"))
        return replies

    async def claim(self, entries: Sequence[Entry]) -> list[str]:
        """See ``Ledger.claim``. Who is cancelled while waiting has claimed nothing."""
        job = _Work(work=lambda ledger: ledger.claim(entries), how="shared")
        try:
            claimed: list[str] = await self._wait(job, keep=True)
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
        self._put(job)
        return await (asyncio.shield(job.done) if keep else job.done)

    def _unclaim(self, done: "asyncio.Future[list[str]]") -> None:
        if done.exception() is None:
            keys = done.result()
            self._put(_Work(work=lambda ledger: ledger.give_back(keys), how="shared"))

    def _put(self, job: _Job | None) -> None:
        """Queue a job, with all others of this turn of the event loop: its thread wakes for them once."""
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(job)

    def _hand_over(self) -> None:
        self._queue.put(self._gathered)
        self._gathered = []

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
                if job is None or job.done.cancelled():
                    continue
                if isinstance(job, _Work) and job.how == "alone":
                    self._do_together(ledger, together)
                    together = []
                    self._report([self._do(ledger, job)])
                else:
                    together.append(job)
            self._do_together(ledger, together)
            if time.monotonic() >= beat_at:
                self._try(ledger.beat)
                beat_at = time.monotonic() + self._beat_s

    def _report(self, outcomes: Sequence[_Outcome]) -> None:
        """Tell the event loop what came of jobs, all of them at once."""
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to hear it
            self._loop.call_soon_threadsafe(_resolve, outcomes)

    def _queued(self, until: float) -> list[_Job | None]:
        """Return what is queued, in order, as soon as there is something; None is the end of the queue."""
        jobs: list[_Job | None] = []
        with contextlib.suppress(queue.Empty):
            jobs += self._queue.get(timeout=max(0.0, until - time.monotonic()))
            while True:
                jobs += self._queue.get_nowait()
        return jobs

    def _do_together(self, ledger: Ledger, jobs: Sequence[_Job]) -> None:
        """Write what is to be written in one transaction, or one by one if somebody's fault undoes that; then read."""
        if not jobs:
            return
        reads = [job for job in jobs if isinstance(job, _Work) and job.how == "reading"]
        writes = [job for job in jobs if not (isinstance(job, _Work) and job.how == "reading")]
        outcomes: list[_Outcome] = []
        if len(writes) > 1 and self._failure is None:
            try:
                results = _write(ledger, writes)
            except LedgerFailed as error:
                self._failure = error
            except Exception:  # noqa: BLE001, S110  # whose fault it is shows when they go one by one
                pass
            else:
                outcomes, writes = [(job, results.get(job), None) for job in writes], []
        self._report([*outcomes, *(self._do(ledger, job) for job in (*writes, *reads))])

    def _do(self, ledger: Ledger, job: _Job) -> _Outcome:
        """Do one thing, and return what came of it."""
        if isinstance(job, _Work) and job.how != "shared":
            return job, *self._try(lambda: job.work(ledger))
        return job, *self._try(lambda: _write(ledger, [job]).get(job))

    def _try(self, work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
        """Return its result, or its error."""
        if self._failure is not None:
            # An error of one's own: a shared one would collect the tracebacks of all tasks that raise it.
            return None, LedgerFailed(str(self._failure))
        try:
            return work(), None
        except BaseException as error:  # noqa: BLE001  # belongs to whoever waits
            if isinstance(error, LedgerFailed):
                self._failure = error
            return None, error


def _resolve(outcomes: Sequence[_Outcome]) -> None:
    """Wake whoever waits for these jobs and has not been cancelled; in the event loop."""
    for job, result, error in outcomes:
        if job.done.done():
            continue
        if error is None:
            job.done.set_result(result)
        else:
            job.done.set_exception(error)


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
