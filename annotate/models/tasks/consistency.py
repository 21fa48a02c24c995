"""The meta-judge of consistency: whether a verdict follows from its own reasoning (SpeechJudge, App. F.2)."""

from functools import partial
from typing import Final

from annotate.models.parse.strict_json import Field, OneOf, Text, written
from annotate.models.task import TaskSpec

FIELDS: Final[dict[str, Field]] = {"result": OneOf(values=(0, 1)), "reason": Text(longest=2_000)}

PLUGIN: Final = TaskSpec(
    name="consistency",
    subject="judgments",
    templates={"en": "consistency.en.jinja"},
    fields=(),
    passages=("completion",),
    audios={},
    scale=(0.0, 1.0),
    gives=tuple(FIELDS),
    parse=partial(written, fields=FIELDS, scores={"consistency": "result"}),
)
