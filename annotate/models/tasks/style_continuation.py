"""The writer of continuations: ten styles, a pick, its translation and a mixed form (SpeechJudge, App. A.1)."""

from collections.abc import Mapping
from typing import Any, Final

from annotate.models.parse.strict_json import Field, Items, Text, written
from annotate.models.parse.writing_systems import letters_by_script, main_script
from annotate.models.task import ParseError, TaskSpec, Written
from contracts.text_identity import LONGEST_TEXT

STYLES: Final = 10
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
)
