"""The writer of continuations: ten styles, a pick, its translation and a mixed form (SpeechJudge, App. A.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from annotate.models.parse.near_copies import copy_of
from annotate.models.parse.reading_time import reading_time_s
from annotate.models.parse.strict_json import Field, Items, Text, written
from annotate.models.parse.writing_systems import letters_by_script, main_script
from annotate.models.task import ParseError, TaskSpec, Written
from contracts.bounds import Seconds
from contracts.text_identity import LONGEST_TEXT

STYLES: Final = 10
SPOKEN: Final = ("random", "translation", "codeSwitching")
"""The fields that are spoken."""

FIELDS: Final[dict[str, Field]] = {
    "continue": Items(count=STYLES, fields={"type": Text(longest=100), "content": Text(longest=1_000)}),
    "random": Text(longest=1_000),
    "translation": Text(longest=LONGEST_TEXT),
    "codeSwitching": Text(longest=LONGEST_TEXT),
}


def parse(reply: str) -> Written:
    """Read a reply.

    Raises:
        ParseError: see ``parse.strict_json``, or ``styles_repeated``: two continuations have the same style or text;
            ``random_unknown``: the pick is none of them; ``translation_script``: the translation is written in the script of
            what it translates; ``one_script``: the code-switched text is not written in the scripts of both.
    """
    parsed = written(reply, FIELDS)
    _check(parsed.content)
    return parsed


def _check(content: Mapping[str, Any]) -> None:
    types, texts = ([item[key] for item in content["continue"]] for key in ("type", "content"))
    for name, values in (("type", [style.casefold() for style in types]), ("content", texts)):
        if len(set(values)) < STYLES:
            raise ParseError("styles_repeated", f"the {STYLES} items of continue must have {STYLES} different values of {name}")
    if content["random"] not in texts:
        raise ParseError("random_unknown", "random must repeat the content of one item of continue, word for word")
    script, other = main_script(content["random"]), main_script(content["translation"])
    if script == other:
        raise ParseError("translation_script", "translation must be in the other language: Chinese for English, else English")
    if {script, other} - set(letters_by_script(content["codeSwitching"])):
        raise ParseError(
            "one_script", "codeSwitching must keep the language of random and have words of the other language in it"
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Options of the task: what the spoken texts, ``random``, ``translation`` and ``codeSwitching``, must be.

    The paper asks for texts of about 10 to 20 seconds that do not repeat the given sentence. A reply beyond the limits is sent
    back once.

    Attributes:
        min_s: shortest reading time, as ``parse.reading_time`` estimates it, which is right within a fifth or so.
        max_s: longest reading time.
    """

    min_s: Seconds = 8.0
    max_s: Seconds = 24.0

    def __post_init__(self) -> None:
        if self.min_s > self.max_s:
            raise ValueError(f"min_s {self.min_s:g} is above max_s {self.max_s:g}")

    def __call__(self, written: Written, shown: Mapping[str, str]) -> None:
        """Check a reply against the text that the request showed.

        Raises:
            ParseError: ``reading_time``: a text is too short or too long; ``text_repeated``: one repeats the given text.
        """
        for name in SPOKEN:
            text = written.content[name]
            seconds = reading_time_s(text)
            if not self.min_s <= seconds <= self.max_s:
                raise ParseError(
                    "reading_time",
                    f"{name} takes about {seconds:.0f} s to read aloud, it must take {self.min_s:g} to {self.max_s:g} s: "
                    "write continuations of about 10 to 20 s",
                )
            if (copy := copy_of(shown["reference_text"], text)) is not None:
                raise ParseError("text_repeated", f"{name} repeats the given text, {copy[:80]!r}: go on from where it ends")


PLUGIN: Final = TaskSpec(
    name="style_continuation",
    subject="prompts",
    makes_texts=True,
    templates={"en": "style_continuation.en.jinja", "zh": "style_continuation.zh.jinja"},
    fields=("language",),
    passages=("reference_text",),
    audios={},
    gives=tuple(FIELDS),
    parse=parse,
    options=Limits,
)
