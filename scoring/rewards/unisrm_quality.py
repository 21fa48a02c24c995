"""UniSRM's rewards of completions about one clip's quality: format, overall score and all aspects (UniSRM, Eq. 7, 9 and 11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from annotate.models.task import Written
from contracts import plugins
from contracts.errors import DataError
from scoring.reward import Row, read, scores_of
from scoring.rewards.unisrm import Weight


@dataclass(frozen=True, kw_only=True)
class UniSRMQuality:
    """Reward of Task 2.

    Parts: ``format``, -1 where the completion does not have the task's exact layout, else 0; ``accuracy``, 1 minus the distance
    of the overall score from the row's, as a share of the scale; ``reasoning``, the same, mean over all aspects; ``reward``,
    their weighted sum.

    Attributes:
        overall: the aspect that is the overall score.
        format_weight: of ``format``; all three are 1 in the paper.
        accuracy_weight: of ``accuracy``.
        reasoning_weight: of ``reasoning``.
    """

    columns: ClassVar[tuple[str, ...]] = ("scores",)
    parts: ClassVar[tuple[str, ...]] = ("format", "accuracy", "reasoning", "reward")
    tasks: ClassVar[tuple[str, ...]] = ("quality",)

    overall: str = "overall"
    format_weight: Weight = 1.0
    accuracy_weight: Weight = 1.0
    reasoning_weight: Weight = 1.0

    def rewards(self, completions: Sequence[str], rows: Sequence[Row]) -> list[dict[str, float]]:
        """Return the parts of each completion (see ``scoring.reward``)."""
        task = plugins.configure("task", "quality")
        lowest, highest = task.scale
        found = list[dict[str, float]]()
        for completion, row in zip(completions, rows, strict=True):
            truth, said = scores_of(row, "scores", "scale"), read(task, completion)
            layout, accuracy, reasoning = -1.0, 0.0, 0.0
            if isinstance(said, Written):
                if truth.keys() != said.scores.keys():
                    wanted = ", ".join(sorted(said.scores))
                    raise DataError(
                        f"row {row.get('clip_id', 'without an id')} scores {', '.join(sorted(truth))}, not {wanted}"
                    )
                near = {name: _nearness(said.scores[name] - truth[name], highest - lowest) for name in truth}
                layout, accuracy, reasoning = 0.0, near[self.overall], sum(near.values()) / len(near)
            total = self.format_weight * layout + self.accuracy_weight * accuracy + self.reasoning_weight * reasoning
            found.append(dict(zip(self.parts, (layout, accuracy, reasoning, total), strict=True)))
        return found


def _nearness(distance: float, span: float) -> float:
    return min(1.0, max(0.0, 1 - abs(distance) / span))


PLUGIN = UniSRMQuality
