"""Which reward the rows of a configuration get in reinforcement learning, and what it needs of each row."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.errors import RecipeError
from contracts.ids import canonical_json
from scoring.reward import Fitted


@dataclass(frozen=True, kw_only=True)
class RowReward:
    """A reward, configured for the rows of one configuration and split.

    Attributes:
        name: the plug-in.
        options: its options.
        columns: what it reads of a row.
    """

    name: str
    options: Mapping[str, Any]
    columns: tuple[str, ...]

    @classmethod
    def of(
        cls,
        chosen: str | None,
        task: TaskSpec | None,
        columns: Collection[str],
        rows: Callable[[tuple[str, ...]], Iterable[Mapping[str, Any]]],
    ) -> Self | None:
        """Return the reward of some rows; None = no reward is theirs.

        Args:
            chosen: plug-in that the user names; None = the one that names the task, or, of rows about no task, has its columns.
            task: the task of the rows.
            columns: columns of the rows.
            rows: reads some of these columns of all rows.

        Raises:
            RecipeError: unknown reward, one whose columns the rows lack, or several could be meant.
        """
        name = chosen or _default(task, columns)
        if name is None:
            return None
        plugin = plugins.load("reward", name)
        if absent := [column for column in plugin.columns if column not in columns]:
            raise RecipeError(f"reward {name!r} reads {absent[0]}, which the rows do not have: choose another one")
        columns_read: tuple[str, ...] = plugin.columns
        options = plugin.fitted("" if task is None else task.name, rows(columns_read)) if isinstance(plugin, Fitted) else {}
        plugins.configure("reward", name, options)
        return cls(name=name, options=options, columns=columns_read)

    def spec(self, row: Mapping[str, Any]) -> str | None:
        """Return what ``scoring.trainers.spec`` reads; None where the row lacks what the reward compares with."""
        if any(row[column] is None for column in self.columns):
            return None
        return canonical_json(
            {"name": self.name, "options": self.options, "row": {column: row[column] for column in self.columns}}
        )


def _default(task: TaskSpec | None, columns: Collection[str]) -> str | None:
    rewards = plugins.intact("reward")
    if task is not None:
        found = [name for name, plugin in rewards.items() if task.name in plugin.tasks]
    else:
        found = [name for name, plugin in rewards.items() if not plugin.tasks and set(plugin.columns) <= set(columns)]
    if len(found) > 1:
        raise RecipeError(f"several rewards suit these rows: name one with --reward, of {', '.join(found)}")
    return found[0] if found else None
