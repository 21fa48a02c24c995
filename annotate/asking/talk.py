"""Talks: what was asked about one case, what came of it, and what comes next."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from annotate.inquiry import Case, Inquiry
from annotate.judge import JudgeRequest, Refusal, Reply
from annotate.ledger.ledger import Entry, Ledger
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
        """Return the next question, which names what was wrong with the reply, or the finished talk."""
        asked = step.request
        if isinstance(answer, Reply) and not asked.repeat and not self.inquiry.judge.repeatable:
            problem = self.problem_of(answer.text)
            if problem is not None:
                said = replace(answer, raw=None)  # the ledger has it: thousands may wait here for a day
                request = self.inquiry.follow_up(step.case, problem)
                return Step(case=step.case, trail=(*step.trail, (asked, said)), request=request)
        return Talk(case=step.case, trail=(*step.trail, (asked, answer)))

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
