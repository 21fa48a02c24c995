"""What columns of tables are made of. Field metadata carries ``meaning`` and, where there is one, ``unit``."""

from typing import Final

import pyarrow as pa

FAILED_TRIES: Final = "JSON list of the tries that failed, each with its seed, reason and message; null = none was repeated"
"""Meaning of the column of ``samples`` and ``failures`` that tells of tries with other seeds."""

TEXT, FLOAT, INT, BOOL = pa.string(), pa.float64(), pa.int64(), pa.bool_()
SCORES: Final = pa.map_(pa.string(), pa.float64())
"""Named numbers: dimension or metric value -> score."""

RATING_LIST: Final = pa.list_(
    pa.struct(
        [
            pa.field("scale", TEXT, nullable=False),
            pa.field("rater", TEXT),
            pa.field("score", FLOAT, nullable=False),
            pa.field("raters", INT),
            pa.field("std", FLOAT),
        ]
    )
)
"""Ratings of one clip: scale, rater (null = a mean over raters), score, how many raters a mean rests on, their deviation."""

SCALE_SCORES: Final = pa.list_(pa.struct([("scale", TEXT), ("score", FLOAT), ("mean", FLOAT), ("raters", INT), ("std", FLOAT)]))
"""Scores of one clip: scale, score, mean before rounding, how many ratings it rests on, their deviation; null = unknown."""


def column(name: str, kind: pa.DataType, meaning: str, *, unit: str = "", nullable: bool = False) -> pa.Field:
    """Return a field with its meaning and unit as metadata."""
    metadata = {"meaning": meaning} | ({"unit": unit} if unit else {})
    return pa.field(name, kind, nullable=nullable, metadata=metadata)
