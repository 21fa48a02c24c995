"""Talks: what was asked about one case, what came of it, and what comes next."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from annotate.models.inquiry import Case, Inquiry
from annotate.models.judge import JudgeRequest, Refusal, Reply
from annotate.models.ledger.ledger import Entry, Ledger
from storage.blobs import BlobStore

Trail = tuple[tuple[JudgeRequest, Reply | Refusal], ...]
"""Each question with what became of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Talk:
    """A finished conversation about one case.

    Attributes:
        case: what it is about.
        trail: the first question with what became of it, and the follow-up if there was one.
    """

    case: Case
    trail: Trail


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A conversation that goes on: what was said, and the question that comes next."""

    case: Case
    trail: Trail = ()
    request: JudgeRequest


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What all conversations of one run have in common.

    Attributes:
        inquiry: task and judge.
        problem_of: why a reply cannot be used, for the follow-up; None = it can. Called from another thread.
        open_ledger: opens the ledger, in the thread that uses it.
        clips: where the audio is; None only for a judge that does not listen.
        budget_usd: what the ledger's account may come to; None = no paid request is allowed.
    """

    inquiry: Inquiry
    problem_of: Callable[[str], str | None]
    open_ledger: Callable[[], Ledger]
    clips: BlobStore | None
    budget_usd: float | None

    def entry(self, step: Step) -> Entry:
        """Return the question as the ledger knows it."""
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

    def proceed(self, step: Step, answer: Reply | Refusal) -> Step | Talk:
        """Return the next question, which names what was wrong with the reply, or the finished talk.

        Replies are read anew by the rules of today: what a stricter or a better reader makes of one that was paid for before
        costs nothing, and a reply that no longer counts as whole is followed up like one that cannot be parsed.
        """
        asked = step.request
        if isinstance(answer, Reply):
            read = self._read(answer)
            if not asked.repeat and not self.inquiry.judge.repeatable:
                problem = read.message if isinstance(read, Refusal) else self.problem_of(read.text)
                if problem is not None:
                    said = replace(read, raw=None)  # the ledger has it: thousands may wait here for a day
                    request = self.inquiry.follow_up(step.case, problem)
                    return Step(case=step.case, trail=(*step.trail, (asked, said)), request=request)
            answer = read
        return Talk(case=step.case, trail=(*step.trail, (asked, answer)))

    def _read(self, reply: Reply) -> Reply | Refusal:
        text = None if reply.raw is None else self.inquiry.judge.said(reply.raw)
        if text is None or text == reply.text:
            return reply
        if isinstance(text, Refusal):
            return replace(text, cost_usd=reply.cost_usd, attempts=reply.attempts, raw=reply.raw)
        return replace(reply, text=text)

    def look_up(self, steps: Sequence[Step], replies: Mapping[str, Reply]) -> tuple[list[Step | Talk], list[Step]]:
        """Return how the steps go on whose replies are known, and the others."""
        onward: list[Step | Talk] = []
        unknown: list[Step] = []
        for step in steps:
            if (reply := replies.get(step.request.key)) is None:
                unknown.append(step)
            else:
                onward.append(self.proceed(step, reply))
        return onward, unknown
