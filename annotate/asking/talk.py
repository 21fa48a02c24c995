"""Talks: what was asked about one case, what came of it, and what comes next."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from annotate.inquiry import Case, Inquiry
from annotate.judge import JudgeRequest, Refusal, Reply
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
    trail: Trail
    request: JudgeRequest


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What all conversations of one run have in common; see ``annotate.asking.live``."""

    inquiry: Inquiry
    problem_of: Callable[[str], str | None]
    clips: BlobStore | None
    budget_usd: float | None
    max_wait_s: float

    def proceed(self, case: Case, trail: Trail) -> Step | Talk:
        """Return the next question, or the finished talk."""
        asked, answer = trail[-1]
        if isinstance(answer, Reply) and not asked.repeat and not self.inquiry.judge.repeatable:
            problem = self.problem_of(answer.text)
            if problem is not None:
                return Step(case=case, trail=trail, request=self.inquiry.follow_up(case, problem))
        return Talk(case=case, trail=trail)

    def look_up(self, steps: Sequence[Step], replies: Mapping[str, Reply]) -> tuple[list[Step | Talk], list[Step]]:
        """Return how the steps go on whose replies are known, and the others."""
        onward: list[Step | Talk] = []
        unknown: list[Step] = []
        for step in steps:
            if (reply := replies.get(step.request.key)) is None:
                unknown.append(step)
            else:
                onward.append(self.proceed(step.case, (*step.trail, (step.request, reply))))
        return onward, unknown
