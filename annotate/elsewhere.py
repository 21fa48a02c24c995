"""Questions that another process is asking over the same ledger: its replies are ours as well, so they are waited for."""

import asyncio
from collections.abc import Callable
from typing import Final

from annotate.crew import Crew
from annotate.judge import Reply
from annotate.ledger import Entry
from annotate.scribe import Scribe

_FIRST_LOOK_S: Final = 0.05
_LONGEST_LOOK_S: Final = 2.0


class Elsewhere:
    """What is asked elsewhere, and waited for here; its length is how many questions that are."""

    def __init__(self, scribe: Scribe, crew: Crew, *, unsent: set[str], changed: Callable[[], None]) -> None:
        """Start with nothing to wait for.

        Args:
            scribe: the ledger.
            crew: the tasks that wait.
            unsent: gets the keys that are claimed here after all.
            changed: called when there is more to wait for, and after each look.
        """
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
            wait_s = _FIRST_LOOK_S if replies or claimed else min(1.5 * wait_s, _LONGEST_LOOK_S)
            await asyncio.sleep(wait_s)
        self._watching = False
