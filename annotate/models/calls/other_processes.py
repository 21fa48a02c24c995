"""Requests that another process has claimed in the same ledger: its replies are waited for and used.

If that process dies, its single requests are claimed and sent here, and its batches are adopted.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from annotate.models.calls.batch_dispatch import BatchDispatcher
from annotate.models.calls.batch_polling import PollSchedule
from annotate.models.calls.task_group import TaskGroup
from annotate.models.judge import Service
from annotate.models.ledger.async_writer import LedgerWriter
from annotate.models.ledger.entries import Entry
from annotate.models.request import Reply
from storage.blobs import BlobStore

_FIRST_POLL_S: Final = 0.05
_LONGEST_POLL_S: Final = 2.0


class OtherProcesses:
    """Polls the ledger for the replies that other processes get."""

    def __init__(
        self,
        judge: Service,
        clips: BlobStore | None,
        *,
        writer: LedgerWriter,
        task_group: TaskGroup,
        unsent: set[str],
        changed: Callable[[], None],
    ) -> None:
        """Start with nothing to wait for.

        Args:
            judge: the judge.
            clips: where the audio is.
            writer: the ledger.
            task_group: the tasks that wait.
            unsent: gets the keys that are claimed here after all.
            changed: called when there is more to wait for, and after each poll.
        """
        self._judge, self._clips = judge, clips
        self._writer, self._task_group, self._unsent, self._changed = writer, task_group, unsent, changed
        self._waiting: dict[str, tuple[Entry, asyncio.Future[Reply | None]]] = {}
        self._polling = False

    @property
    def pending(self) -> int:
        """Requests whose replies are waited for."""
        return len(self._waiting)

    async def reply(self, entry: Entry) -> Reply | None:
        """Wait for the reply to one request; None = the request is claimed here now."""
        found: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._waiting[entry.key] = entry, found
        if not self._polling:
            self._polling = True
            self._task_group.start(self._poll())
        self._changed()
        return await found

    async def _poll(self) -> None:
        """Read replies, less and less often while there are none, and claim what was given up."""
        wait_s = _FIRST_POLL_S
        async with contextlib.AsyncExitStack() as sessions:
            dispatcher: BatchDispatcher | None = None
            while self._waiting:
                replies = await self._writer.replies(list(self._waiting))
                left = [entry for key, (entry, _) in self._waiting.items() if key not in replies]
                with self._task_group.uncancellable():
                    claimed = await self._writer.claim(left)
                    self._unsent.update(claimed)
                self._task_group.raise_if_stopped()
                for key in (*replies, *claimed):
                    self._waiting.pop(key)[1].set_result(replies.get(key))
                self._changed()
                if self._waiting and self._judge.has_batches:
                    dispatcher = await self._adopt_batches(dispatcher, sessions)
                wait_s = _FIRST_POLL_S if replies or claimed else min(1.5 * wait_s, _LONGEST_POLL_S)
                await asyncio.sleep(wait_s)
            self._polling = False

    async def _adopt_batches(
        self, dispatcher: BatchDispatcher | None, sessions: contextlib.AsyncExitStack
    ) -> BatchDispatcher | None:
        """Adopt dead processes' batches that hold a request waited for, and read the results of those that ended."""
        judge, keys = self._judge, list(self._waiting)
        batches = await self._writer.call(lambda ledger: ledger.open_batches(judge.name, judge.model, wanted=keys))
        if batches and dispatcher is None:
            session = await sessions.enter_async_context(judge.open_batches(self._clips))
            dispatcher = BatchDispatcher(
                judge=judge, session=session, writer=self._writer, poll_schedule=PollSchedule(), now=time.monotonic
            )
        if dispatcher is not None:
            dispatcher.adopt([batch for batch in batches if batch.name not in dispatcher.names])
            async for _ in dispatcher.poll():
                self._changed()
        return dispatcher
