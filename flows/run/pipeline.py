"""The pipeline: an ordered list of stages over one workspace, each of which knows when it has nothing to do.

A stage that has finished leaves a mark: the hash of its part of the recipe and of the versions of all tables that it reads
and writes, together with its books. As long as that hash still holds, a rerun does not even open the tables.

A stage that people have to help with may end in ``Waiting`` instead of books. That is no error: the build ends there, nothing
after the stage runs, and the same command carries on when there is enough.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Self

from pydantic import TypeAdapter
from typing_extensions import TypeVar

from contracts.errors import DamagedState, RecipeError, StorageError
from contracts.ids import digest
from contracts.schemas import empty
from flows.recipe.load import load
from flows.recipe.model import Recipe
from flows.recipe.sections import Role
from flows.run.books import Books
from flows.run.declared import declared, noting
from flows.run.progress import Progress, Silent
from flows.run.question import Question, key_variables
from flows.run.settings import Settings
from storage.blobs import BlobStore
from storage.state import read_state
from storage.tables import DeclaredTables, ReadableTables, TableStore
from storage.workspace import Workspace

FORMAT: Final = 2
"""Raised when a change of code makes finished stages stale."""


R_co = TypeVar("R_co", bound=Recipe, covariant=True, default=Recipe)
"""Recipe of a build; a build of a kind of data set is a build of a recipe."""

R_contra = TypeVar("R_contra", bound=Recipe, contravariant=True, default=Recipe)
"""Recipes that a stage works for."""


@dataclass(frozen=True, kw_only=True)
class Build(Generic[R_co]):
    """One recipe in one workspace, and how to run it.

    Attributes:
        recipe: what to build.
        workspace: where.
        ray_address: a Ray cluster; None = an embedded one.
        progress: observer.
        only_looks: whether the workspace is left as it is.
        problems: where a command that only looks notes what is damaged, to go on without it; None = damage is an error.
        stage: the stage that runs, which sees the tables that it declares and no others; None = all tables.
        secrets: environment variables that hold keys: no worker sees them.
        check_keys: whether judges' keys are looked for and tried before the work; else the first question finds out.
    """

    recipe: R_co
    workspace: Workspace
    ray_address: str | None = None
    progress: Progress = field(default_factory=Silent)
    only_looks: bool = False
    problems: dict[str, str] | None = None
    stage: "Stage[Any] | None" = None
    secrets: frozenset[str] = frozenset()
    check_keys: bool = True

    @property
    def tables(self) -> TableStore:
        """The tables of the workspace."""
        if self.problems is not None:
            return ReadableTables(self.workspace, self.problems)
        if (stage := self.stage) is None:
            return TableStore(self.workspace)
        own = (*stage.writes, *stage.fills, f"failures@{stage.name}", f"drops@{stage.name}")
        return DeclaredTables(self.workspace, stage.name, reads=stage.all_reads(self), writes=own)

    @contextlib.contextmanager
    def noted(self, what: str) -> Iterator[None]:
        """Let a command that only looks go on without what is damaged; in any other one damage stays an error."""
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

    def looked_at(self) -> Self:
        """Return the same build for a command that only looks: damage is noted in ``problems``."""
        return replace(self, only_looks=True, problems={})

    def watched_by(self, progress: Progress) -> Self:
        """Return the same build with another observer."""
        return replace(self, progress=progress)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A stage that waits for people.

    Attributes:
        stage: its name.
        what: what it waits for, such as ``votes``.
        there: how many there are.
        wanted: how many it takes, as far as is known now.
        advice: what to do about it.
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
        after: the stage that must have ended before the questions are known.
        table: where the answers go.
        roles: whom it asks.
        questions: its questions, one for each role.
    """

    after: str
    table: str
    roles: Callable[[Build[R_contra]], Sequence[Role]]
    questions: Callable[[Build[R_contra]], Sequence[Question]]


@dataclass(frozen=True, kw_only=True)
class Stage(Generic[R_contra]):
    """One stage.

    Attributes:
        name: its name.
        reads: tables it reads.
        writes: tables or partitions it writes; ``failures@<name>`` for a fan-out. ``name@*`` = all partitions of a table.
        reads_if: tables that it reads under some recipes only.
        fills: tables of later stages to which it adds rows that those would make; their other rows do not make it stale.
        settings: the part of the recipe that decides its output, as literals.
        checks: fields of the recipe, beside those of its settings, that it looks at only to refuse what cannot work.
        run: does what is missing, commits it, and returns balanced books.
        produced: what it leaves outside the tables, as literals; None = nothing.
        asks: what it asks judges or writers; None = nothing.
        needs: engines and models that its work takes: name for people -> configured plug-in.
        wrong_versions: which versions that the recipe demands are not those here (asked where the stage has work left on this
            machine) or of what is there, one line each.
        on_cluster: whether it needs the Ray cluster.
        active: whether the recipe wants it at all.
        prepare: what it changes outside the tables before its inputs are looked at.
        waits: what it would wait for now, found out cheaply; None for a stage that never waits.
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
        """Return the tables that it reads under a build's recipe."""
        return (*self.reads, *self.reads_if(build))


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a stage noted when it last finished: hashes of what it read and left, and its books."""

    inputs: str
    outputs: str
    books: Books


_MARK: Final = TypeAdapter(Mark)


def _mark_name(stage: Stage[Any]) -> str:
    return f"stages/{stage.name}.json"


def _inputs(stage: Stage[Any], build: Build[Any]) -> str:
    return digest([FORMAT, stage.name, build.recipe.seed, stage.settings(build), _versions(stage.all_reads(build), build)])


def _outputs(stage: Stage[Any], build: Build[Any]) -> str:
    return digest([_versions(stage.writes, build), stage.produced(build) if stage.produced else None])


def _versions(patterns: tuple[str, ...], build: Build[Any]) -> dict[str, str]:
    names = [name for pattern in patterns for name in _expanded(pattern, build)]
    return {name: build.tables.version(name) for name in names}


def tables_of(stage: Stage[Any], build: Build[Any]) -> list[str]:
    """Return the names of all tables and partitions that a stage reads or writes."""
    return [name for pattern in (*stage.all_reads(build), *stage.writes) for name in _expanded(pattern, build)]


def _expanded(pattern: str, build: Build) -> list[str]:
    return build.tables.partitions(pattern.removesuffix("@*")) if pattern.endswith("@*") else [pattern]


def mark_of(stage: Stage[Any], build: Build[Any]) -> Mark | None:
    """Return what a stage noted when it last finished; None if it never did, or if the note is damaged.

    A mark only saves work, so a stage without a readable one is looked at anew.
    """
    try:
        mark = read_state(build.workspace, _mark_name(stage), _MARK, advice="the stage is done again")
    except (FileNotFoundError, DamagedState):
        return None
    return mark if mark.books.stage == stage.name and not mark.books.missing else None


def finished(stage: Stage[Any], build: Build[Any]) -> Books | None:
    """Return the books of a stage that is up to date, None for one that has something to do."""
    mark = mark_of(stage, build)
    if mark is None or mark.inputs != _inputs(stage, build) or mark.outputs != _outputs(stage, build):
        return None
    return mark.books


def execute(stage: Stage[Any], build: Build[Any]) -> Books | Waiting:
    """Bring a stage up to date and return its books, or what it waits for. The caller holds the workspace's lock."""
    known = finished(stage, build)
    if known is not None:
        return known
    build.workspace.require_lease()
    if stage.prepare is not None:
        stage.prepare(build)
    read = set[str]()
    noted = replace(build, recipe=noting(build.recipe, read))
    inputs = _inputs(stage, noted)  # as they are now: what changes while the stage runs is for the next run
    books = stage.run(replace(build, stage=stage, recipe=declared(build.recipe, stage.name, {*read, *stage.checks})))
    if isinstance(books, Waiting):
        return books
    books = books.balanced()
    mark = {"inputs": inputs, "outputs": _outputs(stage, build), "books": books.as_dict()}
    build.workspace.write(_mark_name(stage), json.dumps(mark, indent=1).encode())
    return books


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
    where = workspace or loaded.workspace or f"{settings.workspaces.rstrip('/')}/{loaded.name}"
    opened = Workspace(where)
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
    """Empty the failures of these stages, so that the next run tries those rows again."""
    with build.workspace.lock():
        for stage in stages:
            for name in stage.writes:
                if name.startswith("failures@"):
                    build.tables.replace(name, empty(name))
