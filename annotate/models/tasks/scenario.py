"""The scenario writer: a scene in which a sentence is said with an emotion (UniSRM, App. A Fig. 7)."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from annotate.models.parse.near_copies import near_copy
from annotate.models.parse.strict_json import Text, written
from annotate.models.parse.written_language import is_in_other_script, other_language
from annotate.models.task import ParseError, TaskSpec, Written
from contracts.languages import CHINESE, base_language

FIELDS: Final = {"scenario_description": Text(longest=2_000), "paragraph_context": Text(longest=4_000)}

MOST_NAMED: Final = 2
"""How often scene and story together may name the emotion."""

# Emotions of the corpora -> the word and what is derived from it, by language.
_ENGLISH: Final = {
    "happy": r"happ(?:y|ier|iest|ily|iness)",
    "angry": r"anger\w*|angr(?:y|ier|iest|ily)",
    "sad": r"sad(?:der|dest|ly|ness|den\w*)?",
    "surprise": r"surpris\w+",
    "neutral": r"neutral\w*",
}
_CHINESE: Final = {
    "happy": "快乐|高兴|开心|愉快|喜悦",
    "angry": "生气|愤怒|恼怒|恼火|气愤",
    "sad": "伤心|悲伤|难过|悲痛",
    "surprise": "惊喜|惊讶|吃惊|惊奇|诧异",
    "neutral": "中立|中性",
}
_SAME: Final = {
    "happiness": "happy",
    "anger": "angry",
    "sadness": "sad",
    "surprised": "surprise",
    "快乐": "happy",
    "生气": "angry",
    "伤心": "sad",
    "惊喜": "surprise",
    "中立": "neutral",
}


def check(content: Written, shown: Mapping[str, str]) -> None:
    """Check a scene against the sentence, the emotion and the language that the request showed.

    Raises:
        ParseError: ``other_language``: scene or story are not in the sentence's language; ``utterance_rewritten``: they hold
            another version of the sentence; ``emotion_named``: they name the emotion more than ``MOST_NAMED`` times.
    """
    fields = {name: str(content.content[name]) for name in FIELDS}
    language = shown["language"]
    for name, text in fields.items():
        found = "another script" if is_in_other_script(text, language) else other_language(text, language)
        if found is not None:
            raise ParseError("other_language", f"{name} must be in the language {language!r}, not in {found}")
        if (copy := near_copy(shown["text"], text)) is not None:
            raise ParseError(
                "utterance_rewritten", f"{name} has another version of the sentence, {copy[:80]!r}: leave it out of the story"
            )
    named = re.findall(emotion_pattern(shown["emotion"], language), "\n".join(fields.values()), re.IGNORECASE)
    if len(named) > MOST_NAMED:
        raise ParseError(
            "emotion_named",
            f"the emotion is named {len(named)} times ({', '.join(named)[:80]}), at most {MOST_NAMED} are allowed: "
            "let the events bring it about",
        )


def emotion_pattern(emotion: str, language: str) -> str:
    """Return a regular expression of an emotion's words in a language; of an unknown one, the word itself and its endings."""
    plain = emotion.strip().lower()
    key = _SAME.get(plain, plain)
    if base_language(language) in CHINESE:
        return _CHINESE.get(key, re.escape(plain))
    stem = re.escape(re.sub(r"[ey]$", "", plain)) + r"\w{0,5}" if plain.isascii() else re.escape(plain)
    return rf"\b(?:{_ENGLISH.get(key, stem)})\b"


PLUGIN: Final = TaskSpec(
    name="scenario",
    subject="prompts",
    templates={"en": "scenario.en.jinja", "zh": "scenario.zh.jinja"},
    fields=("text", "emotion", "language"),
    audios={},
    gives=tuple(FIELDS),
    parse=partial(written, fields=FIELDS),
    check=check,
)
