"""UniSRM's rewards of pairwise completions: format, accuracy and reasoning consistency (UniSRM, Eq. 7, 8 and 10).

A completion whose format is wrong gets the format's part alone: what cannot be read is neither right nor wrong. Equal totals
are no preference, whatever the answer says (ours: the tasks ask for totals that differ).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from annotate.models.task import Parsed
from contracts import plugins
from contracts.errors import DataError
from scoring.reward import Row, label_of, read, scores_of

Weight = Annotated[float, Field(ge=0, le=1000)]


@dataclass(frozen=True, kw_only=True)
class UniSRM:
    """Reward of Tasks 1, 3 and 4.

    Parts: ``format``, -1 where the completion does not have the task's exact layout, else 0; ``accuracy``, 1 where it prefers
    the better clip; ``reasoning``, the share of dimensions on which it ranks the clips as the judge of the row did; ``reward``,
    their weighted sum.

    Attributes:
        task: the task whose layout is asked for.
        format_weight: of ``format``; all three are 1 in the paper.
        accuracy_weight: of ``accuracy``.
        reasoning_weight: of ``reasoning``; 0 for rows that no judge scored.
    """

    columns: ClassVar[tuple[str, ...]] = ("label", "scores_a", "scores_b")
    parts: ClassVar[tuple[str, ...]] = ("format", "accuracy", "reasoning", "reward")
    tasks: ClassVar[tuple[str, ...]] = ("task1", "task3", "task4")

    task: str = "task1"
    format_weight: Weight = 1.0
    accuracy_weight: Weight = 1.0
    reasoning_weight: Weight = 1.0

    @classmethod
    def fitted(cls, task: str, rows: Iterable[Row]) -> dict[str, Any]:
        """Return the options for rows of a task."""
        del rows
        return {"task": task}

    def rewards(self, completions: Sequence[str], rows: Sequence[Row]) -> list[dict[str, float]]:
        """Return the parts of each completion (see ``scoring.reward``)."""
        task = plugins.configure("task", self.task)
        return [self._reward(read(task, completion), row) for completion, row in zip(completions, rows, strict=True)]

    def _reward(self, said: object, row: Row) -> dict[str, float]:
        label = label_of(row)
        truth = (scores_of(row, "scores_a"), scores_of(row, "scores_b")) if self.reasoning_weight else None
        layout, accuracy, reasoning = -1.0, 0.0, 0.0
        if isinstance(said, Parsed):
            layout, accuracy = 0.0, float(said.verdict == label)
            reasoning = 0.0 if truth is None else consistency((said.scores_a, said.scores_b), truth)
        total = self.format_weight * layout + self.accuracy_weight * accuracy + self.reasoning_weight * reasoning
        return dict(zip(self.parts, (layout, accuracy, reasoning, total), strict=True))


Sides = tuple[Mapping[str, float], Mapping[str, float]]
"""Dimension -> score, of A and of B."""


def consistency(said: Sides, truth: Sides) -> float:
    """Return the share of dimensions on which both rank A and B alike; equal scores are a rank of their own (Eq. 10).

    Raises:
        DataError: the two do not score the same dimensions.
    """
    dimensions = truth[0].keys()
    if any(scores.keys() != dimensions for scores in (truth[1], *said)) or not dimensions:
        raise DataError(
            f"the row scores {', '.join(sorted(dimensions)) or 'nothing'}, the completion {', '.join(sorted(said[0]))}: "
            "is it of another task?"
        )
    alike = [_sign(said[0][name] - said[1][name]) == _sign(truth[0][name] - truth[1][name]) for name in dimensions]
    return sum(alike) / len(alike)


def _sign(difference: float) -> int:
    return (difference > 0) - (difference < 0)


PLUGIN = UniSRM
