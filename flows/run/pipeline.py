"""Builds and stages: what a recipe is built in, and what the steps of a build declare.

A stage that needs people's votes may return ``Waiting`` instead of books. That is no error: the build ends there, no later
stage runs, and the same command carries on when there are enough votes.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self

from typing_extensions import TypeVar

from contracts.errors import RecipeError, StorageError
from contracts.schemas import empty
from flows.recipe.load import load
from flows.recipe.model import Recipe
from flows.recipe.sections import Role
from flows.run.books import Books
from flows.run.progress import Progress, Silent
from flows.run.question import RoleQuestion, key_variables
from flows.run.settings import Settings
from storage.blobs import BlobStore
from storage.table_access import DeclaredTables, ReadableTables
from storage.tables import TableStore
from storage.workspace import Workspace

R_co = TypeVar("R_co", bound=Recipe, covariant=True, default=Recipe)
"""Type of a build's recipe."""

R_contra = TypeVar("R_contra", bound=Recipe, contravariant=True, default=Recipe)
"""Type of the recipes that a stage accepts."""


@dataclass(frozen=True, kw_only=True)
class Build(Generic[R_co]):
    """One recipe in one workspace, and how to run it.

    Attributes:
        recipe: what to build.
        workspace: where.
        ray_address: a Ray cluster; None = an embedded one.
        progress: observer.
        is_read_only: whether nothing in the workspace may be changed.
        problems: damaged part -> problem, collected by a read-only build, which goes on without it; None = damage is an error.
        stage: the running stage, which may use only the tables that it declares; None = all tables.
        secrets: environment variables that hold keys and that no worker gets.
        check_keys: whether judges' keys are tried before the work; else a wrong key fails the first question.
        piece: tables to read instead of the workspace's, which hold a part of its rows.
        to_come: names of the stages that this run comes to after the running one, so that it may work ahead for them.
    """

    recipe: R_co
    workspace: Workspace
    ray_address: str | None = None
    progress: Progress = field(default_factory=Silent)
    is_read_only: bool = False
    problems: dict[str, str] | None = None
    stage: "Stage[Any] | None" = None
    secrets: frozenset[str] = frozenset()
    check_keys: bool = True
    piece: TableStore | None = None
    to_come: frozenset[str] = frozenset()

    @property
    def tables(self) -> TableStore:
        """The tables of the workspace."""
        if self.piece is not None:
            return self.piece
        if self.problems is not None:
            return ReadableTables(self.workspace, self.problems)
        if (stage := self.stage) is None:
            return TableStore(self.workspace)
        own = (*stage.writes, *stage.fills, f"failures@{stage.name}", f"drops@{stage.name}")
        return DeclaredTables(self.workspace, stage.name, reads=stage.all_reads(self), writes=own)

    @contextlib.contextmanager
    def noted(self, what: str) -> Iterator[None]:
        """Note damage in ``problems`` and go on, in a read-only build; in any other build damage stays an error."""
        try:
            yield
        except StorageError as error:
            if self.problems is None:
                raise
            self.problems[what] = str(error)

    @property
    def blobs(self) -> BlobStore:
        """The audio of the workspace."""
        return BlobStore(self.workspace)

    def as_read_only(self) -> Self:
        """Return the same build for a command that only reads: damage is noted in ``problems``."""
        return replace(self, is_read_only=True, problems={})

    def watched_by(self, progress: Progress) -> Self:
        """Return the same build with another observer."""
        return replace(self, progress=progress)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A stage that waits for people.

    Attributes:
        stage: its name.
        what: what it waits for, such as ``votes``.
        there: number of votes so far.
        wanted: number of votes needed, as far as is known now.
        advice: how to get them.
    """

    stage: str
    what: str
    there: int
    wanted: int
    advice: str

    def __str__(self) -> str:
        return f"waiting for {self.what}: {self.there} of {self.wanted}"


@dataclass(frozen=True, kw_only=True)
class Asking(Generic[R_contra]):
    """What a stage asks judges or writers.

    Attributes:
        after: the stages that must be finished, as far as the recipe has them, before the questions are known.
        table: table of the answers.
        roles: the roles that it asks.
        questions: its questions, one for each role.
    """

    after: tuple[str, ...]
    table: str
    roles: Callable[[Build[R_contra]], Sequence[Role]]
    questions: Callable[[Build[R_contra]], Sequence[RoleQuestion]]


@dataclass(frozen=True, kw_only=True)
class Stage(Generic[R_contra]):
    """One stage.

    Attributes:
        name: its name.
        reads: tables it reads.
        writes: tables or partitions it writes; ``failures@<name>`` for a fan-out. ``name@*`` = all partitions of a table.
        reads_if: tables that it reads only with some recipes.
        fills: tables of later stages to which it adds rows that those would make; their other rows do not make it stale.
        settings: the part of the recipe that decides its output, as literals.
        checks: fields of the recipe, beside those of its settings, that decide none of its own rows: it reads them only to
            refuse what cannot work, or to work ahead for a later stage.
        run: makes and commits the missing rows, and returns balanced books.
        produced: what it writes outside the tables, as literals; None = nothing.
        asks: what it asks judges or writers; None = nothing.
        needs: engines and models that it uses: name for messages -> configured plug-in.
        wrong_versions: returns a line for each version, of a plug-in here or of a row in the workspace, that is not the one the
            recipe demands; the second argument says whether the stage has work left on this machine.
        on_cluster: whether it needs the Ray cluster.
        active: whether the recipe needs it at all.
        prepare: changes what is outside the tables, before the stage's inputs are compared.
        waits: returns what it would wait for now, without work; None for a stage that never waits.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    settings: Callable[[Build[R_contra]], object]
    run: Callable[[Build[R_contra]], Books | Waiting]
    checks: tuple[str, ...] = ()
    reads_if: Callable[[Build[R_contra]], tuple[str, ...]] = lambda _build: ()
    fills: tuple[str, ...] = ()
    produced: Callable[[Build[R_contra]], object] | None = None
    asks: Asking[R_contra] | None = None
    needs: Callable[[Build[R_contra]], Mapping[str, Any]] = lambda _build: {}
    wrong_versions: Callable[[Build[R_contra], bool], Sequence[str]] = lambda _build, _is_left: ()
    on_cluster: bool = False
    active: Callable[[Build[R_contra]], bool] = lambda _build: True
    prepare: Callable[[Build[R_contra]], None] | None = None
    waits: Callable[[Build[R_contra]], Waiting | None] | None = None

    def all_reads(self, build: Build[R_contra]) -> tuple[str, ...]:
        """Return the tables that it reads with a build's recipe."""
        return (*self.reads, *self.reads_if(build))


def up_to(stages: tuple[Stage[Any], ...], until: str | None) -> tuple[Stage[Any], ...]:
    """Return the stages up to and including ``until``; all for None.

    Raises:
        RecipeError: no stage has that name.
    """
    if until is None:
        return stages
    names = [stage.name for stage in stages]
    if until not in names:
        raise RecipeError(f"unknown stage {until!r}; known: {', '.join(names)}")
    return stages[: names.index(until) + 1]


def open_build(
    recipe: str | os.PathLike[str], workspace: str | None = None, ray: str | None = None, progress: Progress | None = None
) -> Build:
    """Load a recipe and open its workspace.

    Args:
        recipe: path of the recipe.
        workspace: folder or URL; None = the recipe's own, else the setting's, else ``workspaces/<name>`` here.
        ray: address of a Ray cluster; None = the setting's, else an embedded one.
        progress: observer.

    Raises:
        RecipeError: the recipe is wrong.
        StorageError: the workspace is no folder, or its store is not there or refuses.
    """
    loaded = load(recipe)
    settings = Settings()
    own = f"{settings.workspaces.rstrip('/')}/{loaded.name}"
    opened = Workspace(next(url for url in (workspace, loaded.workspace, own) if url is not None))
    opened.reach()
    return Build(
        recipe=loaded,
        workspace=opened,
        ray_address=ray or settings.ray_address,
        progress=progress or Silent(),
        secrets=key_variables(loaded),
        check_keys=settings.key_check,
    )


def forget_failures(build: Build, stages: tuple[Stage[Any], ...]) -> None:
    """Remove the failures of these stages, so that the next run retries those rows."""
    with build.workspace.lock():
        for stage in stages:
            for name in stage.writes:
                if name.startswith("failures@"):
                    build.tables.replace(name, empty(name))
