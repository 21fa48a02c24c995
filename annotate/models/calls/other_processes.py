"""Questions that another process is asking over the same ledger: its replies are ours as well, so they are waited for.

If that process dies, what it asked one by one is asked here, and what it left with the provider in a batch is taken up.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from annotate.models.calls.batch_dispatch import Dispatch
from annotate.models.calls.batch_polling import Patience
from annotate.models.calls.task_group import Crew
from annotate.models.judge import Judge, Reply
from annotate.models.ledger.async_writer import Scribe
from annotate.models.ledger.ledger import Entry
from storage.blobs import BlobStore

_FIRST_LOOK_S: Final = 0.05
_LONGEST_LOOK_S: Final = 2.0


class Elsewhere:
    """What is asked elsewhere, and waited for here; its length is how many questions that are."""

    def __init__(
        self,
        judge: Judge,
        clips: BlobStore | None,
        *,
        scribe: Scribe,
        crew: Crew,
        unsent: set[str],
        changed: Callable[[], None],
    ) -> None:
        """Start with nothing to wait for.

        Args:
            judge: who is asked.
            clips: where the audio is.
            scribe: the ledger.
            crew: the tasks that wait.
            unsent: gets the keys that are claimed here after all.
            changed: called when there is more to wait for, and after each look.
        """
        self._judge, self._clips = judge, clips
        self._scribe, self._crew, self._unsent, self._changed = scribe, crew, unsent, changed
        self._waiting: dict[str, tuple[Entry, asyncio.Future[Reply | None]]] = {}
        self._watching = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def reply(self, entry: Entry) -> Reply | None:
        """Wait for the reply to one question; None = it is now ours to ask."""
        found: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._waiting[entry.key] = entry, found
        if not self._watching:
            self._watching = True
            self._crew.begin(self._watch())
        self._changed()
        return await found

    async def _watch(self) -> None:
        """Look for replies, less and less often while there are none, and claim what was given up."""
        wait_s = _FIRST_LOOK_S
        async with contextlib.AsyncExitStack() as lines:
            dispatch: Dispatch | None = None
            while self._waiting:
                replies = await self._scribe.replies(list(self._waiting))
                left = [entry for key, (entry, _) in self._waiting.items() if key not in replies]
                with self._crew.firmly():
                    claimed = await self._scribe.claim(left)
                    self._unsent.update(claimed)
                self._crew.go_on()
                for key in (*replies, *claimed):
                    self._waiting.pop(key)[1].set_result(replies.get(key))
                self._changed()
                if self._waiting and self._judge.has_batches:
                    dispatch = await self._take_up(dispatch, lines)
                wait_s = _FIRST_LOOK_S if replies or claimed else min(1.5 * wait_s, _LONGEST_LOOK_S)
                await asyncio.sleep(wait_s)
            self._watching = False

    async def _take_up(self, dispatch: Dispatch | None, lines: contextlib.AsyncExitStack) -> Dispatch | None:
        """Adopt the batches of the dead that owe us an answer, and empty those that are over into the ledger."""
        judge, keys = self._judge, list(self._waiting)
        batches = await self._scribe.call(lambda ledger: ledger.open_batches(judge.name, judge.model, wanted=keys))
        if batches and dispatch is None:
            line = await lines.enter_async_context(judge.open_batches(self._clips))
            dispatch = Dispatch(judge=judge, line=line, scribe=self._scribe, patience=Patience(), now=time.monotonic)
        if dispatch is not None:
            dispatch.adopt([batch for batch in batches if batch.name not in dispatch.names])
            async for _ in dispatch.look():
                self._changed()
        return dispatch
