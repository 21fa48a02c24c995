"""Cells of exchanged files: conversion of their values, and protection against formulas.

A spreadsheet program runs a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break as a formula, even from a
CSV file (OWASP, CSV injection). Such cells are written with an apostrophe before them and read without it.
"""

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import Final

from contracts.errors import DataError

_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width forms are formulas, too
# XML 1.0 has no way to write these; the last ones are halves of a surrogate pair, which UTF-8 cannot write either.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")  # no database keeps all of these
_TRUE: Final = frozenset({"true", "yes", "y", "1"})
_FALSE: Final = frozenset({"false", "no", "n", "0"})


@dataclass(frozen=True, slots=True)
class UnreadableCell:
    """A cell without a readable value.

    Attributes:
        why: the reason, and what to do.
    """

    why: str


def escape_formula(text: str) -> str:
    """Return a text as a cell that spreadsheet programs do not run; control characters become U+FFFD."""
    text = _CONTROL.sub("\ufffd", text)
    # An apostrophe before a risky character is doubled, so that unescape_formula() returns the original text.
    return f"'{text}" if text.lstrip("'").startswith(_RISKY) else text


def unescape_formula(text: str) -> str:
    """Return the original text of ``escape_formula``, except for control characters."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_RISKY) else text


def as_text(value: object) -> str:
    """Return the text of a cell, without surrounding space; "" for an empty cell.

    Whole numbers have no decimal point, however the program stored them.

    Raises:
        DataError: it is a date, a list, an error value, a broken character or a formula without a result; says what to do.
    """
    match value:
        case None:
            return ""
        case str() if _UNSTORABLE.search(value):
            raise DataError("a broken character stands here (NUL or half a surrogate pair): type the cell again")
        case str():
            return unescape_formula(value.strip())
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return str(int(value)) if value.is_integer() else repr(value)
        case UnreadableCell():
            raise DataError(value.why)
        case dt.date() | dt.time() | dt.timedelta():
            raise DataError("a date or time stands where a word or number belongs: format the column as text and type it again")
        case list() | tuple() | dict():
            raise DataError("several values stand where one belongs")
        case _:
            raise DataError(f"{value!r} is neither a text nor a number")


def as_words(value: object, separator: str) -> list[str]:
    """Return the values of a cell that may hold several: a list, or a text with separators.

    Raises:
        DataError: a value is neither text nor number.
    """
    if isinstance(value, list | tuple):
        return [word for word in map(as_text, value) if word]
    return [word for part in as_text(value).split(separator) if (word := part.strip())]


def as_number(text: str) -> float:
    """Return the number in a text.

    Raises:
        DataError: it is no number of 0 or more.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise DataError(f"{text!r} is no number of 0 or more: give it in digits, with a point before decimals")
    return number


def as_count(text: str) -> int:
    """Return the whole number in a text.

    Raises:
        DataError: it is no whole number of 0 or more.
    """
    number = as_number(text)
    if not number.is_integer():
        raise DataError(f"{text!r} is no whole number")
    return int(number)


def as_bool(text: str) -> bool:
    """Return the truth value of yes, no, true, false, 1 or 0, in upper or lower case.

    Raises:
        DataError: the text is none of them.
    """
    word = text.casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise DataError(f"{text!r} is none of yes, no, true, false, 1, 0: map it under 'words'")
