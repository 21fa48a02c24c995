"""The scenario writer: a scene in which a sentence is said with an emotion (UniSRM, App. A Fig. 7)."""

from functools import partial
from typing import Final

from annotate.models.parse.strict_json import Text, written
from annotate.models.task import TaskSpec

FIELDS: Final = {"scenario_description": Text(longest=2_000), "paragraph_context": Text(longest=4_000)}

PLUGIN: Final = TaskSpec(
    name="scenario",
    subject="prompts",
    templates={"en": "scenario.en.jinja", "zh": "scenario.zh.jinja"},
    fields=("text", "emotion", "language"),
    audios={},
    gives=tuple(FIELDS),
    parse=partial(written, fields=FIELDS),
)
