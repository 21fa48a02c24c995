"""What a build tells of its new release: how it differs from the one before it in the same workspace."""

from collections.abc import Sequence
from typing import Final

from contracts.errors import DamagedPart, DataError
from flows.run.pipeline import Build
from storage.release_diff import Compared, Diff, differences
from storage.release_manifest import MANIFEST
from storage.release_reader import current_release, release_before, shards_of
from storage.row_changes import Change, What

_NAMED: Final = 3
_HARMFUL: Final[frozenset[What]] = frozenset({"gone", "moved", "relabelled", "exchanged"})
"""Changes whose rows are named: whoever compares figures over two versions of a benchmark must know of them."""


def changes_since_before(build: Build) -> list[str]:
    """Return one line on what differs between the build's release and the one before it; none if there was none before.

    A release before that is gone or damaged is no error: the line says that nothing was compared.
    """
    name, before = current_release(build.workspace), release_before(build.workspace)
    if name is None or before is None:
        return []
    if not build.workspace.exists(f"{before}/{MANIFEST}"):
        return [f"the release before, {before}, is not there any more: it was not compared with the new one"]
    try:
        found = differences(_compared(build, before), _compared(build, name))
    except (DamagedPart, DataError) as error:
        return [f"the release before, {before}, was not compared with the new one: {' '.join(str(error).split())}"]
    more = [f"`unisrm-data diff` of {before} and {name} tells more"] if found.changes else []
    return ["; ".join([*_lines(found), *more])]


def _compared(build: Build, folder: str) -> Compared:
    return Compared(workspace=build.workspace, folder=folder, shards=shards_of(build.workspace, folder))


def _lines(found: Diff) -> list[str]:
    said = [f"since the release before, {found}"]
    said += [f"configuration {config}: {_of_configuration(found.changes, config)}" for config in _configurations(found)]
    said += [f"new columns in {config}: {', '.join(names)}" for config, names in found.columns_added.items()]
    said += [f"columns gone from {config}: {', '.join(names)}" for config, names in found.columns_gone.items()]
    return said


def _configurations(found: Diff) -> list[str]:
    return list(dict.fromkeys(change.configuration for change in found.changes))


def _of_configuration(changes: Sequence[Change], config: str) -> str:
    return ", ".join(_in_words(change) for change in changes if change.configuration == config)


def _in_words(change: Change) -> str:
    named = ", ".join(change.ids[:_NAMED]) + (", ..." if change.rows > _NAMED else "")
    return f"{change.split} {change.rows} {change.what}" + (f" ({named})" if change.what in _HARMFUL else "")
