"""One question to a judge or writer: a role of a recipe and the rows that it is about."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import pyarrow as pa

from annotate.models.inquiry import Inquiry, row_ids
from annotate.models.judge import Judge
from annotate.models.judging import Mode
from annotate.models.task import TaskSpec
from contracts import plugins
from flows.recipe.model import Recipe
from flows.recipe.sections import Role


class Question(Protocol):
    """A question to a judge or writer about some rows."""

    @property
    def task(self) -> TaskSpec:
        """What is asked."""
        ...

    @property
    def judge(self) -> Judge:
        """Who is asked."""
        ...

    @property
    def requests(self) -> pa.Table:
        """One row per request (see ``annotate.models.inquiry``)."""
        ...

    @property
    def ids(self) -> pa.Array:
        """Keys of the rows that the requests become."""
        ...

    @property
    def mode(self) -> Mode:
        """One by one, or through the provider's batches."""
        ...

    @property
    def poll_s(self) -> float:
        """First wait before a batch is looked at."""
        ...

    @property
    def follows_up(self) -> bool:
        """Whether a reply that cannot be used is followed by one more request."""
        ...


@dataclass(frozen=True, kw_only=True)
class RoleQuestion:
    """One role of a recipe and the rows that it is about.

    Attributes:
        role: the recipe's section.
        requests: one row per request (see ``annotate.models.inquiry``).
    """

    role: Role
    requests: pa.Table
    follows_up: ClassVar[bool] = True

    @property
    def mode(self) -> Mode:
        """One by one, or through the provider's batches."""
        return self.role.mode

    @property
    def poll_s(self) -> float:
        """First wait before a batch is looked at."""
        return self.role.poll_s

    @cached_property
    def task(self) -> TaskSpec:
        """The task."""
        return task_of(self.role)

    @cached_property
    def judge(self) -> Judge:
        """The configured judge."""
        return judge_of(self.role)

    @cached_property
    def ids(self) -> pa.Array:
        """Keys of the rows that the requests become."""
        return row_ids(self.requests, task=self.task, judge=self.judge)


def task_of(role: Role) -> TaskSpec:
    """Return the task of a role."""
    return role.spec


def judge_of(role: Role) -> Judge:
    """Return the configured judge of a role."""
    judge: Judge = plugins.configure("judge", role.name, role.options)
    return judge


def title_of(stage: str, role: Role) -> str:
    """Return how a plan names what a role does in a stage."""
    return f"{stage} {role.task} {role.name}/{judge_of(role).model}"


def literals(role: Role) -> object:
    """Return all that decides a role's answers beside the rows: its settings, rule, model, prompts and parameters."""
    return [role.model_dump(exclude={"options", "mode", "poll_s"}), Inquiry.of(task_of(role), judge_of(role)).identity]


def key_variables(recipe: Recipe) -> frozenset[str]:
    """Return the environment variables with keys: of the recipe's judges and services, and of all judge plug-ins by default."""
    judges = [judge_of(role) for role in (*recipe.judges_of_pairs, *recipe.writers)]
    asked = (*judges, *recipe.speech_services.values())
    return frozenset(name for one in asked for name in one.key_variables) | default_key_variables()


def default_key_variables() -> frozenset[str]:
    """Return the environment variables with keys of all judge plug-ins with their default options."""
    judges = plugins.intact("judge", plugins.configure).values()
    return frozenset(name for judge in judges for name in judge.key_variables)
