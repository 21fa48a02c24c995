"""The MOS-aware reward: right or wrong, and how far apart the two clips were rated (MOS-RMBench, Eq. 1 to 3)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from contracts.errors import DataError
from scoring.reward import Row, required
from scoring.rewards.preferred import Preferred


@dataclass(frozen=True, kw_only=True)
class MosAware:
    """Reward of pairs of rated clips.

    Parts: ``accuracy``, +1 or -1; ``mos_difference``, half of that plus half the cosine of pi times the gap, where the gap of
    the two ratings counts in 90th percentiles of its corpus, 1 at most; ``reward``, their sum.

    Attributes:
        percentiles: corpus -> 90th percentile of the gaps of its training pairs (``percentiles``); rows of other
            corpora are refused.
        task: the task in whose layout completions are.
    """

    columns: ClassVar[tuple[str, ...]] = ("label", "rating_gap", "corpus")
    parts: ClassVar[tuple[str, ...]] = ("accuracy", "mos_difference", "reward")
    tasks: ClassVar[tuple[str, ...]] = ("critique_pair",)

    percentiles: Mapping[str, float] = field(default_factory=dict, hash=False)
    task: str = "critique_pair"

    def __post_init__(self) -> None:
        if wrong := [corpus for corpus, gap in self.percentiles.items() if not 0 < gap < math.inf]:
            raise ValueError(f"percentiles: the gap of {wrong[0]!r} must be above 0, got {self.percentiles[wrong[0]]}")

    @classmethod
    def fitted(cls, task: str, rows: Iterable[Row]) -> dict[str, Any]:
        """Return the options for rows of a task, given those that models are trained on: their percentiles."""
        gaps = dict[str, list[float]]()
        for row in rows:
            gaps.setdefault(row["corpus"], []).append(row["rating_gap"])
        return {"task": task, "percentiles": percentiles(gaps)}

    def rewards(self, completions: Sequence[str], rows: Sequence[Row]) -> list[dict[str, float]]:
        """Return the parts of each completion (see ``scoring.reward``)."""
        right = Preferred(task=self.task).rewards(completions, rows)
        return [self._reward(one["reward"], row) for one, row in zip(right, rows, strict=True)]

    def _reward(self, accuracy: float, row: Row) -> dict[str, float]:
        corpus = required(row, "corpus")
        if corpus not in self.percentiles:
            raise DataError(f"percentiles has no corpus {corpus!r}: it has {', '.join(sorted(self.percentiles))}")
        gap = min(1.0, required(row, "rating_gap") / self.percentiles[corpus])
        difference = 0.5 * (accuracy + math.cos(gap * math.pi))
        return {"accuracy": accuracy, "mos_difference": difference, "reward": accuracy + difference}


def percentiles(gaps: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return corpus -> 90th percentile of its gaps, interpolated linearly."""
    return {corpus: float(np.percentile(values, 90)) for corpus, values in gaps.items()}


PLUGIN = MosAware
