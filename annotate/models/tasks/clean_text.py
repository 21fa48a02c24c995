"""The cleaner of transcripts: typing errors, punctuation and coherence (SpeechJudge, App. A.1).

The paper asks for the cleaned text alone. Here it comes as JSON with one key: bare text could be
the text, an explanation of it, a refusal, or its first half.
"""

from functools import partial
from typing import Final

from annotate.models.parse.strict_json import Text, written
from annotate.models.task import TaskSpec
from contracts.text_identity import LONGEST_TEXT

FIELDS: Final = {"text": Text(longest=LONGEST_TEXT)}

PLUGIN: Final = TaskSpec(
    name="clean_text",
    subject="prompts",
    makes_texts=True,
    templates={"en": "clean_text.en.jinja"},
    fields=("text", "language"),
    audios={},
    gives=tuple(FIELDS),
    parse=partial(written, fields=FIELDS),
)
