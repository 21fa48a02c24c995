"""Kinds of data sets, one file each in ``flows/kinds``: what an item is, and which stages make and release items."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from contracts import plugins
from contracts.errors import RecipeError
from flows.recipe.model import Recipe
from flows.run.item_tables import PAIRS, ItemTable
from flows.run.pipeline import PART_SIGN, Asking, Build, R_contra, Stage, Waiting, up_to
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


@dataclass(frozen=True, kw_only=True)
class Job:
    """Stages of one build, in order."""

    build: Build
    stages: tuple[Stage[Any], ...]

    @property
    def is_whole(self) -> bool:
        """Whether it ends with the release."""
        return self.stages == stages_of(self.build)

    @property
    def part(self) -> str | None:
        """Name of the part of a collection whose stages they are."""
        return None if self.build.membership is None else self.build.membership.part

    def named(self, what: object) -> str:
        """Return what is to be said of it, with the name of its part if it has one."""
        return str(what) if self.part is None else f"{self.part}: {what}"


def jobs_of(build: Build, until: str | None = None) -> list[Job]:
    """Return what is to be run: the stages of a build; of a collection those of its parts, all but their releases, and its own.

    Args:
        build: the build.
        until: last stage to run; None = all.

    Raises:
        RecipeError: there is no such stage, or it is one of a part.
    """
    if not build.parts:
        return [Job(build=build, stages=up_to(stages_of(build), until))]
    if until is not None:
        raise RecipeError(f"--until {until}: is for a part of the collection, which RECIPE{PART_SIGN}PART names")
    jobs = [Job(build=part, stages=stages_of(part)[:-1]) for part in build.parts.values()]
    return [*jobs, Job(build=build, stages=stages_of(build))]


def all_waiting(waiting: Mapping[str, Waiting], parts: int) -> Waiting:
    """Return that a collection waits for some of its parts, and the recipe that each command about them takes."""
    advice = "; ".join(f"{name} (RECIPE{PART_SIGN}{name}) is {one}: {one.advice}" for name, one in waiting.items())
    return Waiting(stage="release", what="parts", there=parts - len(waiting), wanted=parts, advice=advice)


def asking_stages(build: Build) -> list[tuple[str, Asking[Any]]]:
    """Return the stages that ask judges or writers, in order: name, and what they ask."""
    return [(stage.name, stage.asks) for stage in stages_of(build) if stage.asks is not None]


def questions_of(build: Build, stage: str) -> Sequence[RoleQuestion]:
    """Return what a stage asks judges or writers; nothing if the recipe has no such stage."""
    return next((asking.questions(build) for name, asking in asking_stages(build) if name == stage), ())
