"""The tasks of one event loop that work together, and how they come to rest: some may be cut short, some must not."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any


class Crew:
    """Tasks that stop together.

    Attributes:
        stopped: whether nothing new should begin.
        error: what stopped them; None = nothing did, or they were merely told to.
    """

    def __init__(self) -> None:
        self.stopped = False
        self.error: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._firm: set[asyncio.Task[Any] | None] = set()
        self._patient: set[asyncio.Task[Any] | None] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a task, unless all are stopped; an error that escapes it stops all."""
        if self.stopped:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    @contextlib.contextmanager
    def firmly(self) -> Iterator[None]:
        """Never cut the current task short inside this block: what it does in the ledger must be known."""
        with _member(self._firm):
            yield

    @contextlib.contextmanager
    def patiently(self) -> Iterator[None]:
        """Let the current task finish this block when all are stopped, but not when they are cut off."""
        with _member(self._firm), _member(self._patient):
            yield

    def go_on(self) -> None:
        """Return if there is reason to go on; to be asked after each block that could not be cut short.

        Raises:
            CancelledError: all were stopped meanwhile.
        """
        if self.stopped:
            raise asyncio.CancelledError

    def stop(self, error: BaseException | None = None) -> None:
        """Stop all other tasks but those that must not be cut short; the first error is kept."""
        self.error = self.error or error
        if not self.stopped:
            self.stopped = True
            for task in self._tasks - self._firm - {asyncio.current_task()}:
                task.cancel()

    def cut_off(self) -> None:
        """Stop, and wait for the patient ones no longer."""
        self.stop()
        for task in self._tasks & self._patient:
            task.cancel()

    async def rest(self) -> None:
        """Wait until every task has ended, and those begun meanwhile."""
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
