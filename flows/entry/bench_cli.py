"""The commands about benchmarks: ``unisrm-data bench run|score|table``."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from contracts.errors import RecipeError
from flows.entry.plugin_options import options_of

if TYPE_CHECKING:
    from flows.benchmark.bench_run import BenchRun
    from flows.benchmark.released_items import OpenRelease, ReleasedItems
    from flows.benchmark.running import Asked, BenchOutcome, Reviewer

bench = typer.Typer(no_args_is_help=True, help="Judges, metrics and predictions against the labels and scores of a release.")

ReleaseUrl = Annotated[str, typer.Argument(metavar="RELEASE", help="folder or URL of a release")]
Configuration = Annotated[str | None, typer.Option(help="configuration; default: the only one")]
Split = Annotated[str, typer.Option(help="split whose items are judged")]
Task = Annotated[str | None, typer.Option(help="task plug-in; default: the one that the configuration is called after")]
Scale = Annotated[str | None, typer.Option(help="of replies about clips rated on one scale: the score that is compared")]
Seed = Annotated[int, typer.Option(help="of intervals and triplets")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="default: <judge>-<configuration>-<split>.bench.json here")]

Budget = Annotated[float | None, typer.Option(min=0, help="what all runs on the release may cost together; default: nothing")]
BenchWorkspace = Annotated[
    str | None, typer.Option("--workspace", help="folder of its own; default: bench-<release> below workspaces")
]
Review = Annotated[str | None, typer.Option(metavar="TASK", help="task about judgments, by which answers are reviewed")]
ReviewerName = Annotated[str | None, typer.Option(metavar="JUDGE", help="judge plug-in that reviews")]
ReviewerOption = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="of the reviewer; repeatable")]


@bench.command()
def score(  # noqa: PLR0917  # options come by name
    release: ReleaseUrl,
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS", help="JSON Lines, CSV or Parquet: docs/benchmarks.md")],
    configuration: Configuration = None,
    split: Split = "bench",
    task: Task = None,
    scale: Scale = None,
    review: Review = None,
    reviewer: ReviewerName = None,
    reviewer_option: ReviewerOption = None,
    budget_usd: Budget = None,
    workspace: BenchWorkspace = None,
    name: Annotated[str | None, typer.Option(help="what tables call the model; default: the file's name")] = None,
    seed: Seed = 0,
    output: Output = None,
) -> None:
    """Score the predictions of a model that ran elsewhere."""
    from flows.benchmark.item_tasks import task_of_items
    from flows.benchmark.judge_answers import on_scale
    from flows.benchmark.predictions import read_predictions, told_file
    from flows.benchmark.released_items import OpenRelease
    from flows.benchmark.results import JudgeFacts, results_of
    from flows.benchmark.running import BenchOutcome, reviewed

    opened = OpenRelease.of(release)
    items = opened.items(configuration, split)
    spec = task_of_items(items, task)
    answers = on_scale(items, read_predictions(predictions, items, spec, scale=scale), scale)
    judge = JudgeFacts(name=name or predictions.stem, kind="predictions", options=told_file(predictions, scale))
    results = results_of(items, answers, judge, task="" if spec is None else spec.name, seed=seed)
    outcome = BenchOutcome(results=results, answers=answers)
    if (who := _reviewer(review, reviewer, reviewer_option)) is not None:
        with _bench_run(opened, workspace, budget_usd) as context:
            outcome = reviewed(context, items, outcome, who, seed=seed)
    _finish(outcome, output)


@bench.command()
def run(  # noqa: PLR0917  # options come by name
    release: ReleaseUrl,
    judge: Annotated[str | None, typer.Option(help="judge plug-in")] = None,
    metric: Annotated[str | None, typer.Option(help="metric plug-in, in place of a judge")] = None,
    value: Annotated[str | None, typer.Option(help="of the metric's values the one to judge by; default: its first")] = None,
    configuration: Configuration = None,
    split: Split = "bench",
    task: Task = None,
    scale: Scale = None,
    option: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="of the judge or metric; repeatable")] = None,
    orders: Annotated[str, typer.Option(help="stored, or both: once more with the clips exchanged")] = "stored",
    votes: Annotated[int, typer.Option(min=1, max=99, help="how often each question is put")] = 1,
    shots: Annotated[int, typer.Option(min=0, max=64, help="examples before each question: 2 to 16 in SpeechJudge")] = 0,
    shots_from: Annotated[str, typer.Option(metavar="SPLIT", help="split that examples come from")] = "sft",
    mode: Annotated[str, typer.Option(help="live, or batch: by the provider's batches")] = "live",
    review: Review = None,
    reviewer: ReviewerName = None,
    reviewer_option: ReviewerOption = None,
    budget_usd: Budget = None,
    workspace: BenchWorkspace = None,
    ray: Annotated[str | None, typer.Option("--ray", metavar="ADDRESS", help="cluster that measures; default: here")] = None,
    name: Annotated[str | None, typer.Option(help="what tables call the judge; default: its model")] = None,
    seed: Seed = 0,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="try again what failed before")] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="say what a judge would be asked and cost at most, and ask nothing")
    ] = False,
    output: Output = None,
) -> None:
    """Let a judge, or a metric as a judge, judge the items of a release; a run that was cut off goes on where it was."""
    from typing import get_args

    from annotate.models.inquiry import Orders
    from annotate.models.judging import Mode
    from flows.benchmark.measuring import MetricJudge
    from flows.benchmark.released_items import OpenRelease
    from flows.benchmark.running import Asked, reviewed, run_judge, run_metric

    if (judge is None) == (metric is None):
        raise RecipeError("name one of --judge and --metric")
    if metric is not None and (orders, votes, shots, mode, plan) != ("stored", 1, 0, "live", False):
        raise RecipeError("--orders, --votes, --shots, --mode and --plan are for judges: a metric measures each clip once")
    if judge is not None and value is not None:
        raise RecipeError("--value is for metrics")
    for what, given, known in (("--orders", orders, get_args(Orders)), ("--mode", mode, get_args(Mode))):
        if given not in known:
            raise RecipeError(f"{what} {given!r} is unknown: take {' or '.join(known)}")
    options, who = options_of(option or []), _reviewer(review, reviewer, reviewer_option)
    how = Asked(
        task=task,
        options=options,
        orders=cast("Orders", orders),
        votes=votes,
        shots=shots,
        shots_from=shots_from,
        mode=cast("Mode", mode),
        seed=seed,
        retry_failed=retry_failed,
        label=name or "",
        scale=scale,
    )
    opened = OpenRelease.of(release)
    items = opened.items(configuration, split)
    with _bench_run(opened, workspace, budget_usd, ray) as context:
        if judge is not None and plan:
            _print_plan(context, opened, items, judge, how)
            return
        if judge is not None:
            outcome = run_judge(context, opened, items, judge, how)
        else:
            outcome = run_metric(context, opened, items, MetricJudge.of(metric or "", options, value), how)
        if who is not None:
            outcome = reviewed(context, items, outcome, who, seed=seed)
    _finish(outcome, output)


@bench.command()
def table(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS...", help="files that `bench run` and `bench score` wrote")],
    form: Annotated[str, typer.Option("--format", help="md, csv or html: one self-contained page")] = "md",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="default: this terminal")] = None,
) -> None:
    """Lay results out in the rows of the papers' tables."""
    from typing import get_args

    from flows.benchmark.leaderboard import Format, render
    from flows.benchmark.results import read_results
    from storage.local_files import OUTPUT, atomic_path, storage_errors

    if form not in get_args(Format):
        raise RecipeError(f"--format {form!r} is unknown: take {' or '.join(get_args(Format))}")
    text = render([read_results(path) for path in results], cast("Format", form))
    if output is None:
        print(text, end="")
        return
    with storage_errors(f"writing {output}", OUTPUT), atomic_path(output) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    print(f"table: {output}")


@contextlib.contextmanager
def _bench_run(
    release: "OpenRelease", workspace: str | None, budget_usd: float | None, ray: str | None = None
) -> Iterator["BenchRun"]:
    """Yield the run of a benchmark with its progress on this terminal."""
    from flows.benchmark.bench_run import BenchRun, bench_workspace
    from flows.entry.terminal_flow import observed

    where = bench_workspace(workspace, release)
    with observed() as progress:
        yield BenchRun(
            workspace=where, account=f"bench {release.name}", budget_usd=budget_usd, progress=progress, ray_address=ray
        )


def _print_plan(run: "BenchRun", release: "OpenRelease", items: "ReleasedItems", judge: str, how: "Asked") -> None:
    from flows.benchmark.cost_ahead import cost_ahead
    from flows.benchmark.running import prepare

    prepared = prepare(run, release, items, judge, how, is_sent=False)
    with run.workspace.lock():
        prepared.take_clips(run, release, items)
    print(cost_ahead(run, prepared.question))


def _reviewer(task: str | None, judge: str | None, options: list[str] | None) -> "Reviewer | None":
    from flows.benchmark.running import Reviewer

    if (task is None) != (judge is None):
        raise RecipeError("--review and --reviewer belong together: a task about judgments, and the judge that does it")
    return None if task is None or judge is None else Reviewer(task=task, judge=judge, options=options_of(options or []))


def _finish(outcome: "BenchOutcome", output: Path | None) -> None:
    """Write the results, print the figures about all items, and where the rest is."""
    from flows.benchmark.results import default_path, write_results
    from flows.entry.printed_rows import print_rows
    from flows.run.books import in_words

    results = outcome.results
    path = output or default_path(results)
    write_results(path, results, outcome.answers)
    rows: list[dict[str, object]] = [
        {
            "figure": " ".join([one.name, *one.of.values()]) + (" votes" if "votes" in one.of else ""),
            "value": one.measure.why if one.measure.value is None else f"{one.measure.value:.4f}",
            "interval": "" if one.measure.low is None else f"{one.measure.low:.4f} to {one.measure.high:.4f}",
            "n": one.measure.n,
        }
        for one in results.figures
        if set(one.of) <= {"scale", "dimension", "votes"}
    ]
    print_rows(rows, as_json=False)
    if results.unreadable:
        print("not readable: " + ", ".join(f"{reason} {number}" for reason, number in results.unreadable.items()))
    for line in in_words([outcome.books] if outcome.books is not None else []):
        print(line)
    print(f"results: {path}")
