"""Task 4: which of two recordings is the better next turn of a dialogue (UniSRM, App. A Fig. 6 and Table 8).

The judge gets the audio of the turns before, and no transcript.
"""

from typing import Final

from annotate.models.parse.scorecard import BULLETED, Scorecard
from annotate.models.task import Dimension, TaskSpec

DIMENSIONS: Final = (
    Dimension(name="Intent Matching & Dialogue Act", key="intent"),
    Dimension(name="Speaker Consistency", key="speaker"),
    Dimension(name="Contextual Consistency", key="context"),
    Dimension(name="Emotion & Prosody Match", key="emotion"),
    Dimension(name="Overall Naturalness", key="naturalness"),
)
CARD: Final = Scorecard(dimensions=DIMENSIONS, layout=BULLETED, explanation_sentences=(1, 2))

compose = CARD.compose

PLUGIN: Final = TaskSpec(
    name="task4",
    templates={"en": "task4.en.jinja"},
    fields=("language",),
    audios={"Dialogue history, turn {n}": "history_audio_ids", "Speech A": "audio_a", "Speech B": "audio_b"},
    dimensions=DIMENSIONS,
    scale=CARD.scale,
    parse=CARD.parse,
)
