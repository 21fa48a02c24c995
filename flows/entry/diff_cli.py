"""The command ``unisrm-data diff``: what differs between the rows of two releases."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from flows.entry.annotate_cli import WorkspaceUrl

if TYPE_CHECKING:
    from flows.exports.named_release import NamedRelease
    from storage.release_diff import Diff
    from storage.row_changes import Change, Reasons

_RELEASE = "folder or URL of a release, or a recipe whose release is there"


def diff(
    before: Annotated[str, typer.Argument(metavar="RELEASE", help=f"the earlier one: {_RELEASE}")],
    after: Annotated[str, typer.Argument(metavar="RELEASE", help=f"the later one: {_RELEASE}")],
    recipe: Annotated[
        str | None,
        typer.Option(metavar="RECIPE", help="recipe that made the later one: its workspace tells why rows went"),
    ] = None,
    workspace: WorkspaceUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable output")] = False,
) -> None:
    """Say which rows of a release are new, gone, moved between splits, labelled otherwise or changed, and in which columns.

    Rows are the same row if they have the same id. Clips are compared by the ids in their paths; `verify` reads them.
    """
    from flows.entry.printed_rows import json_text, legible, print_rows
    from flows.exports.named_release import named_release
    from storage.release_diff import differences

    earlier, later = named_release(before, workspace), named_release(after, workspace)
    made = later if later.builds else None
    if recipe is not None:
        made = named_release(recipe, workspace)
        _require_same(made, later, recipe)
    found = differences(earlier.compared, later.compared, None if made is None else _reasons(made))
    if as_json:
        print(json_text(found.as_dict()))
        return
    print_rows([_row(change) for change in found.changes], as_json)
    for line in _other_lines(found):
        print(legible(line))
    print(legible(str(found)))


def _require_same(made: "NamedRelease", later: "NamedRelease", recipe: str) -> None:
    from contracts.errors import DataError

    if (built := made.compared.name) != (name := later.compared.name):
        raise DataError(
            f"{recipe} released {built} last, not {name}: its workspace tells why rows went from {built} only; "
            "leave --recipe out, or compare with that release"
        )


def _reasons(made: "NamedRelease") -> "Reasons":
    from flows.views.gone_rows import NOT_MADE, reasons_of

    def reasons(configuration: str, ids: Sequence[str]) -> dict[str, str]:
        known = dict[str, str]()
        for build in made.builds_of(configuration):
            # What one part of a collection does not make, another one may have dropped.
            known |= {key: why for key, why in reasons_of(build, ids).items() if known.get(key, NOT_MADE) == NOT_MADE}
        return known

    return reasons


def _row(change: "Change") -> dict[str, object]:
    from flows.entry.printed_rows import legible

    shown = [f"{key} ({change.reason_of[key]})" if key in change.reason_of else key for key in change.ids]
    return {
        "configuration": change.configuration,
        "what": change.what,
        "split": change.split,
        "rows": change.rows,
        "why, or in which columns": {legible(name): rows for name, rows in {**change.reasons, **change.columns}.items()},
        "ids": legible(", ".join(shown)) + (", ..." if change.rows > len(shown) else ""),
    }


def _other_lines(found: "Diff") -> list[str]:
    return [
        *(f"configuration {config}: new columns {', '.join(names)}" for config, names in found.columns_added.items()),
        *(f"configuration {config}: columns gone {', '.join(names)}" for config, names in found.columns_gone.items()),
        *(f"other file that differs: {path}" for path in found.files),
    ]
