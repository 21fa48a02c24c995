"""The writer of wrong turns: a next turn that misses the intent or contradicts the dialogue (UniSRM, Sec. 3: Task 4, (i)).

``annotate.models.parse.negatives`` decides whether it can be a negative of the original.
"""

from functools import partial
from typing import Final

from annotate.models.parse.strict_json import Field, OneOf, Text, written
from annotate.models.task import TaskSpec

FIELDS: Final[dict[str, Field]] = {"text": Text(longest=1_000), "flaw": OneOf(values=("intent", "consistency"))}

PLUGIN: Final = TaskSpec(
    name="negative_turn",
    subject="prompts",
    makes_negatives=True,
    templates={"en": "negative_turn.en.jinja"},
    fields=("text", "language"),
    passages=("history_text",),
    audios={},
    gives=tuple(FIELDS),
    parse=partial(written, fields=FIELDS),
)
