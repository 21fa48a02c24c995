"""Tasks of one event loop that stop together, with blocks that a stop does not cancel."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any


class TaskGroup:
    """Tasks that stop together.

    ``asyncio.TaskGroup`` cancels every task at the first error. Here a task can be inside a block that is not cancelled,
    because its effect on the ledger must be known, or because an attempt under way is already paid for.

    Attributes:
        stopped: whether the group was stopped, so that no task starts any more.
        error: the error that stopped the group; None = no error did.
    """

    def __init__(self) -> None:
        self.stopped = False
        self.error: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._uncancellable: set[asyncio.Task[Any] | None] = set()
        self._abortable: set[asyncio.Task[Any] | None] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a task, unless the group is stopped. An error that the task raises stops the group."""
        if self.stopped:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    @contextlib.contextmanager
    def uncancellable(self) -> Iterator[None]:
        """Protect the current task from ``stop`` and ``abort`` inside this block."""
        with _member(self._uncancellable):
            yield

    @contextlib.contextmanager
    def cancelled_only_on_abort(self) -> Iterator[None]:
        """Protect the current task from ``stop``, but not from ``abort``, inside this block."""
        with _member(self._uncancellable), _member(self._abortable):
            yield

    def raise_if_stopped(self) -> None:
        """Return if the group still runs. Call it after each protected block, which a stop did not cancel.

        Raises:
            CancelledError: the group was stopped.
        """
        if self.stopped:
            raise asyncio.CancelledError

    def stop(self, error: BaseException | None = None) -> None:
        """Cancel all other tasks outside of protected blocks; the first error is kept."""
        self.error = self.error or error
        if not self.stopped:
            self.stopped = True
            for task in self._tasks - self._uncancellable - {asyncio.current_task()}:
                task.cancel()

    def abort(self) -> None:
        """Stop, and also cancel the tasks in blocks of ``cancelled_only_on_abort``."""
        self.stop()
        for task in self._tasks & self._abortable:
            task.cancel()

    async def wait(self) -> None:
        """Wait until every task has ended, including tasks started meanwhile."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.stop(error)


@contextlib.contextmanager
def _member(group: set[asyncio.Task[Any] | None]) -> Iterator[None]:
    task = asyncio.current_task()
    group.add(task)
    try:
        yield
    finally:
        group.discard(task)
