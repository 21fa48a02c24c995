"""Words of the interface, one data file per language, and which language a reader wants."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

FOLDER: Final = Path(__file__).parent / "words"
LANGUAGES: Final = ("en", "zh")


@functools.cache
def words(language: str) -> Mapping[str, str]:
    """Return key -> words of a language of ``LANGUAGES``."""
    loaded: dict[str, str] = yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return loaded


def wanted(*, asked: str | None, remembered: str | None, accepted: str) -> str:
    """Return the language for a reader.

    Args:
        asked: of the address, ``?lang=zh``.
        remembered: of the cookie.
        accepted: the browser's ``Accept-Language``; its order is taken for its preference.
    """
    browser = [part.split(";")[0].strip().split("-")[0].lower() for part in accepted.split(",")]
    for language in (asked, remembered, *browser):
        if language in LANGUAGES:
            return str(language)
    return LANGUAGES[0]
