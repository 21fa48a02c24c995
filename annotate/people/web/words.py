"""Texts of the interface, one data file per language, and the choice of the language."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

FOLDER: Final = Path(__file__).parent / "words"
LANGUAGES: Final = ("en", "zh")


@functools.cache
def words(language: str) -> Mapping[str, str]:
    """Return key -> text in a language of ``LANGUAGES``."""
    loaded: dict[str, str] = yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return loaded


def choose_language(*, from_address: str | None, from_cookie: str | None, accept_language: str) -> str:
    """Return the language of a page.

    Args:
        from_address: language in the address, ``?lang=zh``.
        from_cookie: language in the cookie.
        accept_language: the browser's ``Accept-Language``, in the order of preference; weights are ignored.
    """
    browser = [part.split(";")[0].strip().split("-")[0].lower() for part in accept_language.split(",")]
    for language in (from_address, from_cookie, *browser):
        if language in LANGUAGES:
            return str(language)
    return LANGUAGES[0]
