"""Which reward the rows of a configuration get in reinforcement learning, and what it needs of each row."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.errors import DataError, RecipeError
from contracts.ids import canonical_json
from scoring.reward import Fitted, Reward

NoReward = str
"""Why no reward is that of some rows."""


@dataclass(frozen=True, kw_only=True)
class RowReward:
    """A reward, configured for the rows of one configuration.

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
    ) -> "Self | NoReward":
        """Return the reward of the rows of a configuration, or why none is theirs.

        Args:
            chosen: plug-in that the user names; None = the one that names the task, or, of rows about no task, has its columns.
            task: the task of the rows.
            columns: columns of the rows.
            rows: reads some of these columns of the rows that models are trained on.

        Raises:
            RecipeError: unknown reward.
        """
        suited = [chosen] if chosen is not None else _suited(task, columns)
        if len(suited) != 1:
            several = f"several rewards suit these rows: name one with --reward, of {', '.join(suited)}"
            return several if suited else "no reward is that of these rows: name one with --reward"
        (name,) = suited
        plugin = plugins.load("reward", name)
        if absent := [column for column in plugin.columns if column not in columns]:
            return f"reward {name!r} reads {absent[0]}, which the rows do not have: choose another one"
        columns_read: tuple[str, ...] = plugin.columns
        options = plugin.fitted("" if task is None else task.name, rows(columns_read)) if isinstance(plugin, Fitted) else {}
        try:
            plugins.configure("reward", name, options)
        except RecipeError as error:
            return str(error)
        return cls(name=name, options=options, columns=columns_read)

    def spec(self, row: Mapping[str, Any]) -> str | None:
        """Return what ``scoring.trainers.spec`` reads; None where the row lacks what the reward compares with."""
        if any(row[column] is None for column in self.columns) or not self._knows(row):
            return None
        return canonical_json(
            {"name": self.name, "options": self.options, "row": {column: row[column] for column in self.columns}}
        )

    def _knows(self, row: Mapping[str, Any]) -> bool:
        """Return whether options that follow from other rows are of use for this one."""
        if not isinstance(plugins.load("reward", self.name), Fitted):
            return True
        plugin: Reward = plugins.configure("reward", self.name, self.options)
        try:
            plugin.rewards([""], [row])
        except DataError:
            return False
        return True


def _suited(task: TaskSpec | None, columns: Collection[str]) -> list[str]:
    rewards = plugins.intact("reward")
    if task is not None:
        return [name for name, plugin in rewards.items() if task.name in plugin.tasks]
    return [name for name, plugin in rewards.items() if not plugin.tasks and set(plugin.columns) <= set(columns)]
