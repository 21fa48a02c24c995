"""What an engine gets of a text: in its alphabet, without what nobody hears, and with nothing in it that it would obey.

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

_TYPOGRAPHY: Final = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2013": " - ",
        "\u2014": " - ",
        "\u2026": "...",
        "\u00a0": " ",
        "\u202f": " ",
    }
)


HANDOVER: Final = 1
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
    """Return the text that an engine gets, in one line; empty if there is nothing to say.

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
    return " ".join(given.split())


def newly_handed_over(text: str, controls: Sequence[Control], voice: str, *, ascii_only: bool) -> str | None:
    """Return the text that an engine gets if it is another one than before there were these rules; None if it is the same.

    A clip's key holds it only then, so that what was spoken right before is not spoken again.
    """
    given = handed_over(text, controls, voice, ascii_only=ascii_only)
    before = plain_ascii(text) if ascii_only else one_line(text)
    if isinstance(given, Failure):
        return None
    # espeak-ng got double brackets with a space between them before, too.
    is_known = isinstance(before, str) and given in {before, before.replace("[[", "[ [")}
    return None if is_known else given


def one_line(text: str) -> str:
    """Return ``text`` without line breaks and control characters, which some programs take for the end of the text."""
    return " ".join("".join(c if unicodedata.category(c) != "Cc" else " " for c in text).split())


def plain_ascii(text: str) -> str | Failure:
    """Return ``text`` in the characters that engines of the ASCII age know: plain quotes, dashes and unaccented letters."""
    decomposed = unicodedata.normalize("NFKD", one_line(text.translate(_TYPOGRAPHY)))
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    foreign = sorted({c for c in plain if not c.isascii()})
    if foreign:
        return Failure("unsupported_characters", f"this engine cannot read {' '.join(foreign[:20])}")
    return plain
