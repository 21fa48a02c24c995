"""What an engine gets of a text: in its alphabet, without what is not spoken, and with nothing in it that it would obey.

Texts come from corpora and language models. Whatever stands in one is to be spoken, so syntax that controls an engine is
taken apart: the words stay, the markup does not work. Every engine declares its own syntax in its own file.
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

HANDOVER: Final = 2
"""Version of ``handed_over``: raised with a change, which makes builds look for clips whose text is now another one."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """Something in a text that an engine would obey, or stumble over, instead of speaking it.

    Attributes:
        pattern: regular expression of it, in the text as the engine gets it.
        instead: what is handed over in its place, as ``re.sub`` takes it; no match may be left.
        voices: the voices that do so; empty = all.
    """

    pattern: str
    instead: str = " "
    voices: tuple[str, ...] = ()


def handed_over(text: str, controls: Sequence[Control], voice: str, *, ascii_only: bool) -> str | Failure:
    """Return the text that an engine gets, in one line; empty if there is nothing to speak.

    Args:
        text: what is to be spoken.
        controls: what the engine would obey.
        voice: which of its voices speaks.
        ascii_only: whether it knows ASCII only; then text in another script is a failure.
    """
    given = plain_ascii(spoken(text)) if ascii_only else spoken(text)
    if isinstance(given, Failure):
        return given
    for control in controls:
        if voice in control.voices or not control.voices:
            given = re.sub(control.pattern, control.instead, given)
    given = " ".join(given.split())
    return given if any(_is_spoken(character) for character in given) else ""


def _is_spoken(character: str) -> bool:
    """Whether a character alone makes a text one that can be spoken; some programs die of marks without any."""
    category = unicodedata.category(character)
    return category[0] in "LN" or category in {"Sm", "Sc", "So"} or character in _NAMED_SIGNS


def newly_handed_over(text: str, controls: Sequence[Control], voice: str, *, ascii_only: bool) -> str | None:
    """Return the text that an engine gets if it is another one than before there were these rules; None if it is the same.

    A clip's key holds it only then, so that what was spoken right before is not spoken again.
    """
    given = handed_over(text, controls, voice, ascii_only=ascii_only)
    before = unmarked(text) if ascii_only else one_line(text)
    if isinstance(given, Failure):
        return None
    # espeak-ng got double brackets with a space between them before, too.
    is_known = isinstance(before, str) and given in {before, before.replace("[[", "[ [")}
    return None if is_known else given
