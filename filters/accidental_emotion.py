"""Negatives of a wrong emotion that are heard with the right one: they are no negatives (UniSRM, section 3: Task 3).

What a clip sounds like comes from the role ``heard_emotion``, or from a metric that is a classifier of emotions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from contracts.emotions import emotion
from filters.verdict import first_reason, quote


@dataclass(frozen=True, kw_only=True)
class AccidentalEmotion:
    """Drop a pair whose worse clip is heard with the emotion of the text's recording.

    Reasons: ``accidental_emotion``; ``heard_emotion_unknown`` where nobody could tell what a clip sounds like. Clips that are
    worse for another reason, and texts whose emotion is unknown, are kept.

    Attributes:
        corruptions: those that change the emotion.
    """

    columns: ClassVar[tuple[str, ...]] = ("emotion", "corruption_a", "corruption_b", "heard_emotion_a", "heard_emotion_b")
    makes_labels: ClassVar[bool] = False
    needed_by: ClassVar[tuple[str, ...]] = ()

    corruptions: Annotated[Sequence[str], Field(min_length=1)] = (
        "real_emotion",
        "real_both",
        "tts_emotion",
        "tts_emotion_and_text",
    )

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return per row why it drops; null = keep."""
        target = pa.array([emotion(label) for label in table["emotion"].to_pylist()], pa.string())
        wrong, unknown = pa.array([False] * table.num_rows), pa.array([False] * table.num_rows)
        for side in ("a", "b"):
            changed = pc.is_in(table[f"corruption_{side}"], value_set=pa.array(self.corruptions, pa.string()))
            asked = pc.and_(changed, pc.is_valid(target))
            heard = pa.array([emotion(label) for label in table[f"heard_emotion_{side}"].to_pylist()], pa.string())
            wrong = pc.or_(wrong, pc.and_(asked, pc.fill_null(pc.equal(heard, target), False)))
            unknown = pc.or_(unknown, pc.and_(asked, pc.is_null(heard)))
        return first_reason([("accidental_emotion", wrong), ("heard_emotion_unknown", unknown)])

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return the emotion that was wanted and those that were heard."""
        return quote(table, reasons, self.columns)


PLUGIN = AccidentalEmotion
