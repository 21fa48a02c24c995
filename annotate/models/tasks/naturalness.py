"""Which of two outputs sounds more natural, in two scores without a word of reasoning (SpeechJudge, Table 1: the plain prompt).

It is how the models of SpeechJudge's Table 2 are asked; the task ``teacher`` asks for the reasoning first.
"""

from functools import partial
from typing import Final

from annotate.models.parse.conclusions import Conclusion, parsed
from annotate.models.task import Dimension, TaskSpec

NATURALNESS: Final = Dimension(name="Naturalness", key="naturalness")
CONCLUSION: Final = Conclusion(
    criteria=(), line="Output A: {}, Output B: {}", decimals=2, scale=(1.0, 10.0), needs_reasons=False
)

PLUGIN: Final = TaskSpec(
    name="naturalness",
    templates={"en": "naturalness.en.jinja"},
    fields=("text", "language"),
    audios={"Output A": "audio_a", "Output B": "audio_b"},
    dimensions=(NATURALNESS,),
    scale=CONCLUSION.scale,
    parse=partial(parsed, conclusion=CONCLUSION, name=NATURALNESS.name),
)
