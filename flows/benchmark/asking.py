"""Asking a judge about released items, through the same ledger, limits, budget and batches as a build."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pyarrow as pa

from annotate.models.inquiry import Inquiry, row_ids
from annotate.models.judge import Judge
from annotate.models.judging import Mode
from annotate.models.request import Reply
from annotate.models.task import TaskSpec
from contracts.joins import among
from contracts.schemas import empty, key_of
from flows.benchmark.bench_run import BenchRun
from flows.benchmark.judge_answers import COMPLETION, JUDGE_ANSWERS, unreadable
from flows.run.books import Books
from flows.run.questions import ask_missing, known_ledger
from flows.run.wanted import table_of
from flows.run.work import count_done

_STAGE_OF: Final = {"pairs": "judgments"}
_PLACE: Final = ("subject_id", "order", "vote")


@dataclass(frozen=True, kw_only=True)
class BenchQuestion:
    """A question of a benchmark (``flows.run.question.Question``): each request is sent once, as in the papers."""

    task: TaskSpec
    judge: Judge
    requests: pa.Table
    mode: Mode = "live"
    poll_s: float = 30.0
    follows_up: bool = False

    @cached_property
    def ids(self) -> pa.Array:
        """Keys of the rows that the requests become."""
        return row_ids(self.requests, task=self.task, judge=self.judge)

    @property
    def stage(self) -> str:
        """Stage whose tables its answers are in."""
        return _STAGE_OF.get(self.task.subject, "reviews" if self.task.subject == "judgments" else "writings")


def ask(run: BenchRun, question: BenchQuestion, *, retry_failed: bool = False) -> Books:
    """Ask what was not asked before, and return the books. The caller holds the workspace's lock.

    Args:
        run: the run.
        question: the question.
        retry_failed: whether requests that failed before are sent again.
    """
    stage = question.stage
    if retry_failed:
        run.tables.replace(f"failures@{stage}", empty("failures"))
    ask_missing(run, stage, table_of(stage), [question])
    return count_done(run, stage).balanced()


def answers_to(run: BenchRun, question: BenchQuestion) -> pa.Table:
    """Return the answers to a question that was asked, in the order of its requests: rows of ``JUDGE_ANSWERS``."""
    stage = question.stage
    table = table_of(stage)
    rows = _by_key(among(run.tables.read(table), key_of(table), question.ids), key_of(table))
    failures = _by_key(among(run.tables.read(f"failures@{stage}"), "row_id", question.ids), "row_id")
    replies = _replies(run, question)
    found = list[dict[str, Any]]()
    places = zip(question.ids.to_pylist(), *(question.requests[name].to_pylist() for name in _PLACE), strict=True)
    for key, item, order, vote in places:
        place = {"item_id": item, "order": order, "vote": vote}
        reply = replies.get(key)
        paid = {} if reply is None else {"cost_usd": reply.cost_usd, "latency_s": reply.latency_s}
        if (row := rows.get(key)) is not None:
            found.append(
                place
                | paid
                | {name: row[name] for name in ("verdict", "scores_a", "scores_b", "scores", COMPLETION) if name in row}
            )
        else:
            failure = failures[key]
            found.append(place | paid | unreadable(failure["reason"], failure["message"]))
    return pa.Table.from_pylist(found, schema=JUDGE_ANSWERS)


def _by_key(table: pa.Table, key: str) -> Mapping[str, dict[str, Any]]:
    return {row[key]: row for row in table.to_pylist()}


def _replies(run: BenchRun, question: BenchQuestion) -> dict[str, Reply]:
    """Return key of the row -> reply in the ledger, which knows cost and time."""
    cases = {
        case.request.key: case.row_id
        for case in Inquiry.of(question.task, question.judge).cases(question.requests, complete=True)
    }
    if (known := known_ledger(run)) is None:
        return {}
    with known as ledger:
        return {cases[key]: reply for key, reply in ledger.replies(sorted(cases)).items()}
