"""Judging: from requests (see ``annotate.models.inquiry``) to rows of ``judgments`` or ``writings``, through the ledger.

A row costs at most two replies: one that does not parse, or whose totals are equal, is followed by one more request that names
the problem. Replies lie in the ledger before they are parsed here, so a better parser reads them again for nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, Self

import pyarrow as pa

from annotate.models.calls.batch_calls import Batching
from annotate.models.calls.batch_polling import Patience
from annotate.models.calls.case_state import Terms
from annotate.models.calls.live_calls import Asking
from annotate.models.inquiry import Case, Inquiry
from annotate.models.judge import Judge, Refusal, Reply
from annotate.models.ledger.ledger import Ledger
from annotate.models.task import Parsed, ParseError, TaskSpec, Written
from contracts.errors import SetupError
from contracts.ids import canonical_json
from contracts.jobs import Outcome
from contracts.schemas import FAILURES, JUDGMENTS, WRITINGS, failure, legible
from storage.blobs import DAMAGED_AUDIO, BlobStore

Mode = Literal["live", "batch"]

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
) -> Iterator[Outcome]:
    """Judge, or write about, every row; what the ledger holds already is read, only the rest is asked.

    Args:
        requests: the rows.
        task: what is asked.
        judge: who is asked.
        stage: name of the stage, for failures.
        open_ledger: opens the ledger, where replies are made durable before they are used.
        clips: where the audio is; None only where no question has any.
        budget_usd: what all calls of this ledger's account may cost together, earlier runs included; None = no paid call.
        mode: one by one, or through the provider's batches.
        poll_s: first wait before a batch is looked at.

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
    if unasked := [_unasked(stage, task, case) for case in inquiry.cases(requests, lacking=True)]:
        yield _outcome([], unasked, task)

    @lru_cache(maxsize=_READ_ONCE)
    def read(text: str) -> Parsed | Written | ParseError:
        try:
            return task.parse(text)
        except ParseError as error:
            return error.with_traceback(None)

    terms = Terms(
        inquiry=inquiry,
        problem_of=lambda text: _Reading.of(Reply(text=text), read).problem,
        open_ledger=open_ledger,
        clips=clips,
        budget_usd=budget_usd,
    )
    batching = Batching(terms=terms, patience=Patience(poll_s=poll_s))
    if mode == "live" and judge.has_batches:  # what an earlier run handed in is paid for: its replies come first
        batching.collect()
    asking = batching if mode == "batch" else Asking(terms=terms)
    for talks in asking.talks(inquiry.cases(requests, lacking=False)):
        rows: list[dict[str, Any]] = []
        failures: list[dict[str, str]] = []
        for talk in talks:
            trail = [_Reading.of(answer, read) for _, answer in talk.trail]
            # A tied first reply stands where the second one cannot be read.
            # It does not stand for a question that is asked again when a file is restored.
            standing = None if trail[-1].undecided else next((one for one in reversed(trail) if one.said is not None), None)
            if standing is None:
                reason, message = trail[-1].failure
                failures.append(failure(stage, talk.case.row_id, talk.case.subject_id, reason, message))
            else:
                rows.append(_row(inquiry, talk.case, standing, trail))
        yield _outcome(rows, failures, task)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """An answer and what it says."""

    answer: Reply | Refusal
    said: Parsed | Written | None = None
    error: ParseError | None = None

    @classmethod
    def of(cls, answer: Reply | Refusal, read: Callable[[str], Parsed | Written | ParseError]) -> Self:
        if isinstance(answer, Refusal):
            return cls(answer=answer)
        said = read(answer.text)
        return cls(answer=answer, error=said) if isinstance(said, ParseError) else cls(answer=answer, said=said)

    @property
    def problem(self) -> str | None:
        """Why to ask once more; None = no reason, or no hope."""
        if self.error is not None:
            return self.error.message
        return self.said.problem if self.said is not None else None

    @property
    def undecided(self) -> bool:
        """Whether the question was not put at all, for a reason that passes."""
        return isinstance(self.answer, Refusal) and self.answer.reason == DAMAGED_AUDIO

    @property
    def failure(self) -> tuple[str, str]:
        """Reason and message of an answer that says nothing."""
        if isinstance(self.answer, Refusal):
            return self.answer.reason, self.answer.message
        assert self.error is not None
        return "unparsable_reply", f"{self.error.reason}: {self.error.message}"


def _unasked(stage: str, task: TaskSpec, case: Case) -> dict[str, str]:
    what, reason = ("text", "missing_text") if case.lacking in task.shown else ("clip to hear", "missing_audio")
    return failure(stage, case.row_id, case.subject_id, reason, f"column {case.lacking} is null: there is no {what}")


def _row(inquiry: Inquiry, case: Case, standing: _Reading, trail: Sequence[_Reading]) -> dict[str, Any]:
    reply, task, judge = standing.answer, inquiry.task, inquiry.judge
    assert isinstance(reply, Reply)
    replies = [reading.answer for reading in trail if isinstance(reading.answer, Reply)]
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
    if isinstance(standing.said, Written):
        said = standing.said
        return row | {
            "writing_id": case.row_id,
            "subject": task.subject,
            "subject_id": case.subject_id,
            "content": canonical_json(said.content),
            "scores": list(said.scores.items()),
            "completion": said.completion,
        }
    assert standing.said is not None
    return row | {"judgment_id": case.row_id, "pair_id": case.subject_id} | _preference(standing.said, case)


def _preference(said: Parsed, case: Case) -> dict[str, Any]:
    """Return the columns that speak of A and B, turned back to the pair's stored order."""
    first, second = ("a", "b") if case.order == "ab" else ("b", "a")
    return {
        "order": case.order,
        "vote": case.vote,
        "verdict": None if said.verdict is None else {"a": first, "b": second}[said.verdict],
        f"scores_{first}": list(said.scores_a.items()),
        f"scores_{second}": list(said.scores_b.items()),
        f"total_{first}": said.total_a,
        f"total_{second}": said.total_b,
        "completion": said.completion,
    }


def _outcome(rows: list[dict[str, Any]], failures: list[dict[str, str]], task: TaskSpec) -> Outcome:
    schema = JUDGMENTS if task.subject == "pairs" else WRITINGS
    return Outcome(rows=pa.Table.from_pylist(rows, schema=schema), failures=pa.Table.from_pylist(failures, schema=FAILURES))


def _total(counts: Sequence[int | None]) -> int | None:
    """Add up; one unknown makes the sum unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
