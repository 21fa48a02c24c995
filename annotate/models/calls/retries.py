"""Sending one request until it is answered: when to retry, what is booked meanwhile, and when to stop the run.

Every attempt is recorded in the ledger, with its highest price, before it is sent; every answer is durable before anyone sees
it. The price of an attempt that was surely not answered passes to the next attempt, which books nothing itself. The price of an
attempt whose answer was lost stays spent.

A throttled request waits by itself for as long as the provider asks; the rate limiter decides whether all requests wait.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from annotate.models.calls.circuit_breaker import CircuitBreaker, waits_too_long
from annotate.models.calls.rate_limits import LONGEST_OWN_WAIT_S, RateLimiter, backoff_s
from annotate.models.calls.task_group import TaskGroup
from annotate.models.judge import JudgeSession, Service, named
from annotate.models.ledger.async_writer import LedgerWriter
from annotate.models.request import AttemptFailure, Estimate, JudgeRequest, Refusal, Reply
from annotate.models.usage import booked
from contracts.errors import BudgetExceeded, DamagedPart
from contracts.rng import hash_fraction
from storage.blobs import DAMAGED_AUDIO

_THROTTLES_PER_ATTEMPT: Final = 4


@dataclass(kw_only=True, slots=True)
class _AttemptState:
    """The attempts of one request so far.

    Attributes:
        price_usd: the most that one attempt can cost.
        sends: attempts on record.
        failures: attempts that failed, without throttled ones.
        throttled: times the request was throttled.
        singled_out: times it was throttled although other requests were answered since the time before.
        answers_seen: answers to other requests when it was last throttled.
        open_usd: booked for an attempt that is under way, or was surely not answered.
        lost_usd: booked for attempts whose answers were lost.
    """

    price_usd: float = 0.0
    sends: int = 0
    failures: int = 0
    throttled: int = 0
    singled_out: int = 0
    answers_seen: int = 0
    open_usd: float = 0.0
    lost_usd: float = 0.0


class Sender:
    """Sends the requests of one run over one session.

    Attributes:
        rate_limiter: what every attempt waits for.
        breaker: what stops the run.
        waiting: requests that wait for a retry, without a slot of the rate limiter.
    """

    def __init__(
        self,
        *,
        judge: Service,
        session: JudgeSession,
        writer: LedgerWriter,
        task_group: TaskGroup,
        breaker: CircuitBreaker,
        budget_usd: float | None,
        unsent: set[str],
        changed: Callable[[], None],
    ) -> None:
        """Start with nothing sent.

        Args:
            judge: the judge.
            session: over which.
            writer: the ledger.
            task_group: the tasks that call ``send``.
            breaker: what stops the run.
            budget_usd: what the ledger's account may come to; None = no paid attempt is allowed.
            unsent: claimed keys; a key is removed when its request is sent.
            changed: called when a request has ended, waits, or is exhausted.
        """
        self.rate_limiter, self.breaker = RateLimiter(judge.pace), breaker
        self.waiting = 0
        self._unanswered = 0
        self._judge, self._session, self._writer, self._task_group = judge, session, writer, task_group
        self._budget_usd, self._unsent, self._changed = budget_usd, unsent, changed
        self._booked: set[str] = set()  # keys with an open price, which an answer or a failure will settle
        self._budget_lock = asyncio.Lock()
        self._settled = asyncio.Event()

    async def send(self, request: JudgeRequest) -> Reply | Refusal:
        """Return the answer to a claimed request, when it is durable.

        Raises:
            CancelledError: the run was stopped; the request may be claimed again, and the price of lost answers stays booked.
        """
        state = _AttemptState()
        self._unanswered += 1
        try:
            try:
                estimate = await self._session.estimate(request)
            except DamagedPart as error:
                self._unsent.discard(request.key)
                return await self._commit(request.key, Refusal(reason=DAMAGED_AUDIO, message=str(error)), state)
            state.price_usd = estimate.usd
            while True:
                outcome = await self._attempt(request, estimate, state)
                if not isinstance(outcome, AttemptFailure):
                    return outcome
                if (refusal := await self._wait_or_refuse(request.key, outcome, state)) is not None:
                    return await self._commit(request.key, refusal, state)
        except BaseException:
            if state.sends:
                await self._abandon(request.key, state)
            raise
        finally:
            self._unanswered -= 1
            self._changed()

    async def apply_rule(self, requests: Sequence[JudgeRequest]) -> dict[str, Reply | Refusal]:
        """Return the answers of a rule, durable all together. No attempt is recorded before: nothing leaves this process."""
        answers: dict[str, Reply | Refusal] = {}
        for request in requests:
            outcome = await self._session.attempt(request)
            if isinstance(outcome, AttemptFailure):
                outcome = Refusal(reason=outcome.reason, message=outcome.message)
            answers[request.key] = outcome
        with self._task_group.uncancellable():
            await self._writer.call(lambda ledger: ledger.commit(list(answers.items())))
        self._unsent.difference_update(answers)
        return answers

    def all_exhausted(self) -> bool:
        """Whether every request without an answer has used up its attempts."""
        return self._unanswered == len(self.breaker.exhausted) > 0

    async def _attempt(
        self, request: JudgeRequest, estimate: Estimate, state: _AttemptState
    ) -> Reply | Refusal | AttemptFailure:
        """Send the request once. An answer is durable on return; the slot of the rate limiter is held until then."""
        entered = await self._start_attempt(request.key, estimate, state)
        try:
            self._task_group.raise_if_stopped()
            try:
                with self._task_group.cancelled_only_on_abort():
                    outcome = await self._session.attempt(request)
            except DamagedPart as error:  # the clip was intact a moment ago; without it nothing was sent
                outcome = AttemptFailure(reason=DAMAGED_AUDIO, message=str(error), kind="request")
            except BaseException:
                self._count_lost(request.key, state)
                raise
            if isinstance(outcome, AttemptFailure):
                if outcome.lost:
                    self._count_lost(request.key, state)
                self._slow_down(request.key, outcome, entered)
                return outcome
            answer = await self._commit(request.key, outcome, state)
            self.rate_limiter.record_answer()
            self.breaker.record_answer()
            return answer
        finally:
            self.rate_limiter.release()

    def _slow_down(self, key: str, failure: AttemptFailure, entered: float) -> None:
        """Lower the rate before the next attempt starts."""
        overloaded = failure.kind == "transient" and failure.wait_s is not None  # such as status 503 with a Retry-After
        if not waits_too_long(failure) and (failure.kind == "throttled" or overloaded):
            self.rate_limiter.record_throttle(key, entered, failure.wait_s)

    async def _wait_or_refuse(self, key: str, failure: AttemptFailure, state: _AttemptState) -> Refusal | None:
        """Wait until the request may be sent again, and return None; or return what to record if it is not sent again."""
        refusal = Refusal(reason=failure.reason, message=failure.message)
        pace = self._judge.pace
        if failure.kind == "request":
            return refusal
        if failure.kind == "all_requests":
            self.breaker.record_fatal(failure)
        elif failure.kind == "throttled":
            self.breaker.record_throttle(failure)
        elif failure.lost and failure.reason == "timeout":
            self.breaker.record_timeout(key, failure)
        self._task_group.raise_if_stopped()
        if failure.kind == "throttled":
            if self.breaker.answers > state.answers_seen:
                state.singled_out += 1
            state.answers_seen = self.breaker.answers
            # One request alone can be more than a provider's minute holds.
            if state.singled_out >= _THROTTLES_PER_ATTEMPT * pace.max_attempts:
                return refusal
            state.throttled += 1
            # A provider that asks for no wait again and again is backed off from all the same.
            own = state.throttled if failure.wait_s is None else state.throttled - 1
            own_s = min(backoff_s(key, own, pace.backoff_s), LONGEST_OWN_WAIT_S) if own else 0.0
            await self._wait(key, failure.wait_s, own_s)
            return None
        state.failures += 1
        if waits_too_long(failure) or state.failures >= pace.max_attempts:
            failed = self.breaker.add_exhausted(key, failure)
            self._settled.set()  # a request that waits for budget looks again
            self._changed()
            self._task_group.raise_if_stopped()
            await failed
            return refusal
        await self._wait(key, failure.wait_s, backoff_s(key, state.failures, pace.backoff_s))
        return None

    async def _wait(self, key: str, asked_s: float | None, own_s: float) -> None:
        """Wait ``own_s`` at least, and as long as the provider asks with up to a tenth more, so that not all return at once."""
        asked_s = 0.0 if asked_s is None else asked_s * (1.0 + 0.1 * hash_fraction(0, "pause", key))
        self.waiting += 1
        self._changed()  # others may begin meanwhile
        try:
            await asyncio.sleep(max(asked_s, own_s))
        finally:
            self.waiting -= 1

    async def _start_attempt(self, key: str, estimate: Estimate, state: _AttemptState) -> float:
        """Return the time at which a slot was taken, with the attempt on record and its price booked."""
        if state.open_usd or not self._budget_lock.locked():
            entered = await self._try_start(key, estimate, state)
            if entered is not None:
                return entered
        # Take no slot while waiting for budget: the requests that will release budget may need the slots.
        async with self._budget_lock:
            while True:
                self._settled.clear()
                entered = await self._try_start(key, estimate, state)
                if entered is not None:
                    return entered
                if self._settled.is_set():
                    continue
                if not self._booked - self.breaker.exhausted.keys():
                    if not self._booked:
                        await self._stop_over_budget(state)
                    self.breaker.fail_exhausted()
                await self._settled.wait()

    async def _try_start(self, key: str, estimate: Estimate, state: _AttemptState) -> float | None:
        """Return the time at which a slot was taken, or None if the budget does not allow the attempt now."""
        entered = await self.rate_limiter.acquire(estimate.input_tokens, again=state.sends > 0)
        recorded = False
        try:
            recorded = await self._record_attempt(key, state)
        finally:
            if not recorded:
                self.rate_limiter.release()
        return entered if recorded else None

    async def _record_attempt(self, key: str, state: _AttemptState) -> bool:
        price_usd = 0.0 if state.open_usd else state.price_usd
        with self._task_group.uncancellable():
            recorded = await self._writer.mark_sent(key, price_usd, self._budget_usd)
        if recorded:
            self._unsent.discard(key)
            state.sends += 1
            state.open_usd += price_usd
            if state.open_usd:
                self._booked.add(key)
        return recorded

    async def _stop_over_budget(self, state: _AttemptState) -> NoReturn:
        owed_usd, budget_usd = await self._writer.read(lambda ledger: ledger.owed_usd()), self._budget_usd or 0.0
        spent = f"${owed_usd:.4f} of the budget of ${budget_usd:.4f} are spent or owed"
        next_one = f"the next call may cost ${state.price_usd:.6f}: raise budget_usd in the recipe to go on"
        self._task_group.stop(BudgetExceeded(f"{named(self._judge)}: {spent}, and {next_one}; every reply so far is kept"))
        raise asyncio.CancelledError

    def _count_lost(self, key: str, state: _AttemptState) -> None:
        """Count the open attempt as spent: its answer may have been made and billed."""
        state.lost_usd += state.open_usd
        state.open_usd = 0.0
        self._unbook(key)

    def _unbook(self, key: str) -> None:
        self._booked.discard(key)
        self._settled.set()

    async def _commit(self, key: str, answer: Reply | Refusal, state: _AttemptState) -> Reply | Refusal:
        answer = booked(answer, state.price_usd)
        answer = replace(answer, cost_usd=answer.cost_usd + state.lost_usd, attempts=max(state.sends, 1))
        with self._task_group.uncancellable():
            await self._writer.commit(key, answer)
        state.sends = 0
        self._unbook(key)
        return answer

    async def _abandon(self, key: str, state: _AttemptState) -> None:
        """Let others claim a request that was sent, with only the price of lost answers booked."""
        message = "stopped before it was answered"
        refusal = Refusal(reason="interrupted", message=message, cost_usd=state.lost_usd, attempts=state.sends)
        with self._task_group.uncancellable():
            await self._writer.commit(key, refusal)
        self._unbook(key)
