"""Task 3: which of two recordings suits the scene in which its text is said (UniSRM, App. A Fig. 5 and Table 8).

Chinese rows are asked in Chinese; headings, names and answers are the same for all rows.
"""

from typing import Final

from annotate.models.parse.scorecard import Scorecard
from annotate.models.task import Dimension, TaskSpec

DIMENSIONS: Final = (
    Dimension(name="Text Fidelity & Intelligibility", key="text"),
    Dimension(name="Scenario Style Match", key="scenario"),
    Dimension(name="Naturalness & Audio Quality", key="naturalness"),
)
CARD: Final = Scorecard(dimensions=DIMENSIONS, explanation_sentences=(1, 2))

compose = CARD.compose

PLUGIN: Final = TaskSpec(
    name="task3",
    templates={"en": "task3.en.jinja", "zh": "task3.zh.jinja"},
    fields=("text", "language", "emotion", "scenario_description", "paragraph_context"),
    audios={"Speech A": "audio_a", "Speech B": "audio_b"},
    dimensions=DIMENSIONS,
    scale=CARD.scale,
    parse=CARD.parse,
)
