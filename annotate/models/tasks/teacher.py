"""The teacher: which of two outputs sounds more natural, with the reasoning (SpeechJudge Table 1 and Fig. 4).

That the scores must differ is ours: the paper allows equal ones.

The reply ends with ``Output A: X, Output B: X``. Nothing follows the last score, so the parser cannot see that ``10``
was cut to ``1``: the judge refuses replies that reached their longest length.
"""

from functools import partial
from typing import Final

from annotate.models.parse.conclusions import Conclusion, parsed
from annotate.models.task import Dimension, TaskSpec

NATURALNESS: Final = Dimension(name="Naturalness", key="naturalness")
CONCLUSION: Final = Conclusion(
    criteria=("Prosody and Intonation", "Pacing and Rhythm", "Articulation and Clarity", "Overall Naturalness"),
    line="Output A: {}, Output B: {}",
    decimals=2,
    scale=(1.0, 10.0),
)

PLUGIN: Final = TaskSpec(
    name="teacher",
    templates={"en": "teacher.en.jinja"},
    fields=("text", "language"),
    audios={"Output A": "audio_a", "Output B": "audio_b"},
    dimensions=(NATURALNESS,),
    scale=CONCLUSION.scale,
    parse=partial(parsed, conclusion=CONCLUSION, name=NATURALNESS.name),
)
