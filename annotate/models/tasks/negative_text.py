"""The writer of mismatching text: another sentence for the same scene, wrong there (UniSRM, Sec. 3: Task 3, (ii)).

``annotate.models.parse.negatives`` decides whether it can be a negative of the original.
"""

from functools import partial
from typing import Final

from annotate.models.parse.strict_json import Text, written
from annotate.models.task import TaskSpec

FIELDS: Final = {"text": Text(longest=1_000)}

PLUGIN: Final = TaskSpec(
    name="negative_text",
    subject="prompts",
    makes_negatives=True,
    templates={"en": "negative_text.en.jinja", "zh": "negative_text.zh.jinja"},
    fields=("text", "emotion", "language", "scenario_description", "paragraph_context"),
    audios={},
    gives=tuple(FIELDS),
    parse=partial(written, fields=FIELDS),
)
