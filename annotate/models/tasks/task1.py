"""Task 1: which of two recordings of one text is better (UniSRM, Sec. 3, App. A Fig. 3 and Table 8)."""

from typing import Final

from annotate.models.parse.scorecard import Scorecard
from annotate.models.task import Dimension, TaskSpec

DIMENSIONS: Final = (
    Dimension(name="Text Fidelity & Intelligibility", key="text"),
    Dimension(name="Speaker Similarity to Prompt Speech", key="speaker"),
    Dimension(name="Prosody & Expressiveness Appropriateness", key="prosody"),
    Dimension(name="Naturalness & Audio Quality", key="naturalness"),
)
CARD: Final = Scorecard(dimensions=DIMENSIONS)

compose = CARD.compose

PLUGIN: Final = TaskSpec(
    name="task1",
    templates={"en": "task1.en.jinja"},
    fields=("text", "language"),
    audios={"Prompt Speech": "reference_audio_id", "Speech A": "audio_a", "Speech B": "audio_b"},
    dimensions=DIMENSIONS,
    scale=CARD.scale,
    parse=CARD.parse,
)
