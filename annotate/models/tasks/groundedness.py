"""The meta-judge of evidence: how well a verdict rests on what can be heard (UniSRM, App. F)."""

from functools import partial
from typing import Final

from annotate.models.parse.strict_json import Field, OneOf, Text, written
from annotate.models.task import TaskSpec

FIELDS: Final[dict[str, Field]] = {"score": OneOf(values=(0, 1, 2)), "reason": Text(longest=2_000)}

PLUGIN: Final = TaskSpec(
    name="groundedness",
    subject="judgments",
    templates={"en": "groundedness.en.jinja"},
    fields=("text",),
    passages=("completion",),
    audios={},
    scale=(0.0, 2.0),
    gives=tuple(FIELDS),
    parse=partial(written, fields=FIELDS, scores={"groundedness": "score"}),
)
