"""The command ``unisrm-data release``: what becomes of a finished release."""

import sys
from pathlib import Path
from typing import Annotated

import typer

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
    workspace: WorkspaceUrl = None,
) -> None:
    """Say where a recipe's release is, or export a release into the format of a trainer."""
    from flows.exports.named_release import named_release

    opened = named_release(release, workspace)
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
