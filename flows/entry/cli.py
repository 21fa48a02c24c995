"""The command line ``unisrm-data``. Each command ends with 0, or with an error that ``flows.run.ending`` turns into one line.

Heavy libraries are imported inside the commands, so that ``--help`` does not wait for them.
"""

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from contracts.errors import UnisrmError
from flows.entry.annotate_cli import RecipePath, WorkspaceUrl, annotate
from flows.entry.bench_cli import bench
from flows.entry.diff_cli import diff
from flows.entry.plugin_options import options_of
from flows.entry.printed_rows import json_text, print_rows
from flows.entry.prompts_cli import prompts
from flows.entry.rederive_cli import rederive
from flows.entry.release_cli import release
from flows.entry.terminal_flow import run_in_flow

if TYPE_CHECKING:
    from flows.run.pipeline import Waiting
    from flows.run.progress import Progress


class _Commands(TyperGroup):
    """The commands; an empty argument, as of a variable of the shell that is not set, is none that anybody means."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for number, argument in enumerate(args, start=1):
            option, sign, value = argument.partition("=")
            if not argument.strip() or (option.startswith("--") and sign and not value.strip()):
                named = f"{option}=" if sign else f"argument {number}"
                raise UnisrmError(f"{named} is empty: give it a value, or leave it out (is a variable of the shell not set?)")
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Build the data that speech reward models are trained and judged on.",
)

app.add_typer(annotate, name="annotate")
app.add_typer(prompts, name="prompts")
app.command()(release)
app.command()(diff)
app.command()(rederive)
app.add_typer(bench, name="bench")


class Acceptable(enum.StrEnum):
    """What a workspace records as used."""

    ledger = "ledger"
    listening = "listening"
    secret = "secret"  # noqa: S105 - a word of the command line


RayAddress = Annotated[str | None, typer.Option("--ray", metavar="ADDRESS", help="Ray cluster; default: an embedded one")]
AsJson = Annotated[bool, typer.Option("--json", help="machine-readable output")]


@app.command()
def build(  # noqa: PLR0917  # options come by name
    recipe: RecipePath,
    workspace: WorkspaceUrl = None,
    until: Annotated[str | None, typer.Option(metavar="STAGE", help="stop after this stage")] = None,
    ray: RayAddress = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="try again what failed before")] = False,
    no_key_check: Annotated[bool, typer.Option("--no-key-check", help="do not try the judges' keys beforehand")] = False,
) -> None:
    """Build a data set: run what is missing, skip what is there, and print the release's folder.

    A build that needs people's votes ends with a line that says how many are there; the same command carries on.
    """
    from flows.entry.build_lines import check_jobs, print_deadlines, print_notes
    from flows.run.kind import jobs_of
    from flows.run.pipeline import Waiting, forget_failures, open_build
    from flows.stages.released import seal_release

    opened = open_build(recipe, workspace, ray, collections=True)
    opened = opened.checking_keys(opened.check_keys and not no_key_check)
    jobs = jobs_of(opened, until)
    print_deadlines(jobs)

    def run(progress: "Progress") -> "str | Waiting | None":
        from flows.entry.prefect_runs import run_build  # imports Prefect, which must find the API's address set

        # check_jobs has tried the keys before Prefect started.
        return run_build(opened.checking_keys(False).watched_by(progress), until)

    for job in jobs if retry_failed else ():
        forget_failures(job.build, job.stages)
    if check_jobs(jobs):
        outcome: str | Waiting | None = run_in_flow("build-unisrm-data", run)
    else:
        print("nothing to do", file=sys.stderr)
        outcome = seal_release(opened) if jobs[-1].is_whole else None
    print_notes(jobs)
    if isinstance(outcome, Waiting):
        print(f"{outcome}; {outcome.advice}")
    elif outcome is not None:
        print(f"release: {outcome}")


@app.command()
def plan(
    recipe: RecipePath,
    workspace: WorkspaceUrl = None,
    as_json: AsJson = False,
    graph: Annotated[bool, typer.Option("--graph", help="print the stages and their tables as a Mermaid chart")] = False,
) -> None:
    """Say what a build would do, by stage, from what is there now; runs nothing."""
    from flows.run.kind import kind_of, stages_of
    from flows.run.pipeline import open_build
    from flows.views.environment_lines import environment_lines
    from flows.views.graph import mermaid

    build = open_build(recipe, workspace, collections=not graph).as_read_only()
    if graph:
        print(mermaid(build, stages_of(build)))
    else:
        print_rows([*kind_of(build).plan(build), *environment_lines(build)], as_json)


@app.command()
def status(recipe: RecipePath, workspace: WorkspaceUrl = None, as_json: AsJson = False) -> None:
    """Show rows in, done, missing, failed and dropped by reason for every stage, and what was spent."""
    from flows.run.pipeline import open_build
    from flows.run.plugin_versions import version_rows
    from flows.views.status import drift_rows, of_all_parts, status_of

    opened = open_build(recipe, workspace, collections=True).as_read_only()
    # Drift first, because the damage that it finds is listed with the stages.
    drift, stages, mixed = (of_all_parts(opened, rows) for rows in (drift_rows, status_of, version_rows))
    if as_json:
        print_rows([*stages, *drift, *mixed], as_json)
        return
    print_rows(stages, as_json)
    if drift:
        print("\ndrift between judges, on the pairs that both judged:")
        print_rows(drift, as_json)
    if mixed:
        print("\nmade by several versions (a `version` in the recipe demands one):")
        print_rows(mixed, as_json)


@app.command()
def explain(
    recipe: RecipePath,
    row_id: Annotated[str, typer.Argument(metavar="ID")],
    workspace: WorkspaceUrl = None,
    as_json: AsJson = False,
) -> None:
    """Tell the whole story of one pair, sample, prompt, utterance or file: where it came from, and what was made of it."""
    from flows.run.pipeline import open_build
    from flows.views.explain import story_of

    story = story_of(open_build(recipe, workspace, collections=True).as_read_only(), row_id)
    if as_json:
        print(json_text(story))
    else:
        for chapter, facts in story.items():
            print(f"{chapter}")
            for line in json_text(facts).split("\n"):
                print(f"  {line}")


@app.command()
def reannotate(  # noqa: PLR0917  # options come by name
    recipe: RecipePath,
    judge: Annotated[str | None, typer.Option(help="judge plug-in; default: the recipe's own, one more time")] = None,
    task: Annotated[str | None, typer.Option(help="task plug-in; default: the recipe's")] = None,
    option: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="option of the judge; may be repeated")] = None,
    mode: Annotated[str | None, typer.Option(help="live or batch")] = None,
    pairs: Annotated[int | None, typer.Option(min=1, help="ask about so many pairs only")] = None,
    workspace: WorkspaceUrl = None,
) -> None:
    """Judge the pairs once more, by another judge or as one more repetition; the labels stay as they are."""
    from flows.entry.reannotation import judged_build, requested_judge, require
    from flows.run.pipeline import open_build

    opened, options = judged_build(open_build(recipe, workspace)), options_of(option or [])
    require(opened, requested_judge(opened, judge, task, options, mode))  # before Prefect starts, which takes a while

    def run(progress: "Progress") -> dict[str, Any]:
        from flows.entry.prefect_runs import run_reannotation

        watched = opened.watched_by(progress)
        return run_reannotation(watched, judge=judge, task=task, options=options, mode=mode, pairs=pairs)

    books = run_in_flow("reannotate", run)
    failed = sum(books["failed"].values())
    print(f"reannotation: {books['rows_in']} judgments wanted, {books['rows_out']} there, {failed} failed")


@app.command()
def accept(
    recipe: RecipePath,
    what: Annotated[Acceptable, typer.Argument(help="the ledger, the listening test's store, or the key of its links")],
    workspace: WorkspaceUrl = None,
) -> None:
    """Go on with the ledger, listening test or key that is there now, or with a new one, in place of the one that was used.

    Without this word every command that would use it stops, as what was paid for or voted would be lost in silence.
    """
    from flows.run.known import WHAT, forget
    from flows.run.pipeline import open_build

    opened = open_build(recipe, workspace)
    with opened.workspace.lock():
        was = forget(opened, what.value)
    if was is None:
        print(f"{WHAT[what.value]}: none was remembered; what is there is taken as it is")
    else:
        held = ", ".join(f"{number} {item}" for item, number in was.held.items()) or "nothing known of what it held"
        print(
            f"{WHAT[what.value]}: the one at {was.where} ({held}) is expected no more; what is there now, or a new one, is used"
        )


@app.command()
def report(
    recipe: RecipePath,
    workspace: WorkspaceUrl = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="default: <name>-report.html here")] = None,
) -> None:
    """Write one self-contained HTML page: funnel, win rates, metric distributions, players."""
    from flows.run.pipeline import open_build
    from flows.views.report import write_report

    opened = open_build(recipe, workspace, collections=True).as_read_only()
    target = output or Path(f"{opened.recipe.name}-report.html")
    # A collection has a page for each part.
    pages = {target.with_stem(f"{target.stem}-{name}"): part for name, part in opened.parts.items()} or {target: opened}
    for page, build in pages.items():
        write_report(build, page)
        for what, problem in (build.problems or {}).items():
            print(f"unisrm-data: damaged: {what}: {' '.join(problem.split())}", file=sys.stderr)
        print(f"report: {page}")


@app.command()
def verify(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="folder or URL of a release")],
    as_json: AsJson = False,
) -> None:
    """Check a release: every file's size and hash, card, rows, ids, clips, and that no group lies in two splits.

    Prints one line per problem. Ends with 0 if there is none, with 1 if there are some, with 2 if there is nothing to check.
    """
    from storage.release_verification import verify_release

    found = verify_release(release)
    if as_json:
        print(json_text(found.as_dict()))
    else:
        for problem in found.problems:
            print(problem)
        print(found, file=sys.stderr)
    if found.problems:
        raise typer.Exit(1)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say which engines, metrics, judges, keys and devices this machine has, and how to get what is missing."""
    from flows.entry.doctor import examine

    print_rows(examine(), as_json)
