"""Text front end: the text that an engine gets, in its alphabet, without unspoken characters and control syntax.

Texts come from corpora and language models, and all of a text is to be spoken. So control syntax of an engine is made
ineffective, and its words are kept. Every engine declares its own syntax in its own file.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.jobs import Failure
from contracts.text_forms import spoken
from synth.plain_ascii import one_line, plain_ascii, unmarked

_NAMED_SIGNS: Final = frozenset("^_*&%#@/\\")
"""Signs with a name that Unicode does not call symbols."""

FRONTEND_VERSION: Final = 2
"""Version of ``engine_text``. A new version makes builds look for clips whose engine text has changed."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """Syntax that an engine would execute, or fail on, instead of speaking it.

    Attributes:
        pattern: regular expression of the syntax, in the engine's text.
        replacement: its replacement, as of ``re.sub``; no match may be left.
        voices: the voices concerned; empty = all.
    """

    pattern: str
    replacement: str = " "
    voices: tuple[str, ...] = ()


def engine_text(text: str, controls: Sequence[Control], voice: str, *, ascii_only: bool) -> str | Failure:
    """Return the text that an engine gets, in one line; empty if there is nothing to speak.

    Args:
        text: the text to be spoken.
        controls: control syntax of the engine.
        voice: voice that speaks.
        ascii_only: whether the engine reads ASCII only; then text in another script is a failure.
    """
    given = plain_ascii(spoken(text)) if ascii_only else spoken(text)
    if isinstance(given, Failure):
        return given
    for control in controls:
        if voice in control.voices or not control.voices:
            given = re.sub(control.pattern, control.replacement, given)
    given = " ".join(given.split())
    return given if any(_is_spoken(character) for character in given) else ""


def _is_spoken(character: str) -> bool:
    """Return whether a character is spoken; some programs crash on a text without any such character."""
    category = unicodedata.category(character)
    return category[0] in "LN" or category in {"Sm", "Sc", "So"} or character in _NAMED_SIGNS


def changed_engine_text(text: str, controls: Sequence[Control], voice: str, *, ascii_only: bool) -> str | None:
    """Return the engine's text if it differs from the text of older versions, which had no such rules; None if not.

    Only a different text is part of a clip's key, so that clips that were right are not rendered again.
    """
    given = engine_text(text, controls, voice, ascii_only=ascii_only)
    before = unmarked(text) if ascii_only else one_line(text)
    if isinstance(given, Failure):
        return None
    # espeak-ng got double brackets with a space between them before, too.
    is_known = isinstance(before, str) and given in {before, before.replace("[[", "[ [")}
    return None if is_known else given
