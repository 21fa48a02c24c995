"""The paired critique: two clips, four criteria in words, one whole number each (MOS-RMBench, App. B.2 Fig. 6).

That the scores must differ is ours: the paper allows equal ones.
"""

from functools import partial
from typing import Final

from annotate.models.parse.conclusions import Conclusion, parsed
from annotate.models.task import Dimension, TaskSpec

QUALITY: Final = Dimension(name="Overall Quality", key="quality")
CONCLUSION: Final = Conclusion(
    criteria=("Noise", "Distortion", "Naturalness", "Continuity"),
    line="Final Scores: [[{}, {}]]",
    decimals=0,
    scale=(1.0, 10.0),
    labels=("Audio 1", "Audio 2"),
)

PLUGIN: Final = TaskSpec(
    name="critique_pair",
    templates={"en": "critique_pair.en.jinja"},
    fields=(),
    audios={"Audio 1": "audio_a", "Audio 2": "audio_b"},
    dimensions=(QUALITY,),
    scale=CONCLUSION.scale,
    parse=partial(parsed, conclusion=CONCLUSION, name=QUALITY.name),
)
