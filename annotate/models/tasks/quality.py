"""Task 2: how good one recording is, in seven aspects and in words (UniSRM, Sec. 3, App. A Fig. 4 and Table 8).

The form and its scores are those of QualiSpeech, whose rows are written in it too (``compose``); a judge can be asked for it.
"""

from typing import Final

from annotate.models.parse.quality_form import QualityForm
from annotate.models.task import Dimension, TaskSpec

ASPECTS: Final = (
    Dimension(name="Noise", key="noise"),
    Dimension(name="Distortion", key="distortion"),
    Dimension(name="Speed", key="speed"),
    Dimension(name="Continuity", key="continuity"),
    Dimension(name="Naturalness", key="naturalness"),
    Dimension(name="Listening effort", key="listening_effort"),
    Dimension(name="Overall quality", key="overall"),
)
FORM: Final = QualityForm(
    aspects=tuple(aspect.key for aspect in ASPECTS),
    descriptions={
        "Noise description": "noise_description",
        "Distortion description": "distortion_description",
        "Unnatural pause": "unnatural_pause",
        "Feeling of voice": "feeling_of_voice",
    },
    paragraph="natural_language_description",
    scale=(1.0, 5.0),
)

PLUGIN: Final = TaskSpec(
    name="quality",
    subject="samples",
    templates={"en": "quality.en.jinja"},
    fields=(),
    audios={"Speech": "audio"},
    dimensions=ASPECTS,
    scale=FORM.scale,
    gives=FORM.fields,
    parse=FORM.parse,
    compose=FORM.compose,
)
