"""Kinds of data sets, one file each in ``flows/kinds``: what an item is, and which stages make and release items."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from contracts import plugins
from flows.recipe.model import Recipe
from flows.run.item_tables import PAIRS, ItemTable
from flows.run.pipeline import Asking, Build, R_contra, Stage
from flows.run.question import RoleQuestion

Line = dict[str, object]
"""One row of a plan."""


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[R_contra]):
    """One kind of data set.

    Attributes:
        recipe: class of its recipes.
        stages: its stages in order, the release last.
        plan: returns one row per stage: wanted rows, done rows, and the cost of the others.
        check: raises ``RecipeError`` if the parts of a recipe do not fit each other.
        item: what its items are.
        report: returns sections of the report about such items: a template (a name in ``flows/views``, or an absolute path) and
            its content, there called ``part``.
    """

    recipe: type[Recipe]
    stages: tuple[Stage[R_contra], ...]
    plan: Callable[[Build[R_contra]], list[Line]]
    check: Callable[[Any], None] = lambda _recipe: None
    item: ItemTable = PAIRS
    report: Callable[[Build[R_contra]], Sequence[tuple[str, Mapping[str, Any]]]] = lambda _build: ()


def kind_of(build: Build) -> Kind[Any]:
    """Return the kind of data set that a build makes."""
    kind: Kind[Any] = plugins.load("kind", build.recipe.kind)
    return kind


def item_of(build: Build) -> ItemTable:
    """Return what the items of a build are."""
    return kind_of(build).item


def stages_of(build: Build) -> tuple[Stage[Any], ...]:
    """Return the stages that the recipe wants."""
    return tuple(stage for stage in kind_of(build).stages if stage.active(build))


def asking_stages(build: Build) -> list[tuple[str, Asking[Any]]]:
    """Return the stages that ask judges or writers, in order: name, and what they ask."""
    return [(stage.name, stage.asks) for stage in stages_of(build) if stage.asks is not None]


def questions_of(build: Build, stage: str) -> Sequence[RoleQuestion]:
    """Return what a stage asks judges or writers; nothing if the recipe has no such stage."""
    return next((asking.questions(build) for name, asking in asking_stages(build) if name == stage), ())
