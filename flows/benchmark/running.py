"""Running a benchmark: clips into the workspace, questions to a judge or measurements, answers, results."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from annotate.models.few_shot_examples import example_columns, with_examples
from annotate.models.inquiry import Orders, played
from annotate.models.judge import Judge
from annotate.models.judging import UNPARSABLE, Mode
from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.errors import DataError, RecipeError, SetupError
from contracts.ids import canonical_json
from flows.benchmark.asking import BenchQuestion, answers_to, ask
from flows.benchmark.bench_run import BenchRun, mark, take_clips
from flows.benchmark.few_shot import draw_examples
from flows.benchmark.item_requests import inputs_of, judge_requests
from flows.benchmark.item_tasks import required_task, task_of_items
from flows.benchmark.judge_answers import on_scale
from flows.benchmark.measuring import MetricJudge, answers_by, measure_items, model_of
from flows.benchmark.released_items import OpenRelease, ReleasedItems
from flows.benchmark.results import JudgeFacts, Results, results_of
from flows.benchmark.reviewing import review, review_question
from flows.run.books import Books
from flows.run.questions import lost_ledger
from storage.downloads import unobtainable

_PLACE: Final = "(a place of one's own)"
_IS_PLACE: Final = re.compile(r"://|^[/~.]|^[A-Za-z]:\\")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a judge is asked.

    Attributes:
        task: task plug-in; None = the one that the configuration is called after.
        options: of the judge.
        orders: order of playing.
        votes: how often each question is put.
        shots: number of examples.
        shots_from: split that they come from.
        mode: one by one, or by batches.
        poll_s: first wait before a batch is looked at.
        seed: of examples and intervals.
        retry_failed: whether what failed before is tried again.
        label: what tables call the judge; empty = its model, or its name where it has none, with the number of examples.
        scale: of single clips: which score of the replies is compared (``flows.benchmark.judge_answers.on_scale``).
    """

    task: str | None = None
    options: Mapping[str, Any]
    orders: Orders = "stored"
    votes: int = 1
    shots: int = 0
    shots_from: str = "sft"
    mode: Mode = "live"
    poll_s: float = 30.0
    seed: int = 0
    retry_failed: bool = False
    label: str = ""
    scale: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """A model that reads the answers (``flows.benchmark.reviewing``).

    Attributes:
        task: task plug-in about judgments.
        judge: judge plug-in.
        options: of the judge.
    """

    task: str
    judge: str
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class BenchOutcome:
    """What a run came to.

    Attributes:
        results: the figures.
        answers: rows of ``flows.benchmark.judge_answers.JUDGE_ANSWERS``.
        books: of the requests or measurements; None = nobody was asked.
    """

    results: Results
    answers: pa.Table
    books: Books | None = None


def run_judge(run: BenchRun, release: OpenRelease, items: ReleasedItems, name: str, how: Asked) -> BenchOutcome:
    """Ask a judge about all items; what was asked before, also by a run that was cut off, is not asked again.

    Args:
        run: the run.
        release: the release.
        items: its items.
        name: the judge plug-in.
        how: how it is asked.

    Raises:
        RecipeError: judge, task, options or release do not fit.
        SetupError: a key or package is missing.
        BudgetExceeded: the next request could pass the budget; all answers so far are kept.
        DataError: no request got a reply.
    """
    prepared = prepare(run, release, items, name, how)
    question, task, judge, examples = prepared.question, prepared.task, prepared.judge, prepared.examples
    with run.workspace.lock():
        prepared.take_clips(run, release, items)
        books = ask(run, question, retry_failed=how.retry_failed)
        answers = on_scale(items, answers_to(run, question), how.scale)
    _require_some(answers, f"judge {judge.name}")
    facts = JudgeFacts(
        name=how.label or _label(judge, how),
        kind="judge",
        version=judge.version,
        model=_model(judge),
        prompts=task.versions,
        options=canonical_json(
            {"judge": name, **_public(how.options), "shots": how.shots, "orders": how.orders, "votes": how.votes}
            | ({} if how.scale is None else {"scale": how.scale})
        ),
        inputs=_inputs(items, task, judge, how, examples),
    )
    results = results_of(items, answers, facts, task=task.name, seed=how.seed)
    return BenchOutcome(results=results, answers=answers, books=books)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A question that can be asked.

    Attributes:
        question: the question.
        task: its task, without examples.
        judge: the judge.
        examples: the rows of the examples; None = there are none.
    """

    question: BenchQuestion
    task: TaskSpec
    judge: Judge
    examples: ReleasedItems | None

    def take_clips(self, run: BenchRun, release: OpenRelease, items: ReleasedItems) -> None:
        """Copy the clips that it needs. The caller holds the workspace's lock."""
        for one in (items, self.examples):
            if one is not None:
                take_clips(run, release, one.configuration, one.split)


def prepare(
    run: BenchRun, release: OpenRelease, items: ReleasedItems, name: str, how: Asked, *, is_sent: bool = True
) -> Prepared:
    """Return what a judge is to be asked, checked before any work; arguments and errors as of ``run_judge``.

    What is not to be sent needs no key.
    """
    task, judge = required_task(items, how.task), plugins.configure("judge", name, how.options)
    if items.about != "pairs" and how.orders != "stored":
        raise RecipeError("--orders: single clips have no order")
    if how.shots and judge.facts:
        raise RecipeError(f"--shots: judge {judge.name} is a rule, which learns nothing from examples")
    if is_sent:
        _require_ready(run, judge)
    requests, shown, examples = judge_requests(items, task, judge), task, None
    if how.shots:
        drawn, examples = draw_examples(release, items, task, shots=how.shots, split=how.shots_from, seed=how.seed)
        shown = with_examples(task, drawn)
        for column, clips in example_columns(drawn, requests.num_rows).items():
            requests = requests.append_column(column, clips)
    question = BenchQuestion(
        task=shown,
        judge=judge,
        requests=played(requests, orders=how.orders, votes=how.votes),
        mode=how.mode,
        poll_s=how.poll_s,
    )
    return Prepared(question=question, task=task, judge=judge, examples=examples)


def run_metric(run: BenchRun, release: OpenRelease, items: ReleasedItems, judge: MetricJudge, how: Asked) -> BenchOutcome:
    """Let a metric judge all items; arguments and errors as of ``run_judge``."""
    metric = judge.metric
    if metric.needs_reference and not _has_reference(items):
        raise RecipeError(
            f"metric {judge.name} compares clips with reference speech, and {items} has none: take another metric"
        )
    if (problem := metric.missing() or (unobtainable(metric) if run.ray_address is None else None)) is not None:
        raise SetupError(f"metric {judge.name}: {problem}")
    with run.workspace.lock():
        take_clips(run, release, items.configuration, items.split)
        books = measure_items(run, items, judge, retry_failed=how.retry_failed)
        answers = answers_by(run, items, judge)
        model, version = model_of(run, judge)
    _require_some(answers, f"metric {judge.name}")
    direction = f"the {judge.better} {judge.value} is the better clip's"
    facts = JudgeFacts(
        name=how.label or judge.label,
        kind="metric",
        version=version,
        model=model,
        options=canonical_json({"metric": judge.name, **_public(judge.options)}),
        inputs=replace(inputs_of(items, None, note=direction), **_heard_reference(items, judge)),
    )
    task = task_of_items(items, how.task)  # which of the papers' columns it is for: a metric is asked nothing
    results = results_of(items, answers, facts, task="" if task is None else task.name, seed=how.seed)
    return BenchOutcome(results=results, answers=answers, books=books)


def reviewed(run: BenchRun, items: ReleasedItems, outcome: BenchOutcome, reviewer: Reviewer, *, seed: int) -> BenchOutcome:
    """Return the outcome with the figures of a review.

    Raises:
        RecipeError: the task is no review, or there is nothing to review.
        SetupError: a key or package is missing.
        BudgetExceeded: the next request could pass the budget.
    """
    judge = plugins.configure("judge", reviewer.judge, reviewer.options)
    question = review_question(items, outcome.answers, plugins.configure("task", reviewer.task), judge)
    _require_ready(run, judge)
    with run.workspace.lock():
        mark(run)
        figures = list(review(run, items, question, seed=seed))
    results = replace(outcome.results, figures=[*outcome.results.figures, *figures])
    return replace(outcome, results=results)


def _require_some(answers: pa.Table, who: str) -> None:
    """Refuse answers of which none is one: that nothing could be asked or measured is no result. A reply out of format is one.

    Raises:
        DataError: none is.
    """
    reasons = Counter(answers["reason"].to_pylist())
    if not reasons.keys() & {None, UNPARSABLE}:
        told = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
        advice = "look for the cause; once it is removed, --retry-failed tries again"
        raise DataError(f"{who} gave none of {answers.num_rows} answers ({told}): {advice}")


def _require_ready(run: BenchRun, judge: Judge) -> None:
    if (problem := judge.missing() or judge.key_problem()) is not None:
        raise SetupError(f"judge {judge.name}: {problem}")
    if not judge.facts and (lost := lost_ledger(run)) is not None:
        raise lost


def _label(judge: Judge, how: Asked) -> str:
    name = judge.name if judge.facts else _model(judge)
    return f"{name} ({how.shots}-shot)" if how.shots else name


def _inputs(items: ReleasedItems, task: TaskSpec, judge: Judge, how: Asked, examples: ReleasedItems | None) -> Any:
    notes: Sequence[str] = [
        *([f"measured values: {', '.join(judge.facts)}"] if judge.facts else []),
        *([f"{how.shots} examples: {', '.join(examples.ids)}"[:900]] if examples is not None else []),
    ]
    return inputs_of(items, None if judge.facts else task, hears=not judge.facts, note="; ".join(notes))


def _public(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options without places in one's own house: results and tables are there to be published."""
    return {name: _PLACE if isinstance(value, str) and _IS_PLACE.search(value) else value for name, value in options.items()}


def _model(judge: Judge) -> str:
    """Return the judge's model; of one that is named by a path, the last part."""
    return re.split(r"[/\\]", judge.model.rstrip("/\\"))[-1] if _IS_PLACE.search(judge.model) else judge.model


def _heard_reference(items: ReleasedItems, judge: MetricJudge) -> dict[str, Any]:
    return {"reference": "given"} if _has_reference(items) and judge.metric.needs_reference else {}


def _has_reference(items: ReleasedItems) -> bool:
    return "prompt_audio" in items.rows.column_names and items.rows["prompt_audio"].null_count < len(items.ids)
