"""Sending one request until it is answered: when to repeat it, what it costs meanwhile, and when to stop everything.

Every attempt is recorded in the ledger, with its highest price, before it leaves; every answer is durable before anyone sees
it. The price of an attempt that was surely not answered is not released but passes to the next attempt, which books nothing;
that of one whose answer was lost stays spent.

A refused request waits by itself for as long as it is told; whether everybody waits is for the gate to say.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from annotate.models.calls.circuit_breaker import Breaker, too_long
from annotate.models.calls.rate_limits import LONGEST_OWN_WAIT_S, Gate, backoff_s
from annotate.models.calls.task_group import Crew
from annotate.models.judge import Estimate, Judge, JudgeRequest, Line, Refusal, Reply, Trouble
from annotate.models.ledger.async_writer import Scribe
from annotate.models.usage import booked
from contracts.errors import BudgetExceeded, DamagedPart
from contracts.rng import hash_fraction
from storage.blobs import DAMAGED_AUDIO

_THROTTLES_PER_ATTEMPT: Final = 4


@dataclass(kw_only=True, slots=True)
class _Tab:
    """What one request has taken so far.

    Attributes:
        price_usd: the most that one attempt can cost.
        sends: attempts on record.
        failures: attempts that failed, being throttled aside.
        refused: times it was throttled.
        throttles: times it was throttled although others were answered since the time before.
        answers_seen: answers to others when it was last throttled.
        open_usd: booked for an attempt that is under way, or was surely not answered.
        lost_usd: booked for attempts whose answers were lost.
    """

    price_usd: float = 0.0
    sends: int = 0
    failures: int = 0
    refused: int = 0
    throttles: int = 0
    answers_seen: int = 0
    open_usd: float = 0.0
    lost_usd: float = 0.0


class Sender:
    """Sends the requests of one run over one line.

    Attributes:
        gate: through which they leave.
        breaker: what stops them all.
        waiting: requests that wait before they are sent again, without a place at the gate.
    """

    def __init__(
        self,
        *,
        judge: Judge,
        line: Line,
        scribe: Scribe,
        crew: Crew,
        breaker: Breaker,
        budget_usd: float | None,
        unsent: set[str],
        changed: Callable[[], None],
    ) -> None:
        """Start with nothing sent.

        Args:
            judge: who is asked.
            line: over which.
            scribe: where everything is recorded first.
            crew: the tasks that ``send`` runs in.
            breaker: what stops them all.
            budget_usd: what the ledger's account may come to; None = no paid attempt is allowed.
            unsent: claimed keys, of which those that are sent are removed.
            changed: called when a request has ended, or has become doubtful.
        """
        self.gate, self.breaker = Gate(judge.pace), breaker
        self.waiting = 0
        self._asking = 0  # requests without an answer
        self._judge, self._line, self._scribe, self._crew = judge, line, scribe, crew
        self._budget_usd, self._unsent, self._changed = budget_usd, unsent, changed
        self._holders: set[str] = set()  # keys with an open price that will be settled
        self._money = asyncio.Lock()
        self._settled = asyncio.Event()

    async def send(self, request: JudgeRequest) -> Reply | Refusal:
        """Return the answer to a claimed request, when it is durable.

        Raises:
            CancelledError: all was stopped; the request may be claimed again, and the money that it lost stays booked.
        """
        tab = _Tab()
        self._asking += 1
        try:
            try:
                estimate = await self._line.estimate(request)
            except DamagedPart as error:
                self._unsent.discard(request.key)
                return await self._commit(request.key, Refusal(reason=DAMAGED_AUDIO, message=str(error)), tab)
            tab.price_usd = estimate.usd
            while True:
                outcome = await self._attempt(request, estimate, tab)
                if not isinstance(outcome, Trouble):
                    return outcome
                if (refusal := await self._after(request.key, outcome, tab)) is not None:
                    return await self._commit(request.key, refusal, tab)
        except BaseException:
            if tab.sends:
                await self._abandon(request.key, tab)
            raise
        finally:
            self._asking -= 1
            self._changed()

    async def rule(self, requests: Sequence[JudgeRequest]) -> dict[str, Reply | Refusal]:
        """Return the answers of a rule, durable all together: nothing leaves this process, so no attempt is recorded before."""
        answers: dict[str, Reply | Refusal] = {}
        for request in requests:
            outcome = await self._line.attempt(request)
            if isinstance(outcome, Trouble):
                outcome = Refusal(reason=outcome.reason, message=outcome.message)
            answers[request.key] = outcome
        with self._crew.firmly():
            await self._scribe.call(lambda ledger: ledger.commit(list(answers.items())))
        self._unsent.difference_update(answers)
        return answers

    def all_doubtful(self) -> bool:
        """Whether every request without an answer has used up its attempts."""
        return self._asking == len(self.breaker.doubtful) > 0

    async def _attempt(self, request: JudgeRequest, estimate: Estimate, tab: _Tab) -> Reply | Refusal | Trouble:
        """Send it once; an answer is durable on return, and the place at the gate taken until then."""
        entered = await self._leave(request.key, estimate, tab)
        try:
            self._crew.go_on()
            try:
                with self._crew.patiently():
                    outcome = await self._line.attempt(request)
            except DamagedPart as error:  # the clip was intact a moment ago; without it nothing was sent
                outcome = Trouble(reason=DAMAGED_AUDIO, message=str(error), kind="request")
            except BaseException:
                self._lose(request.key, tab)
                raise
            if isinstance(outcome, Trouble):
                if outcome.lost:
                    self._lose(request.key, tab)
                self._heed(request.key, outcome, entered)
                return outcome
            answer = await self._commit(request.key, outcome, tab)
            self.gate.answered()
            self.breaker.answered()
            return answer
        finally:
            self.gate.leave()

    def _heed(self, key: str, trouble: Trouble, entered: float) -> None:
        """Slow down before the next one leaves."""
        overloaded = trouble.kind == "passing" and trouble.wait_s is not None  # such as status 503 with a Retry-After
        if not too_long(trouble) and (trouble.kind == "throttled" or overloaded):
            self.gate.throttled(key, entered, trouble.wait_s)

    async def _after(self, key: str, trouble: Trouble, tab: _Tab) -> Refusal | None:
        """Wait until it may be sent again, and return None, or what to record if it never will."""
        refusal = Refusal(reason=trouble.reason, message=trouble.message)
        pace = self._judge.pace
        if trouble.kind == "request":
            return refusal
        if trouble.kind == "everyone":
            self.breaker.refused(trouble)
        elif trouble.kind == "throttled":
            self.breaker.throttled(trouble)
        elif trouble.lost and trouble.reason == "timeout":
            self.breaker.silent(key, trouble)
        self._crew.go_on()
        if trouble.kind == "throttled":
            tab.throttles += self.breaker.answers > tab.answers_seen
            tab.answers_seen = self.breaker.answers
            # One request alone can be more than a provider's minute holds.
            if tab.throttles >= _THROTTLES_PER_ATTEMPT * pace.max_attempts:
                return refusal
            tab.refused += 1
            # Being told to wait for nothing, again and again, is no reason to hurry.
            own = tab.refused if trouble.wait_s is None else tab.refused - 1
            own_s = min(backoff_s(key, own, pace.backoff_s), LONGEST_OWN_WAIT_S) if own else 0.0
            await self._wait(key, trouble.wait_s, own_s)
            return None
        tab.failures += 1
        if too_long(trouble) or tab.failures >= pace.max_attempts:
            verdict = self.breaker.doubt(key, trouble)
            self._settled.set()  # whoever waits for its money should know
            self._changed()
            self._crew.go_on()
            await verdict
            return refusal
        await self._wait(key, trouble.wait_s, backoff_s(key, tab.failures, pace.backoff_s))
        return None

    async def _wait(self, key: str, told_s: float | None, own_s: float) -> None:
        """Wait as long as the provider says, and up to a tenth longer so that not all come back at once; at least ``own_s``."""
        told_s = 0.0 if told_s is None else told_s * (1.0 + 0.1 * hash_fraction(0, "pause", key))
        self.waiting += 1
        self._changed()  # others may begin meanwhile
        try:
            await asyncio.sleep(max(told_s, own_s))
        finally:
            self.waiting -= 1

    async def _leave(self, key: str, estimate: Estimate, tab: _Tab) -> float:
        """Return the time of a place at the gate, with the attempt on record and its money booked."""
        if tab.open_usd or not self._money.locked():
            entered = await self._try_to_leave(key, estimate, tab)
            if entered is not None:
                return entered
        # Who waits for money has no place at the gate: those who will give some back may need it.
        async with self._money:
            while True:
                self._settled.clear()
                entered = await self._try_to_leave(key, estimate, tab)
                if entered is not None:
                    return entered
                if self._settled.is_set():
                    continue
                if not self._holders - self.breaker.doubtful.keys():
                    if not self._holders:
                        await self._broke(tab)
                    self.breaker.acquit()
                await self._settled.wait()

    async def _try_to_leave(self, key: str, estimate: Estimate, tab: _Tab) -> float | None:
        """Return the time of a place at the gate, or None if there is no money now."""
        entered = await self.gate.enter(estimate.input_tokens, again=tab.sends > 0)
        recorded = False
        try:
            recorded = await self._sent(key, tab)
        finally:
            if not recorded:
                self.gate.leave()
        return entered if recorded else None

    async def _sent(self, key: str, tab: _Tab) -> bool:
        price_usd = 0.0 if tab.open_usd else tab.price_usd
        with self._crew.firmly():
            recorded = await self._scribe.sent(key, price_usd, self._budget_usd)
        if recorded:
            self._unsent.discard(key)
            tab.sends += 1
            tab.open_usd += price_usd
            if tab.open_usd:
                self._holders.add(key)
        return recorded

    async def _broke(self, tab: _Tab) -> NoReturn:
        owed_usd, budget_usd = await self._scribe.call(lambda ledger: ledger.owed_usd()), self._budget_usd or 0.0
        self._crew.stop(
            BudgetExceeded(
                f"judge {self._judge.name!r}: ${owed_usd:.4f} of the budget of ${budget_usd:.4f} are spent or owed, and the "
                f"next call may cost ${tab.price_usd:.6f}: raise budget_usd in the recipe to go on; every reply so far is kept"
            )
        )
        raise asyncio.CancelledError

    def _lose(self, key: str, tab: _Tab) -> None:
        """Count the open attempt as spent: its answer may have been made and billed."""
        tab.lost_usd += tab.open_usd
        tab.open_usd = 0.0
        self._release(key)

    def _release(self, key: str) -> None:
        self._holders.discard(key)
        self._settled.set()

    async def _commit(self, key: str, answer: Reply | Refusal, tab: _Tab) -> Reply | Refusal:
        answer = booked(answer, tab.price_usd)
        answer = replace(answer, cost_usd=answer.cost_usd + tab.lost_usd, attempts=max(tab.sends, 1))
        with self._crew.firmly():
            await self._scribe.commit(key, answer)
        tab.sends = 0
        self._release(key)
        return answer

    async def _abandon(self, key: str, tab: _Tab) -> None:
        """Leave a request that was sent to whoever claims it next, with only its lost money booked."""
        message = "stopped before it was answered"
        with self._crew.firmly():
            await self._scribe.commit(
                key, Refusal(reason="interrupted", message=message, cost_usd=tab.lost_usd, attempts=tab.sends)
            )
        self._release(key)
