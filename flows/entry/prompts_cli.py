"""The commands about systems that run elsewhere: ``unisrm-data prompts export|import``."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from contracts.errors import RecipeError
from contracts.licences import licence_hint, licence_of
from flows.entry.annotate_cli import RecipePath, WorkspaceUrl
from flows.recipe.parts import NAME

prompts = typer.Typer(
    no_args_is_help=True, help="Have the prompts spoken by systems that run elsewhere: texts and references out, clips in."
)


if TYPE_CHECKING:
    from flows.recipe.preference_recipe import PreferenceRecipe
    from flows.run.pipeline import Build


def _opened(recipe: Path, workspace: str | None) -> "Build[PreferenceRecipe]":
    """Return the build of a recipe that has prompts.

    Raises:
        RecipeError: it is of a kind that has none.
    """
    from flows.recipe.preference_recipe import PreferenceRecipe
    from flows.run.pipeline import open_build

    build = open_build(recipe, workspace).as_read_only()
    if not isinstance(build.recipe, PreferenceRecipe):
        raise RecipeError(f"{recipe}: a recipe of kind {build.recipe.kind} has no prompts: nothing is spoken in it")
    return cast("Build[PreferenceRecipe]", build)


@prompts.command()
def export(
    recipe: RecipePath,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where the prompts and references go; must not be there")],
    workspace: WorkspaceUrl = None,
) -> None:
    """Write what is to be spoken: prompts.jsonl, and the reference speech as audio."""
    from flows.clips.exported_prompts import PROMPTS_FILE, export_prompts

    found = export_prompts(_opened(recipe, workspace), folder)
    if found.left_out:
        print(f"{found.left_out} prompts are left out: their references failed, see unisrm-data status", file=sys.stderr)
    print(f"{found.prompts} prompts, {found.references} references: {folder / PROMPTS_FILE}")


@prompts.command(name="import")
def take_in(
    recipe: RecipePath,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="clips named by their prompts' ids, or with a clips.jsonl")],
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="folder of the corpus to make; must not be there")],
    *,
    system: Annotated[str, typer.Option(help="what made the clips: the system's name in the recipe")],
    license_: Annotated[str, typer.Option("--license", metavar="SPDX", help="licence of the clips, an SPDX expression")],
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="take the good clips, and say what the others lack")] = False,
    workspace: WorkspaceUrl = None,
) -> None:
    """Check the clips that came back, and make a corpus of them that a recipe can name."""
    from flows.clips.returned_clips import import_clips

    if (licence := licence_of(license_)) is None:
        raise RecipeError(f"--license: there is no licence {license_!r}: {licence_hint(license_)}")
    if not re.fullmatch(NAME, system) or system == "human":
        raise RecipeError(f"--system: {system!r} cannot be the name of a system: letters, digits, '.', '_' and '-'")
    build = _opened(recipe, workspace)
    found = import_clips(build, folder, corpus, system=system, licence=licence, skip_bad=skip_bad)
    for problem in found.problems:
        print(f"left out: {problem}", file=sys.stderr)
    print(f"{found.clips} clips of {found.prompts} prompts: {corpus}; {found.without} prompts have none")
    print("in the recipe:")
    print(f"  corpora: - {{name: {system}-clips, reader: manifest, root: {corpus.resolve()}}}")
    print(f"  systems: - {{name: {system}, clips: {system}-clips}}")
