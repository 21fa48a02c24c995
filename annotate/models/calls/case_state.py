"""Conversations with a judge about one case: the requests so far, their answers, and the next request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from annotate.models.inquiry import Case, Inquiry
from annotate.models.judge import Judge, Service
from annotate.models.ledger.entries import Entry
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import JudgeRequest, Refusal, Reply
from storage.blobs import BlobStore

Exchanges = tuple[tuple[JudgeRequest, Reply | Refusal], ...]
"""Requests, each with its answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """A finished conversation about one case.

    Attributes:
        case: what it is about.
        exchanges: the first request with its answer, and the follow-up if there was one.
    """

    case: Case
    exchanges: Exchanges


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The next step of an unfinished conversation.

    Attributes:
        case: what the conversation is about.
        exchanges: the requests that were answered.
        request: the request that comes next.
    """

    case: Case
    exchanges: Exchanges = ()
    request: JudgeRequest


class LiveContext(Protocol):
    """What all conversations of one run have in common, whoever answers."""

    @property
    def service(self) -> Service:
        """Who is asked."""
        ...

    @property
    def open_ledger(self) -> Callable[[], Ledger]:
        """Opens the ledger, in the thread that uses it."""
        ...

    @property
    def clips(self) -> BlobStore | None:
        """Where the audio of requests is; None only where no request has any."""
        ...

    @property
    def budget_usd(self) -> float | None:
        """What the ledger's account may come to; None = no paid request is allowed."""
        ...

    def entry(self, step: Step) -> Entry:
        """Return the ledger entry of a step's request."""
        ...

    def proceed(self, step: Step, answer: Reply | Refusal) -> Step | Conversation:
        """Return the follow-up, or the finished conversation."""
        ...


def look_up(
    context: LiveContext, steps: Sequence[Step], replies: Mapping[str, Reply]
) -> tuple[list[Step | Conversation], list[Step]]:
    """Return what follows the steps whose replies are known, and the steps whose replies are not."""
    onward: list[Step | Conversation] = []
    unknown: list[Step] = []
    for step in steps:
        if (reply := replies.get(step.request.key)) is None:
            unknown.append(step)
        else:
            onward.append(context.proceed(step, reply))
    return onward, unknown


@dataclass(frozen=True, kw_only=True)
class CallContext:
    """What all conversations of one run with a judge have in common.

    Attributes:
        inquiry: task and judge.
        problem_of: why a reply's text about a case cannot be used, for the follow-up; None = it can be used. Called from
            another thread.
        open_ledger: opens the ledger, in the thread that uses it.
        clips: where the audio is; None only for a judge that takes no audio.
        budget_usd: what the ledger's account may come to; None = no paid request is allowed.
    """

    inquiry: Inquiry
    problem_of: Callable[[Case, str], str | None]
    open_ledger: Callable[[], Ledger]
    clips: BlobStore | None
    budget_usd: float | None

    @property
    def service(self) -> Judge:
        """The judge."""
        return self.inquiry.judge

    def entry(self, step: Step) -> Entry:
        """Return the ledger entry of a step's request."""
        judge, task = self.inquiry.judge, self.inquiry.task
        return Entry(
            key=step.request.key,
            judge=judge.name,
            model=judge.model,
            task=task.name,
            prompt_version=task.prompt_version(step.case.language),
            row_id=step.case.row_id,
            repeat=step.request.repeat,
        )

    def proceed(self, step: Step, answer: Reply | Refusal) -> Step | Conversation:
        """Return the follow-up, which names what was wrong with the reply, or the finished conversation.

        The kept raw reply is read again by the current rules, which costs nothing: a reply that these count as incomplete is
        followed up like one that cannot be parsed.
        """
        request = step.request
        if isinstance(answer, Reply):
            reread = self._reread(answer)
            if not request.repeat and not self.inquiry.judge.repeatable:
                problem = reread.message if isinstance(reread, Refusal) else self.problem_of(step.case, reread.text)
                if problem is not None:
                    kept = replace(reread, raw=None)  # the ledger has it: thousands may wait here for a day
                    follow_up = self.inquiry.follow_up(step.case, problem)
                    return Step(case=step.case, exchanges=(*step.exchanges, (request, kept)), request=follow_up)
            answer = reread
        return Conversation(case=step.case, exchanges=(*step.exchanges, (request, answer)))

    def _reread(self, reply: Reply) -> Reply | Refusal:
        text = None if reply.raw is None else self.inquiry.judge.text_in(reply.raw)
        if text is None or text == reply.text:
            return reply
        if isinstance(text, Refusal):
            return replace(text, cost_usd=reply.cost_usd, attempts=reply.attempts, raw=reply.raw)
        return replace(reply, text=text)
