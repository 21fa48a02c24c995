"""Batches at a provider: recorded before they leave, found again after a crash, waited for, and emptied into the ledger.

What the ledger says of a batch, and what then becomes of it:

- ``intended``: whether the provider has it is not known. It is looked for by its name, more than once because a provider's list
  may lag; found, it is adopted, and otherwise its requests are free to be asked again.
- ``submitted``: it is polled until it has ended, and never handed in again.
- ``closed``: every answer of it is in the ledger.

Nothing here cancels a batch: what was handed in is paid for, and the next run takes it up.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from annotate.models.calls.batch_polling import Patience, pause_s
from annotate.models.judge import Answer, BatchLine, Judge, JudgeRequest, Refusal, Trouble, TroubleRaised
from annotate.models.ledger.async_writer import Scribe
from annotate.models.ledger.ledger import Batch, Ledger
from annotate.models.usage import booked
from contracts.errors import DamagedPart, SetupError
from contracts.ids import digest
from storage.blobs import DAMAGED_AUDIO

KEPT: Final = "every reply so far is kept and every batch recorded; run the same command again"

BATCH_FAILED: Final = "batch_failed"
"""Reason of a trouble of ``BatchLine.state`` that says: the batch is over, and nothing of it was answered or billed."""

_NAME: Final = "unisrm-{}-{}"
_NAME_DIGITS: Final = 24
_ANSWERS_AT_ONCE: Final = 256  # committed together
_MOST_TROUBLES: Final = 100  # in a row, with one batch: some eight hours


@dataclass(frozen=True, kw_only=True, slots=True)
class Landed:
    """What came of a batch: once or more often its answers, and when it is over what came back without one.

    Attributes:
        answers: answers that are in the ledger.
        back: requests that may be asked again, with the reason.
        over: whether this is the last of it.
        tried: whether the provider had it at all.
    """

    answers: Sequence[Answer] = ()
    back: Mapping[str, Trouble] = field(default_factory=dict)
    over: bool = False
    tried: bool = True


@dataclass(kw_only=True, slots=True)
class _Batch:
    """An open batch.

    Attributes:
        name: by which it can be found.
        batch_id: the provider's id; None = it is not known whether the provider has it.
        due: when to look at it next.
        polls: how often it was still running.
        looks: how often it was looked for in vain.
        troubles: failed looks in a row.
    """

    name: str
    batch_id: str | None
    due: float
    polls: int = 0
    looks: int = 0
    troubles: int = 0


class Dispatch:
    """The open batches of one judge and account.

    Attributes:
        strange: lines of results that belong to no open request: unknown keys, and second answers.
    """

    def __init__(self, *, judge: Judge, line: BatchLine, scribe: Scribe, patience: Patience, now: Callable[[], float]) -> None:
        """Start with none.

        Args:
            judge: who is asked.
            line: over which.
            scribe: the ledger.
            patience: how long to wait for what.
            now: a clock, seconds.
        """
        self.strange = 0
        self._judge, self._line, self._scribe, self._patience, self._now = judge, line, scribe, patience, now
        self._open: dict[str, _Batch] = {}
        self._reached = False  # whether the provider ever said anything
        self._misses = 0  # failed tries to reach it before that

    @property
    def names(self) -> frozenset[str]:
        """Names of the open batches."""
        return frozenset(self._open)

    @property
    def due(self) -> float | None:
        """When to look at the next one; None = there is none."""
        return min((batch.due for batch in self._open.values()), default=None)

    def adopt(self, batches: Iterable[Batch]) -> None:
        """Take up batches of the ledger that an earlier run, or one that has died meanwhile, left open."""
        for batch in batches:
            self._enter(batch.name, batch.batch_id)

    async def intend(self, prices: Mapping[str, float], budget_usd: float | None) -> tuple[str | None, set[str]]:
        """Record a batch that is about to be handed in, and book its highest price.

        Args:
            prices: the most that each request can cost, by key, US dollars.
            budget_usd: what the account may come to; None = no paid request is allowed.

        Returns:
            Its name, and the keys that there is no money for: they are not in it. None if there is none for any.

        Raises:
            BudgetExceeded: there is a price, but no budget.
        """
        judge, sends, short = self._judge, dict(prices), set[str]()
        while sends:
            # Drawn by lot in part: the same requests may have to go out again, and no two batches have one name.
            name = _NAME.format(digest([judge.name, judge.model, *sorted(sends)])[:_NAME_DIGITS], secrets.token_hex(4))
            intend = partial(Ledger.intend_batch, name=name, judge=judge.name, model=judge.model, budget_usd=budget_usd)
            poor = await self._scribe.call(partial(intend, sends=list(sends.items())))
            if not poor:
                self._enter(name, None)
                return name, short
            short |= set(poor)
            sends = {key: usd for key, usd in sends.items() if key not in short}
        return None, short

    async def hand_in(self, name: str, requests: Sequence[JudgeRequest]) -> Trouble | None:
        """Hand in a recorded batch, once.

        Returns:
            Why the provider has not accepted it: its requests are free again. None if it has, or may have: then it is open.

        Raises:
            SetupError: no batch will do until a person acts.
        """
        batch = self._open[name]
        try:
            outcome = await self._line.submit(name, requests)
        except DamagedPart as error:  # the clip was intact when its question was put: nothing was handed in
            await self._close(batch, lost=False)
            return Trouble(reason=DAMAGED_AUDIO, message=str(error), kind="request")
        if isinstance(outcome, str):
            await self._accepted(batch, outcome)
            return None
        if outcome.lost:
            batch.due = self._now()
        else:
            await self._close(batch, lost=False)
        self._heed(outcome)
        return None if outcome.lost else outcome

    async def look(self) -> AsyncIterator[Landed]:
        """Look at every batch that is due, and yield what came of it.

        Raises:
            SetupError: no batch will do until a person acts.
        """
        now = self._now()
        for batch in [batch for batch in self._open.values() if batch.due <= now]:
            if batch.batch_id is None:
                landings = self._search(batch)
            else:
                landings = self._poll(batch, batch.batch_id)
            async for landed in landings:
                yield landed

    async def _search(self, batch: _Batch) -> AsyncIterator[Landed]:
        """Look whether the provider has a batch that may never have reached it."""
        found = await self._line.find(batch.name)
        if isinstance(found, Trouble):
            self._put_off(batch, found)
            return
        if found is not None:
            await self._accepted(batch, found)
            return
        self._reached = True
        batch.looks += 1
        batch.due = self._now() + self._patience.look_wait_s
        if batch.looks >= self._patience.looks:
            keys = await self._scribe.call(lambda ledger: ledger.batch_keys(batch.name))
            await self._close(batch, lost=False)
            trouble = Trouble(reason="unreachable", message="the provider never got the batch", kind="passing")
            yield Landed(back=dict.fromkeys(keys, trouble), over=True, tried=False)

    async def _poll(self, batch: _Batch, batch_id: str) -> AsyncIterator[Landed]:
        """Look how far a batch is, and empty it if it is over."""
        state = await self._line.state(batch_id)
        if isinstance(state, Trouble) and state.kind != "request" and state.reason != BATCH_FAILED:
            self._put_off(batch, state)
            return
        self._reached = True
        if state == "running":
            batch.troubles = 0
            batch.polls += 1
            batch.due = self._now() + self._patience.grown_s(batch.polls)
            return
        unanswered = await self._scribe.call(lambda ledger: ledger.batch_prices(batch.name))
        troubles: dict[str, Trouble] = {}
        if state == "ended":
            fate = Trouble(reason="no_result", message="an ended batch has no result for it", kind="passing", lost=True)
            try:
                async for answers in self._results(batch_id, unanswered, troubles):
                    yield Landed(answers=answers)
            except TroubleRaised as raised:
                fate = raised.trouble
                if fate.kind != "request":
                    self._put_off(batch, fate)
                    return
        elif isinstance(state, Trouble) and state.reason == BATCH_FAILED:
            fate = state
        else:
            message = state.message if isinstance(state, Trouble) else "the provider does not know the batch any more"
            fate = Trouble(reason="batch_gone", message=message, kind="passing", lost=True)
        whole = replace(fate, kind="passing")  # what went wrong with the batch says nothing against its requests
        yield await self._settle(batch, {key: troubles.get(key, whole) for key in sorted(unanswered)})
        for trouble in (fate, *troubles.values()):
            self._heed(trouble)

    async def _results(
        self, batch_id: str, unanswered: dict[str, float], troubles: dict[str, Trouble]
    ) -> AsyncIterator[Sequence[Answer]]:
        """Yield the answers of an ended batch as soon as they are in the ledger, matched by key and each once.

        Args:
            batch_id: the provider's id.
            unanswered: keys of the batch that have no answer, with their highest prices; those that get one are taken out.
            troubles: filled with what went wrong with single ones of them. An answer beats a trouble.

        Raises:
            TroubleRaised: not all could be fetched.
        """
        answers: list[Answer] = []
        try:
            async for key, outcome in self._line.results(batch_id):
                if key not in unanswered:
                    self.strange += 1
                elif isinstance(outcome, Trouble):
                    troubles.setdefault(key, outcome)
                else:
                    answers.append((key, booked(outcome, unanswered.pop(key))))
                if len(answers) >= _ANSWERS_AT_ONCE:
                    yield await self._commit(answers)
                    answers = []
        except TroubleRaised:
            if answers:
                yield await self._commit(answers)
            raise
        if answers:
            yield await self._commit(answers)

    async def _settle(self, batch: _Batch, troubles: Mapping[str, Trouble]) -> Landed:
        """Close a batch whose answers are all in the ledger.

        Args:
            batch: it.
            troubles: why its other requests have none.
        """
        # What was surely not answered costs nothing; what may have been stays booked when the batch is closed.
        free = [(key, Refusal(reason=why.reason, message=why.message)) for key, why in troubles.items() if not why.lost]

        def settle(ledger: Ledger) -> None:
            with ledger.together():
                ledger.commit(free)
                ledger.close_batch(batch.name, lost=len(free) < len(troubles))

        await self._scribe.call(settle)
        del self._open[batch.name]
        final = [(key, refusal) for key, refusal in free if troubles[key].kind == "request"]
        ended = {key for key, _ in final}
        return Landed(answers=final, back={key: why for key, why in troubles.items() if key not in ended}, over=True)

    async def _commit(self, answers: Sequence[Answer]) -> Sequence[Answer]:
        await self._scribe.call(lambda ledger: ledger.commit(answers))
        return answers

    async def _accepted(self, batch: _Batch, batch_id: str) -> None:
        await self._scribe.call(lambda ledger: ledger.submitted(batch.name, batch_id))
        self._reached = True
        batch.batch_id = batch_id
        batch.troubles = 0
        batch.due = self._now() + self._patience.poll_s

    async def _close(self, batch: _Batch, *, lost: bool) -> None:
        await self._scribe.call(lambda ledger: ledger.close_batch(batch.name, lost=lost))
        del self._open[batch.name]

    def _enter(self, name: str, batch_id: str | None) -> None:
        self._open[name] = _Batch(name=name, batch_id=batch_id, due=self._now())

    def _put_off(self, batch: _Batch, trouble: Trouble) -> None:
        """Look at it later, because it could not be looked at now; in the end, leave that to a person."""
        batch.troubles += 1
        hopeless = trouble.kind == "request" or batch.troubles >= _MOST_TROUBLES
        self._heed(replace(trouble, kind="everyone") if hopeless else trouble)
        batch.due = self._now() + pause_s(self._judge, batch.name, batch.troubles, trouble)

    def _heed(self, trouble: Trouble) -> None:
        """Stop for what only a person can help with: that a provider was never reached is known soon, not after hours."""
        self._reached |= trouble.reason != "unreachable"
        self._misses += not self._reached
        if not self._reached and self._misses >= self._judge.pace.max_attempts:
            trouble = replace(trouble, kind="everyone", advice="check the network and the judge's address")
        if trouble.kind == "everyone":
            told = ": ".join(part for part in (f"judge {self._judge.name!r}", trouble.message, trouble.advice) if part)
            raise SetupError(f"{told}; {KEPT}")
