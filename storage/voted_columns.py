"""Release schemas of pairs that people voted on: with what a teacher was asked of them, and with ties (SpeechJudge)."""

from dataclasses import replace
from typing import Final

import pyarrow as pa

from contracts.schema_columns import TEXT, column
from storage.columns import ReleaseSchema

TIE: Final = "tie"
OF_TEACHER: Final = (
    column("prompt", TEXT, "what the teacher was asked, [Output A] being A: a policy is asked the same; no loss falls on it"),
    column("teacher", TEXT, "right: the teacher chose as people did; wrong: not so; null = it was not asked", nullable=True),
)

_COMPLETION: Final = "the teacher's reply where it is right, for training with the loss on these tokens alone; null = it is not"


def taught(schema: ReleaseSchema) -> ReleaseSchema:
    """Return the schema of pairs of which a teacher was asked about some, and divided these."""
    columns = [
        column(one.name, one.type, _COMPLETION, nullable=True) if one.name == "completion" else one for one in schema.columns
    ]
    return replace(schema, columns=pa.schema([*columns, *OF_TEACHER]))


def undecided(schema: ReleaseSchema) -> ReleaseSchema:
    """Return the schema of pairs that need not have a preference: the majority may be a tie, or there is none."""
    meaning = "what most people say: a, b or tie; null = they have no majority"
    columns = [column("label", TEXT, meaning, nullable=True) if one.name == "label" else one for one in schema.columns]
    return replace(schema, columns=pa.schema(columns), labels={**schema.labels, TIE: "tie"})
