"""Reading recipes. The error of an unknown key names the nearest known one, or the kind that has such a key."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from contracts import plugins
from contracts.errors import RecipeError
from contracts.yaml_mapping import read_yaml
from flows.recipe.checks import check
from flows.recipe.model import Recipe
from flows.recipe.parts import expanded

DEFAULT_KIND: Final = "preference"


def load(path: str | os.PathLike[str]) -> Recipe:
    """Read and check a recipe.

    Options of plug-ins are checked by the plug-ins, before anything runs.

    Raises:
        RecipeError: no such file, no YAML, an unknown kind or key, a wrong value, an unknown plug-in or a wrong option of one;
            the message names the file and the field.
    """
    file = Path(path)
    raw = read_yaml(file, "a recipe")
    try:
        if isinstance(folder := raw.get("plugins"), str):
            plugins.add_folder((file.parent / Path(expanded(folder, "plugins")).expanduser()).resolve())
        kind = _kind(raw.get("kind", DEFAULT_KIND))
        recipe: Recipe = kind.recipe.model_validate(raw).rooted(file.parent)
        check_whole(recipe)
    except ValidationError as error:
        problems = (_explain(problem, kind.recipe) for problem in error.errors())
        raise RecipeError(f"{file}: " + "; ".join(problems)) from None
    except RecipeError as error:
        raise RecipeError(f"{file}: {error}") from error
    return recipe


def check_whole(recipe: Recipe) -> None:
    """Check what no section alone shows: the sections against each other and the plug-ins, and what the kind demands.

    Raises:
        RecipeError: they do not fit.
    """
    check(recipe)
    _kind(recipe.kind).check(recipe)


def _kind(name: object) -> Any:
    """Return a kind of data set. It is loaded by name, because its module imports the stages, which import recipes."""
    if not isinstance(name, str):
        raise RecipeError(f"kind: {name!r} is no name; known: {', '.join(plugins.names('kind'))}")
    return plugins.configure("kind", name)


def _explain(problem: Mapping[str, Any], recipe: type[Recipe]) -> str:
    """Return a validation problem with its place and, for an unknown key, the nearest known one."""
    where = ".".join(str(step) for step in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{where or 'recipe'}: {problem['msg'].removeprefix('Value error, ')}"
    *parents, key = problem["loc"]
    if not parents and (kinds := _kinds_with(str(key))):
        return f"{where}: is a key of kind {' and '.join(kinds)}; this recipe is of another kind"
    known = _known_keys(tuple(step for step in parents if isinstance(step, str)), recipe)
    close = get_close_matches(str(key), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    return f"{where}: unknown key, {hint}"


def _kinds_with(key: str) -> list[str]:
    return [name for name, kind in plugins.intact("kind").items() if key in _keys(kind.recipe)]


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _known_keys(parents: tuple[str, ...], recipe: type[Recipe]) -> list[str]:
    model: type[BaseModel] = recipe
    for step in parents:
        if step in model.model_fields:  # else it is a key of a mapping, whose value type is already the model
            model = next(_models(model.model_fields[step].annotation))
    return _keys(model)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the sections in a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models(part)
