"""Judging: from requests (see ``annotate.models.inquiry``) to rows of ``judgments`` or ``writings``, through the ledger.

A row costs at most two replies: a reply that does not parse, or whose totals are equal, is followed by one more request that
names the problem. Replies are in the ledger before they are parsed here, so a better parser reads them again at no cost.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final, Literal, Self

import pyarrow as pa

from annotate.models.calls.batch_calls import BatchCalls
from annotate.models.calls.batch_polling import PollSchedule
from annotate.models.calls.case_state import CallContext
from annotate.models.calls.live_calls import LiveCalls
from annotate.models.inquiry import Case, Inquiry
from annotate.models.judge import Judge
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import Refusal, Reply
from annotate.models.task import Parsed, ParseError, TaskSpec, Written
from contracts.errors import DataError, SetupError
from contracts.failures import failure, legible
from contracts.ids import canonical_json
from contracts.jobs import Outcome
from contracts.schemas import FAILURES, JUDGMENTS, WRITINGS
from storage.blobs import DAMAGED_AUDIO, BlobStore

Mode = Literal["live", "batch"]
UNPARSABLE: Final = "unparsable_reply"
"""Reason of failures of replies that are not in the task's format."""

_READ_ONCE: Final = 1024  # replies; each is read for its follow-up, and soon after for its row


def judge_rows(
    requests: pa.Table,
    *,
    task: TaskSpec,
    judge: Judge,
    stage: str,
    open_ledger: Callable[[], Ledger],
    clips: BlobStore | None = None,
    budget_usd: float | None = None,
    mode: Mode = "live",
    poll_s: float = 30.0,
    follows_up: bool = True,
) -> Iterator[Outcome]:
    """Judge, or write about, every row. Replies in the ledger are read, only the rest is sent.

    Args:
        requests: the rows.
        task: what is asked.
        judge: the judge.
        stage: name of the stage, for failures.
        open_ledger: opens the ledger, where replies are made durable before they are used.
        clips: where the audio is; None only where no request has any.
        budget_usd: what all calls of this ledger's account may cost together, earlier runs included; None = no paid call.
        mode: one by one, or through the provider's batches.
        poll_s: first interval between two polls of a batch.
        follows_up: whether a reply that cannot be used is followed by one more request.

    Yields:
        Outcomes in order of completion: rows of ``judgments`` (for a task about pairs) or ``writings``, and failures with the
        reasons ``missing_audio``, ``missing_text``, ``damaged_audio``, ``unparsable_reply`` or one of the judge's.

    Raises:
        DataError: a column is missing.
        SetupError: the judge's key is missing or refused, its quota is gone, or it has no batches.
        BudgetExceeded: the next paid attempt could pass the budget; all replies so far are in the ledger.
    """
    if mode == "batch" and not judge.has_batches:
        raise SetupError(f"judge {judge.name!r} has no batch interface: set mode: live in the recipe")
    inquiry = Inquiry.of(task, judge)
    if unsent := [_missing(stage, task, case) for case in inquiry.cases(requests, complete=False)]:
        yield _outcome([], unsent, task)

    @lru_cache(maxsize=_READ_ONCE)
    def parsed(text: str) -> Parsed | Written | ParseError:
        try:
            found = task.parse(text)
        except ParseError as error:
            return error.with_traceback(None)
        if not isinstance(found, Parsed | Written):
            raise DataError(f"task {task.name!r}: parse() must return Parsed or Written, got {type(found).__name__}")
        return found

    def read(case: Case, text: str) -> Parsed | Written | ParseError:
        found = parsed(text)
        if task.check is not None and isinstance(found, Written):
            try:
                task.check(found, case.shown)
            except ParseError as error:
                return error.with_traceback(None)
        return found

    context = CallContext(
        inquiry=inquiry,
        problem_of=lambda case, text: _ReadAnswer.of(Reply(text=text), partial(read, case)).problem if follows_up else None,
        open_ledger=open_ledger,
        clips=clips,
        budget_usd=budget_usd,
    )
    batch_calls = BatchCalls(context=context, poll_schedule=PollSchedule(poll_s=poll_s))
    if mode == "live" and judge.has_batches:  # an earlier run's batches are paid for: their replies come first
        batch_calls.collect()
    calls = batch_calls if mode == "batch" else LiveCalls(context=context)
    for conversations in calls.conversations(inquiry.cases(requests, complete=True)):
        rows: list[dict[str, Any]] = []
        failures: list[dict[str, str]] = []
        for conversation in conversations:
            case = conversation.case
            answers = [_ReadAnswer.of(answer, partial(read, case)) for _, answer in conversation.exchanges]
            if (used := _used(answers)) is None:
                reason, message = answers[-1].failure
                failures.append(failure(stage, case.row_id, case.subject_id, reason, message))
            else:
                rows.append(_row(inquiry, case, used, answers))
        yield _outcome(rows, failures, task)


@dataclass(frozen=True, kw_only=True, slots=True)
class _ReadAnswer:
    """An answer, and its content or the error of reading it."""

    answer: Reply | Refusal
    content: Parsed | Written | None = None
    error: ParseError | None = None

    @classmethod
    def of(cls, answer: Reply | Refusal, read: Callable[[str], Parsed | Written | ParseError]) -> Self:
        if isinstance(answer, Refusal):
            return cls(answer=answer)
        content = read(answer.text)
        return cls(answer=answer, error=content) if isinstance(content, ParseError) else cls(answer=answer, content=content)

    @property
    def problem(self) -> str | None:
        """Why to send a follow-up; None = there is no reason, or it would be pointless."""
        if self.error is not None:
            return self.error.message
        return self.content.problem if self.content is not None else None

    @property
    def rank(self) -> int:
        """How good a readable answer is: 0 = without a problem, 1 = with a remark, 2 = without a preference."""
        if self.problem is None:
            return 0
        return 1 if isinstance(self.content, Parsed) and self.content.verdict is not None else 2

    @property
    def unsent(self) -> bool:
        """Whether the request was not sent at all, for a reason that a person can remove."""
        return isinstance(self.answer, Refusal) and self.answer.reason == DAMAGED_AUDIO

    @property
    def failure(self) -> tuple[str, str]:
        """Reason and message of an answer without content."""
        if isinstance(self.answer, Refusal):
            return self.answer.reason, self.answer.message
        assert self.error is not None
        return UNPARSABLE, f"{self.error.reason}: {self.error.message}"


def _used(answers: Sequence[_ReadAnswer]) -> _ReadAnswer | None:
    """Return the best answer that has content, the last of several: a tied first reply is used where the second has no content.

    None where a follow-up was not sent because a file is damaged: it will be sent once the file is restored.
    """
    if answers[-1].unsent:
        return None
    readable = [answer for answer in reversed(answers) if answer.content is not None]
    return min(readable, key=lambda answer: answer.rank, default=None)


def _missing(stage: str, task: TaskSpec, case: Case) -> dict[str, str]:
    column = case.missing_column
    what, reason = ("text", "missing_text") if column in task.shown else ("clip to hear", "missing_audio")
    return failure(stage, case.row_id, case.subject_id, reason, f"column {column} is null: there is no {what}")


def _row(inquiry: Inquiry, case: Case, used: _ReadAnswer, answers: Sequence[_ReadAnswer]) -> dict[str, Any]:
    reply, task, judge = used.answer, inquiry.task, inquiry.judge
    assert isinstance(reply, Reply)
    replies = [read.answer for read in answers if isinstance(read.answer, Reply)]
    row: dict[str, Any] = {
        "task": task.name,
        "judge": judge.name,
        "judge_version": judge.version,
        "model": judge.model,
        "model_served": None if reply.model_served is None else legible(reply.model_served),
        "prompt_version": task.prompt_version(case.language),
        "settings": inquiry.settings,
        "input_tokens": _total([reply.input_tokens for reply in replies]),
        "output_tokens": _total([reply.output_tokens for reply in replies]),
    }
    content = used.content
    if isinstance(content, Written):
        return row | {
            "writing_id": case.row_id,
            "subject": task.subject,
            "subject_id": case.subject_id,
            "content": canonical_json(content.content),
            "scores": list(content.scores.items()),
            "completion": content.completion,
        }
    assert content is not None
    return row | {"judgment_id": case.row_id, "pair_id": case.subject_id} | _preference(content, case)


def _preference(parsed: Parsed, case: Case) -> dict[str, Any]:
    """Return the columns about A and B, turned back to the pair's stored order."""
    first, second = ("a", "b") if case.order == "ab" else ("b", "a")
    return {
        "order": case.order,
        "vote": case.vote,
        "verdict": None if parsed.verdict is None else {"a": first, "b": second}[parsed.verdict],
        f"scores_{first}": list(parsed.scores_a.items()),
        f"scores_{second}": list(parsed.scores_b.items()),
        f"total_{first}": parsed.total_a,
        f"total_{second}": parsed.total_b,
        "completion": parsed.completion,
        "marks": list(parsed.marks) or None,
    }


def _outcome(rows: list[dict[str, Any]], failures: list[dict[str, str]], task: TaskSpec) -> Outcome:
    schema = JUDGMENTS if task.subject == "pairs" else WRITINGS
    return Outcome(rows=pa.Table.from_pylist(rows, schema=schema), failures=pa.Table.from_pylist(failures, schema=FAILURES))


def _total(counts: Sequence[int | None]) -> int | None:
    """Add up; one unknown makes the sum unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
