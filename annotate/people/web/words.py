"""Texts of the interface, one data file per language, and the choice of the language."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from contracts.languages import base_language

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
        from_address: language in the address, ``?lang=zh`` or ``?lang=zh-TW``.
        from_cookie: language in the cookie.
        accept_language: the browser's ``Accept-Language``, in the order of preference; weights are ignored.
    """
    browser = [part.split(";")[0].strip() for part in accept_language.split(",")]
    for tag in (from_address, from_cookie, *browser):
        if tag and (language := base_language(tag)) in LANGUAGES:
            return language
    return LANGUAGES[0]
