"""Negative texts: whether what a model wrote can stand for a text that is not the one wanted (SPEC U3, U4)."""

import unicodedata
from typing import Final

from annotate.writing_systems import HAN, LATIN, letters_by_script

SHORTEST: Final = 0.5
LONGEST: Final = 2.0


def suits(original: str, written: str, language: str) -> str | None:
    """Return why a written text cannot stand against the original, as a counted word; None = it can.

    ``no_words``: it has no letter or digit. ``unchanged``: it differs in case, punctuation and spaces alone.
    ``other_language``: an English text with a letter that is not Latin, or a Chinese one with fewer Chinese characters than
    other letters; other languages are not checked. ``length``: less than half or more than twice the original's characters,
    which would give it away.

    Args:
        original: the text that should be spoken.
        written: the text that a model wrote.
        language: language of the original, BCP 47.
    """
    bare = _bare(written)
    if not bare:
        return "no_words"
    if bare == _bare(original):
        return "unchanged"
    scripts = letters_by_script(written)
    base = language.partition("-")[0].lower()
    if base == "en" and set(scripts) - {LATIN}:
        return "other_language"
    if base == "zh" and scripts[HAN] * 2 < scripts.total():
        return "other_language"
    if not SHORTEST * len(original.strip()) <= len(written.strip()) <= LONGEST * len(original.strip()):
        return "length"
    return None


def _bare(text: str) -> str:
    """Return letters and digits alone, without case and width."""
    return "".join(character for character in unicodedata.normalize("NFKC", text).casefold() if character.isalnum())
