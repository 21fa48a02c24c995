"""A collection: several recipes as the configurations of one release, disjoint across them (UniSRM-Data as a whole).

Each part is a recipe of another kind and is built by the stages of that kind, all but its release, in a workspace of its own.
"""

from collections.abc import Sequence
from typing import Final

from flows.recipe.collection_recipe import CollectionRecipe, check
from flows.run.kind import Kind, Line, kind_of
from flows.run.pipeline import Build
from flows.stages import collection
from flows.views.plan_lines import plan_line, release_line


def _plan(build: Build) -> list[Line]:
    """Return the lines of all parts, the money in all, and the release."""
    found = {name: kind_of(part).plan(part) for name, part in build.parts.items()}
    lines = [line | {"stage": f"{name}: {line['stage']}"} for name, of in found.items() for line in of if not _is_release(line)]
    money = [line for of in found.values() for line in of if line["stage"] == "money"]
    if money:
        usd = round(_sum(money, "usd_at_most"), 2)
        lines.append(plan_line("money", 0, calls=int(_sum(money, "calls")), usd_at_most=usd) | {"note": "of all parts"})
    releases = [line for of in found.values() for line in of if _is_release(line)]
    return [*lines, release_line(build, int(_sum(releases, "rows")), round(_sum(releases, "disk_mb"), 1))]


def _is_release(line: Line) -> bool:
    return line["stage"] == collection.STAGE.name


def _sum(lines: Sequence[Line], column: str) -> float:
    return sum(float(str(line[column])) for line in lines)


PLUGIN: Final = Kind(recipe=CollectionRecipe, check=check, stages=(collection.STAGE,), plan=_plan)
