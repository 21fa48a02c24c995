"""The command ``unisrm-data release``: what becomes of a finished release."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from contracts.errors import RecipeError
from flows.entry.annotate_cli import WorkspaceUrl


def release(  # noqa: PLR0917  # options come by name
    release: Annotated[
        str, typer.Argument(metavar="RECIPE_OR_RELEASE", help="recipe whose release is there, or folder or URL of a release")
    ],
    export: Annotated[str | None, typer.Option("--export", metavar="FORMAT", help="write it in a trainer's format")] = None,
    configuration: Annotated[str | None, typer.Option(help="export this configuration alone")] = None,
    split: Annotated[str | None, typer.Option(help="export this split alone")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="must not be there; default: <release>-<format> here")
    ] = None,
    task: Annotated[str | None, typer.Option(help="task of the rows, where they do not tell it themselves")] = None,
    reward: Annotated[str | None, typer.Option(help="reward plug-in for reinforcement learning; default: the task's")] = None,
    push: Annotated[
        str | None,
        typer.Option("--push", metavar="ORG/NAME", help="upload it to the Hugging Face Hub: private, tagged vVERSION"),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="let everybody see what was pushed, if the rows' licences do")
    ] = False,
    gated: Annotated[
        Literal["auto", "manual"] | None,
        typer.Option("--gated", help="public, but who wants the files asks for them: auto or manual approval"),
    ] = None,
    permitted: Annotated[
        list[str] | None,
        typer.Option("--permitted", metavar="LICENCE", help="this licence permits --public, as you vouch; may be repeated"),
    ] = None,
    workspace: WorkspaceUrl = None,
) -> None:
    """Say where a recipe's release is, export it into the format of a trainer, or push it to the Hugging Face Hub."""
    from flows.exports.named_release import named_release

    if push is None and (public or gated or permitted):
        raise RecipeError("--public, --gated and --permitted say who may see a release that is pushed: add --push ORG/NAME")
    if push is not None and any((export, configuration, split, output, task, reward)):
        raise RecipeError("--push uploads a release as it is: leave --export and its options out")
    opened = named_release(release, workspace)
    if push is not None:
        from flows.exports.hub import HubRepository
        from flows.exports.push import Push, push_release

        wanted_push = Push(repository=HubRepository(push), public=public, gate=gated, permitted=permitted or ())
        print(f"pushed: {push_release(opened, wanted_push)}")
        return
    if export is None:
        print(f"release: {opened.workspace.path(opened.folder)}")
        return
    from flows.exports.export import Wanted, export_release

    wanted = Wanted(format=export, configuration=configuration, split=split, task=task, reward=reward)
    target = output or Path(f"{opened.name}-{export}")
    *told, last = export_release(opened, target, wanted).lines()
    for line in told:
        print(line, file=sys.stderr)
    print(last)
