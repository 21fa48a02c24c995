"""Builds and stages: what a recipe is built in, and what the steps of a build declare.

A stage that needs people's votes may return ``Waiting`` instead of books. That is no error: the build ends there, no later
stage runs, and the same command carries on when there are enough votes.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Self

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


PART_SIGN: Final = "#"
"""Stands between the path of a collection's recipe and the name of a part."""


@dataclass(frozen=True, kw_only=True)
class Membership:
    """The place of a data set in a collection.

    Attributes:
        part: its name there.
        collection: workspace of the collection, which has the release.
        earlier: name -> build of each part before it, in order.
    """

    part: str
    collection: Workspace
    earlier: Mapping[str, "Build[Any]"]


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
        parts: of a collection: name -> build of each part, in order.
        membership: of a part of a collection: its place there.
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
    parts: Mapping[str, "Build[Any]"] = field(default_factory=dict)
    membership: Membership | None = None

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
    def account(self) -> str:
        """Who pays, in the ledger: the recipe."""
        return self.recipe.name

    @property
    def budget_usd(self) -> float | None:
        """What the account may come to; None = no paid request is allowed."""
        return self.recipe.budget_usd

    @property
    def blobs(self) -> BlobStore:
        """The audio of the workspace."""
        return BlobStore(self.workspace)

    def as_read_only(self) -> Self:
        """Return the same build, and its parts, for a command that only reads: damage is noted in ``problems``."""
        parts = {name: part.as_read_only() for name, part in self.parts.items()}
        return replace(self, is_read_only=True, problems={}, parts=parts)

    def watched_by(self, progress: Progress) -> Self:
        """Return the same build, and its parts, with another observer."""
        return replace(self, progress=progress, parts={name: part.watched_by(progress) for name, part in self.parts.items()})

    def checking_keys(self, check_keys: bool) -> Self:
        """Return the same build, and its parts, with judges' keys tried before the work or not."""
        parts = {name: part.checking_keys(check_keys) for name, part in self.parts.items()}
        return replace(self, check_keys=check_keys, parts=parts)


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
    recipe: str | os.PathLike[str],
    workspace: str | None = None,
    ray: str | None = None,
    progress: Progress | None = None,
    *,
    collections: bool = False,
) -> Build:
    """Load a recipe and open its workspace.

    Args:
        recipe: path of the recipe; of a collection with ``#`` and the name of a part, the build of that part.
        workspace: folder or URL; None = the recipe's own, else the setting's, else ``workspaces/<name>`` here. Parts of a
            collection have theirs below it, as ``parts/<part>``.
        ray: address of a Ray cluster; None = the setting's, else an embedded one.
        progress: observer.
        collections: whether the caller can do something with a whole collection.

    Raises:
        RecipeError: the recipe is wrong, a collection that the caller can do nothing with, or without such a part.
        StorageError: the workspace is no folder, or its store is not there or refuses.
    """
    path = os.fspath(recipe)
    file, _, part = (path, "", "") if os.path.lexists(path) else path.partition(PART_SIGN)
    loaded = load(file)
    settings = Settings()
    own = f"{settings.workspaces.rstrip('/')}/{loaded.name}"
    opened = Workspace(next(url for url in (workspace, loaded.workspace, own) if url is not None))
    opened.reach()
    members = loaded.part_recipes
    whole = Build(
        recipe=loaded,
        workspace=opened,
        ray_address=ray or settings.ray_address,
        progress=progress or Silent(),
        secrets=frozenset[str]().union(*map(key_variables, (loaded, *members.values()))),
        check_keys=settings.key_check,
    )
    parts = dict[str, Build]()
    for name, member in members.items():
        membership = Membership(part=name, collection=opened, earlier=dict(parts))
        parts[name] = replace(whole, recipe=member, workspace=Workspace(f"{opened.url}/parts/{name}"), membership=membership)
    if part and part not in parts:
        there = f"; there are {', '.join(parts)}" if parts else ": it is no collection"
        raise RecipeError(f"{file} has no part {part!r}{there}")
    if parts and not part and not collections:
        raise RecipeError(
            f"{file} is a collection: name the part that is meant, as {file}{PART_SIGN}{next(iter(parts))}; there are "
            f"{', '.join(parts)}"
        )
    return parts[part] if part else replace(whole, parts=parts)


def forget_failures(build: Build, stages: tuple[Stage[Any], ...]) -> None:
    """Remove the failures of these stages, so that the next run retries those rows."""
    with build.workspace.lock():
        for stage in stages:
            for name in stage.writes:
                if name.startswith("failures@"):
                    build.tables.replace(name, empty(name))
