"""Judging: from requests (see ``annotate.inquiry``) to rows of ``judgments``, through the ledger.

A judgment costs at most two replies: a reply that does not parse, or whose totals are equal, is followed by one more
request that names the problem (SPEC U1).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Self

import pyarrow as pa

from annotate.budget import Purse
from annotate.inquiry import Case, Inquiry
from annotate.judge import Answer, Judge, JudgeRequest, Refusal, Reply
from annotate.ledger import Entry, Ledger
from annotate.task import Parsed, ParseError, TaskSpec
from contracts.jobs import Outcome
from contracts.schemas import FAILURES, JUDGMENTS, failure
from storage.blobs import BlobStore

STAGE: Final = "judgments"


def judge_pairs(
    requests: pa.Table,
    *,
    task: TaskSpec,
    judge: Judge,
    ledger: Ledger,
    clips: BlobStore | None = None,
    budget_usd: float | None = None,
    batch_size: int = 256,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Outcome]:
    """Judge pairs batch by batch; what the ledger holds already is read, only the rest is asked.

    Args:
        requests: the pairs.
        task: what is asked.
        judge: who is asked.
        ledger: where replies are made durable before they are used.
        clips: where the audio is; None only for a judge that does not listen.
        budget_usd: what all calls in this ledger may cost together, earlier runs included; None = no paid call is allowed.
        batch_size: pairs per outcome.
        progress: called with the number of requests that have just been answered.

    Yields:
        One outcome per batch, in the order of the requests: rows of ``judgments``, and failures of the stage ``judgments`` with
        the reasons ``missing_audio``, ``unparsable_reply`` or one of the judge's.

    Raises:
        DataError: a column is missing.
        SetupError: the judge's key is missing or refused.
        BudgetExceeded: the next paid attempt could pass the budget; all replies so far are in the ledger.
    """
    inquiry = Inquiry.of(task, judge)
    purse = Purse(judge=judge.name, limit_usd=budget_usd, owed_usd=sum(line.cost_usd for line in ledger.spend()))
    desk = _Desk(inquiry=inquiry, ledger=ledger, clips=clips, purse=purse, progress=progress)
    cases = inquiry.cases(requests)
    while batch := list(islice(cases, batch_size)):
        yield _outcome(inquiry, batch, desk)


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """Where questions go and answers come from: the ledger first, then the judge."""

    inquiry: Inquiry
    ledger: Ledger
    clips: BlobStore | None
    purse: Purse
    progress: Callable[[int], None] | None

    def answers(self, asked: Sequence[tuple[str, JudgeRequest]]) -> dict[str, Reply | Refusal]:
        """Return request key -> answer; each request comes with the judgment that it is for."""
        judgments = {request.key: judgment_id for judgment_id, request in asked}
        requests = {request.key: request for _, request in asked}
        answers: dict[str, Reply | Refusal] = dict(self.ledger.replies(list(requests)))
        self._report(len(answers))
        open_requests = [request for key, request in requests.items() if key not in answers]
        if not open_requests:
            return answers
        judge, task = self.inquiry.judge, self.inquiry.task
        self.ledger.reserve(
            Entry(
                key=request.key,
                judge=judge.name,
                model=judge.model,
                prompt_version=task.prompt_version,
                judgment_id=judgments[request.key],
                repeat=request.repeat,
            )
            for request in open_requests
        )
        for arrived in judge.ask(open_requests, clips=self.clips, sending=self._sending):
            self.ledger.commit(arrived)
            self._book(arrived)
            answers.update(arrived)
        return answers

    def _sending(self, key: str, highest_usd: float) -> None:
        self.purse.reserve(key, highest_usd)
        self.ledger.mark_sent(key, highest_usd)

    def _book(self, arrived: Sequence[Answer]) -> None:
        for key, answer in arrived:
            self.purse.settle(key, answer.cost_usd)
        self._report(len(arrived))

    def _report(self, count: int) -> None:
        if self.progress is not None and count:
            self.progress(count)


def _outcome(inquiry: Inquiry, batch: Sequence[Case], desk: _Desk) -> Outcome:
    """Settle one batch: every case becomes a row or a failure."""
    heard = [case for case in batch if case.silent is None]
    answers = desk.answers([(case.judgment_id, case.request) for case in heard])
    trails = {case.judgment_id: [_Reading.of(answers[case.request.key], inquiry.task)] for case in heard}
    again = {
        case.judgment_id: inquiry.follow_up(case.request, problem)
        for case in heard
        if not inquiry.judge.repeatable and (problem := trails[case.judgment_id][0].problem) is not None
    }
    answers = desk.answers(list(again.items()))
    for judgment_id, request in again.items():
        trails[judgment_id].append(_Reading.of(answers[request.key], inquiry.task))
    rows: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for case in batch:
        trail = trails.get(case.judgment_id, [])
        # A tied first reply stands where the second one cannot be read.
        standing = next((reading for reading in reversed(trail) if reading.parsed is not None), None)
        if standing is None:
            unheard = ("missing_audio", f"column {case.silent} is null: there is no clip to hear")
            reason, message = trail[-1].failure if trail else unheard
            failures.append(failure(STAGE, case.judgment_id, case.pair_id, reason, message))
        else:
            rows.append(_row(inquiry, case, standing, trail))
    return Outcome(rows=pa.Table.from_pylist(rows, schema=JUDGMENTS), failures=pa.Table.from_pylist(failures, schema=FAILURES))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """An answer and what it says."""

    answer: Reply | Refusal
    parsed: Parsed | None = None
    error: ParseError | None = None

    @classmethod
    def of(cls, answer: Reply | Refusal, task: TaskSpec) -> Self:
        if isinstance(answer, Refusal):
            return cls(answer=answer)
        try:
            return cls(answer=answer, parsed=task.parse(answer.text))
        except ParseError as error:
            return cls(answer=answer, error=error)

    @property
    def problem(self) -> str | None:
        """Why to ask once more; None = no reason, or no hope."""
        if self.error is not None:
            return self.error.message
        if self.parsed is not None and self.parsed.verdict is None:
            return f"both totals are {self.parsed.total_a:g}, but they must differ"
        return None

    @property
    def failure(self) -> tuple[str, str]:
        """Reason and message of an answer that is no judgment."""
        if isinstance(self.answer, Refusal):
            return self.answer.reason, self.answer.message
        assert self.error is not None
        return "unparsable_reply", f"{self.error.reason}: {self.error.message}"


def _row(inquiry: Inquiry, case: Case, standing: _Reading, trail: Sequence[_Reading]) -> dict[str, Any]:
    parsed, reply = standing.parsed, standing.answer
    assert parsed is not None
    assert isinstance(reply, Reply)
    replies = [reading.answer for reading in trail if isinstance(reading.answer, Reply)]
    return {
        "judgment_id": case.judgment_id,
        "pair_id": case.pair_id,
        "task": inquiry.task.name,
        "judge": inquiry.judge.name,
        "judge_version": inquiry.judge.version,
        "model": inquiry.judge.model,
        "model_served": reply.model_served,
        "prompt_version": inquiry.task.prompt_version,
        "verdict": parsed.verdict,
        "scores_a": list(parsed.scores_a.items()),
        "scores_b": list(parsed.scores_b.items()),
        "total_a": parsed.total_a,
        "total_b": parsed.total_b,
        "completion": parsed.completion,
        "input_tokens": _total([reply.input_tokens for reply in replies]),
        "output_tokens": _total([reply.output_tokens for reply in replies]),
    }


def _total(counts: Sequence[int | None]) -> int | None:
    """Add up; one unknown makes the sum unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
