"""Right or wrong: the reward of a completion that prefers one of two clips (SpeechJudge, section 5.1; MOS-RMBench, Eq. 1).

It is +1 where the completion gives the better clip the strictly higher score, and -1 otherwise: for a tie, and for what cannot
be read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from annotate.models.task import Parsed
from contracts import plugins
from scoring.reward import Row, label_of, read


@dataclass(frozen=True, kw_only=True)
class Preferred:
    """Reward of +1 or -1.

    Attributes:
        task: the task in whose layout completions are: ``teacher`` of SpeechJudge, ``critique_pair`` of MOS-RMBench.
    """

    columns: ClassVar[tuple[str, ...]] = ("label",)
    parts: ClassVar[tuple[str, ...]] = ("reward",)
    tasks: ClassVar[tuple[str, ...]] = ("teacher", "naturalness", "better_clip")

    task: str = "teacher"

    @classmethod
    def fitted(cls, task: str, rows: Iterable[Row]) -> dict[str, Any]:
        """Return the options for rows of a task."""
        del rows
        return {"task": task}

    def rewards(self, completions: Sequence[str], rows: Sequence[Row]) -> list[dict[str, float]]:
        """Return the reward of each completion (see ``scoring.reward``)."""
        task = plugins.configure("task", self.task)
        said = (read(task, completion) for completion in completions)
        return [
            {"reward": 1.0 if isinstance(one, Parsed) and one.verdict == label_of(row) else -1.0}
            for one, row in zip(said, rows, strict=True)
        ]


PLUGIN = Preferred
