"""Writing systems: in which scripts a text is written."""

import unicodedata
from collections import Counter

LATIN = "LATIN"
HAN = "CJK"


def letters_by_script(text: str) -> Counter[str]:
    """Return script -> letters of the text in it, by the first word of each letter's Unicode name.

    Full-width Latin letters count as Latin.
    """
    letters = (letter for letter in unicodedata.normalize("NFKC", text) if letter.isalpha())
    return Counter(unicodedata.name(letter, "UNKNOWN").partition(" ")[0] for letter in letters)


def main_script(text: str) -> str | None:
    """Return the script of most letters; None for a text without any."""
    return max(counts, key=lambda script: (counts[script], script)) if (counts := letters_by_script(text)) else None
