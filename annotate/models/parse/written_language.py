"""In which language a text is written, as far as scripts and a language identifier can tell.

The identifier is py3langid (BSD-3-Clause, 140 languages, its model in the package, no network).
"""

from functools import cache
from typing import TYPE_CHECKING, Final

from annotate.models.parse.writing_systems import HAN, LATIN, letters_by_script
from contracts.languages import CHINESE, base_language

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SURE: Final = 0.9
"""Least probability of another language for a text to count as written in it; names and short texts stay below."""

_POSSIBLE: Final = 0.05
"""A text whose own language has this probability may be written in it."""

_SCRIPTS: Final = {"en": LATIN, **dict.fromkeys(CHINESE, HAN)}


def is_in_other_script(text: str, language: str) -> bool:
    """Tell whether a text in English or a Chinese language has fewer letters of that language's script than others."""
    script, letters = _SCRIPTS.get(base_language(language)), letters_by_script(text)
    return script is not None and letters[script] * 2 < letters.total()


def other_language(text: str, language: str) -> str | None:
    """Return the language that a text is surely written in if that is another one; None = it may be in its own.

    Chinese languages are not told from each other, as they are written alike.

    Args:
        text: one sentence or more.
        language: the language that it should be in, BCP 47.
    """
    wanted = base_language(language)
    own = CHINESE if wanted in CHINESE else {wanted}
    identifier = _identifier()
    if not own & set(identifier.labels):
        return None
    ranked: list[tuple[str, float]] = identifier.rank(text)
    found, probability = ranked[0]
    if found in own or probability < SURE or any(share >= _POSSIBLE for label, share in ranked if label in own):
        return None
    return found


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
