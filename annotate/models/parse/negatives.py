"""Negative texts: whether a text that a model wrote can be the negative of a pair."""

from typing import Final

from annotate.models.parse.writing_systems import HAN, LATIN, letters_by_script
from contracts.languages import CHINESE, base_language
from contracts.text_identity import leakage_form

SHORTEST: Final = 0.5
LONGEST: Final = 2.0


def suits(original: str, written: str, language: str) -> str | None:
    """Return why a written text cannot be the negative of the original, as a counted word; None = it can.

    ``no_words``: it has no letter or digit. ``unchanged``: it equals the original (``leakage_form``).
    ``other_language``: an English text with a letter that is not Latin, or a Chinese one with fewer Chinese characters than
    other letters; other languages are not checked. ``length``: less than half or more than twice the original's characters,
    which would give it away.

    Args:
        original: the text that should be spoken.
        written: the text that a model wrote.
        language: language of the original, BCP 47.
    """
    if not any(map(str.isalnum, written)):
        return "no_words"
    if leakage_form(written) == leakage_form(original):
        return "unchanged"
    scripts = letters_by_script(written)
    base = base_language(language)
    if base == "en" and set(scripts) - {LATIN}:
        return "other_language"
    if base in CHINESE and scripts[HAN] * 2 < scripts.total():
        return "other_language"
    if not SHORTEST * len(original.strip()) <= len(written.strip()) <= LONGEST * len(original.strip()):
        return "length"
    return None
