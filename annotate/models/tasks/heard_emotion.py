"""The emotion that a clip is spoken with: which negatives have the target's emotion by accident (UniSRM, section 3: Task 3).

The words of the clip are not shown, and the prompt asks to go by the voice: a sad sentence can be said happily.
"""

from functools import partial
from typing import Final

from annotate.models.parse.strict_json import Field, OneOf, written
from annotate.models.task import TaskSpec
from contracts.emotions import EMOTIONS

FIELDS: Final[dict[str, Field]] = {"heard_emotion": OneOf(values=(*EMOTIONS, "other"))}

PLUGIN: Final = TaskSpec(
    name="heard_emotion",
    subject="samples",
    templates={"en": "heard_emotion.en.jinja"},
    fields=("language",),
    audios={"Recording": "audio"},
    gives=tuple(FIELDS),
    parse=partial(written, fields=FIELDS),
)
