"""Interface of rewards: plug-ins that score what a model under training wrote about a released row.

A reward plug-in is one file in ``scoring/rewards``: a frozen dataclass whose fields are its options. It is a pure function of
completions and rows, so that a trainer may call it for any batch, in any process.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from annotate.models.task import Parsed, ParseError, TaskSpec, Written
from contracts.errors import DataError

Row = Mapping[str, Any]
"""A released row, by column; columns that a reward does not name may be missing."""


class Reward(Protocol):
    """One reward.

    Attributes:
        columns: columns of the released rows that it reads.
        parts: names of the values that it gives; the last one is the reward, those before it are what it is made of.
        tasks: tasks about whose rows it is the reward unless somebody chooses another one; none = of rows that are about no
            task and have its columns.
    """

    columns: ClassVar[tuple[str, ...]]
    parts: ClassVar[tuple[str, ...]]
    tasks: ClassVar[tuple[str, ...]] = ()

    def rewards(self, completions: Sequence[str], rows: Sequence[Row]) -> list[dict[str, float]]:
        """Return the values of each completion, by ``parts``.

        Args:
            completions: what the model wrote, whole: a completion cut into pieces has lost its format.
            rows: the row that each one is about.

        Raises:
            DataError: a row lacks what the reward compares with; names the row and the column.
        """
        ...


@runtime_checkable
class Fitted(Protocol):
    """A reward whose options follow from the rows that models are trained on."""

    @classmethod
    def fitted(cls, task: str, rows: Iterable[Row]) -> dict[str, Any]:
        """Return its options for rows of a task, as literals.

        Args:
            task: the task.
            rows: its ``columns`` of all training rows, read once at most.
        """
        ...


def required(row: Row, column: str) -> Any:
    """Return a row's value.

    Raises:
        DataError: it has none.
    """
    value = row.get(column)
    if value is None:
        name = next((str(row[key]) for key in ("pair_id", "clip_id", "question_id") if row.get(key)), "without an id")
        raise DataError(f"row {name} has no {column}, which the reward compares with: leave out such rows, or that part")
    return value


def label_of(row: Row) -> str:
    """Return the label of a pair: ``a`` or ``b``.

    Raises:
        DataError: it has none, or another one.
    """
    label = required(row, "label")
    if label not in {"a", "b"}:
        raise DataError(f"row {row.get('pair_id', 'without an id')}: label {label!r} is neither a nor b")
    return str(label)


def scores_of(row: Row, column: str, name: str = "dimension") -> dict[str, float]:
    """Return name -> score of a column of scores, as releases have it: a list of records with ``name`` and ``score``.

    Raises:
        DataError: there are none.
    """
    return {str(entry[name]): float(entry["score"]) for entry in required(row, column)}


def read(task: TaskSpec, completion: str) -> Parsed | Written | None:
    """Return what a completion says in a task's layout; None = it does not have it."""
    try:
        return task.parse(completion)
    except ParseError:
        return None
