"""How English reads what is written in digits: every number as the forms of its readings (see ``scoring.readings``)."""

import functools
from collections.abc import Callable
from itertools import groupby
from typing import Final

from scoring.readings import Form

# fmt: off
_ONES: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES: Final = (
    "", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion", "sextillion", "septillion", "octillion",
)
# fmt: on
_IRREGULAR: Final = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_ZERO: Final[Form] = ["zero", "oh", "o"]
_AND: Final[Form] = [(), "and"]
_REPEATS: Final = {2: "double", 3: "triple"}
_POINT: Final[Form] = ["point", "dot"]

LONGEST: Final = 30
"""Digits of the longest number that is read as one; longer ones are read digit by digit."""


def integer(digits: str) -> Form:
    """Return the readings of an unsigned integer: as a quantity, like a year or a flight, digit by digit."""
    if len(digits) == 1:
        return [*_ZERO, "nought"] if digits == "0" else _ONES[int(digits)]
    spelled = digit_by_digit(digits)
    if digits[0] == "0" or len(digits) > LONGEST:
        return spelled
    value = int(digits)
    if len(digits) == 2:
        return [_below_hundred(value), spelled]
    pairs: list[Form] = []
    if len(digits) == 3 and digits[1] != "0":
        pairs = [(_ONES[int(digits[0])], _below_hundred(int(digits[1:])))]
    if len(digits) == 4:
        head, tail = int(digits[:2]), int(digits[2:])
        last: Form = "hundred" if not tail else (["oh", "o"], _ONES[tail]) if tail < 10 else _below_hundred(tail)
        pairs = [(_below_hundred(head), last)] if head % 10 or tail else []
        if head % 10 and tail:
            pairs.append((_below_hundred(head), "hundred", _AND, _below_hundred(tail)))
    quantity = cardinal(value)
    is_year = len(digits) == 4 and (1100 <= value < 2000 or 2010 <= value < 2100)
    return [*pairs, quantity, spelled] if is_year else [quantity, *pairs, *_scaled(digits), spelled]


def _scaled(digits: str) -> list[Form]:
    """Return the reading of a round number of millions or more by a decimal: 1500000 = one point five million."""
    value = int(digits.replace(",", ""))
    scale = (len(str(value)) - 1) // 3
    whole, rest = divmod(value, 1000**scale)
    if not 2 <= scale < len(_SCALES) or not rest or rest % (10 * 1000 ** (scale - 1)):
        return []
    decimals = f"{rest:0{3 * scale}d}".rstrip("0")
    return [(_below_thousand(whole, leads=False), "point", digit_by_digit(decimals), _SCALES[scale])]


def quantity(digits: str) -> Form:
    """Read a part of a fraction or a base as a quantity: digit by digit, 11/2 would be 1 1/2, and 10² nearly 102."""
    return integer(digits) if digits[0] == "0" else cardinal(int(digits))


def cardinal(value: int) -> Form:
    """Return the readings of a quantity: with and without "and", "a hundred" for "one hundred"."""
    if value == 0:
        return [*_ZERO, "nought"]
    if len(str(value)) > LONGEST:
        return digit_by_digit(str(value))
    groups = list[Form]()
    for scale in range((len(str(value)) - 1) // 3, -1, -1):
        amount = value // 1000**scale % 1000
        if not amount:
            continue
        first = not groups
        if groups and amount < 100 and not scale:
            groups.append(_AND)
        bare = first and amount == 1 and scale
        group: Form = ["one", "a"] if bare else _below_thousand(amount, leads=first)
        groups.append((group, _SCALES[scale]) if scale else group)
    return tuple(groups)


def _below_thousand(value: int, *, leads: bool) -> Form:
    hundreds, rest = divmod(value, 100)
    if not hundreds:
        return _below_hundred(rest)
    count: Form = ["one", "a"] if leads and hundreds == 1 else _ONES[hundreds]
    return (count, "hundred", _AND, _below_hundred(rest)) if rest else (count, "hundred")


def _below_hundred(value: int) -> Form:
    if value < 20:
        return _ONES[value]
    return (_TENS[value // 10], _ONES[value % 10]) if value % 10 else _TENS[value // 10]


def digit_by_digit(digits: str) -> Form:
    """Return the readings of a run of digits one by one, with "double" and "triple"."""
    forms = list[Form]()
    for digit, run in groupby(digits):
        name, count = _ZERO if digit == "0" else _ONES[int(digit)], len(list(run))
        each: Form = (name,) * count
        forms.append([each, (_REPEATS[count], name)] if count in _REPEATS else each)
    return tuple(forms)


@functools.lru_cache(maxsize=10_000)
def number(written: str) -> Form:
    """Return the readings of a number as it is written: commas between thousands, points, several points (3.11.2)."""
    whole, *fractions = written.split(".")
    head: Form = _with_commas(whole) if "," in whole else integer(whole) if whole else ()
    if whole == "0" and len(fractions) == 1:
        head = [*_ZERO, "nought", ()]
    if not whole:
        head = [(), *_ZERO]
    tail = list[Form]()
    for fraction in fractions:
        spelled = digit_by_digit(fraction)
        readings = [spelled] if fraction[0] == "0" or len(fraction) == 1 else [spelled, _below_thousand_or(fraction, spelled)]
        tail += [_POINT, list(readings)]
    part = _PARTS.get(fractions[0]) if len(fractions) == 1 else None
    if part is None:
        return (head, *tail)
    value = int(whole.replace(",", "") or 0)
    return [
        (head, *tail),
        (cardinal(value), "and", part) if value else part if fractions[0] == "75" else [part, _PART_ALONE[fractions[0]]],
    ]


_PARTS: Final[dict[str, Form]] = {
    "5": [("a", "half"), ("one", "half")],
    "25": [("a", "quarter"), ("one", "quarter")],
    "75": ("three", "quarters"),
}


_PART_ALONE: Final = {"5": "half", "25": "quarter"}


def _with_commas(digits: str) -> list[Form]:
    value = int(digits.replace(",", ""))
    readings: list[Form] = [cardinal(value), *_scaled(digits)]
    if 1100 <= value < 10_000 and value // 100 % 10:
        rest: Form = (_AND, _below_hundred(value % 100)) if value % 100 else ()
        readings.append((_below_hundred(value // 100), "hundred", rest))
    return readings


def _below_thousand_or(digits: str, otherwise: Form) -> Form:
    return _below_hundred(int(digits)) if len(digits) == 2 else otherwise


def ordinal(value: int) -> Form:
    """Return the readings of an ordinal: 102nd = one hundred and second."""
    return _last_word(cardinal(value) if value else "zero", _ordinal_word)


def plural(value: int) -> Form:
    """Return the readings of decades: 90 = nineties, 1990 = nineteen nineties, 1900 = nineteen hundreds."""
    return _last_word(integer(str(value)), _plural_word)


def _ordinal_word(word: str) -> str:
    if word.endswith("y"):
        return f"{word[:-1]}ieth"
    return _IRREGULAR.get(word, f"{word}th")


def _plural_word(word: str) -> str:
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}es" if word.endswith("x") else f"{word}s"


def _last_word(form: Form, change: Callable[[str], str]) -> Form:
    if isinstance(form, str):
        return change(form)
    if isinstance(form, list):
        return [_last_word(one, change) for one in form]
    return (*form[:-1], _last_word(form[-1], change)) if form else form


def fraction(above: int, below: int) -> list[Form]:
    """Return the readings of a fraction: one half, three quarters, twenty over seven."""
    many = above != 1
    count: Form = cardinal(above) if many else ["one", "a"]
    parts: list[Form] = [("halves" if many else "half")] if below == 2 else []
    if below == 4:
        parts.append("quarters" if many else "quarter")
    if below > 2:
        parts.append(_last_word(ordinal(below), _plural_word) if many else ordinal(below))
    readings: list[Form] = [(count, list(parts))] if parts else []
    if (above, below) == (1, 2):
        readings += ["half", ("half", ["a", "an"])]
    return readings


def clock(hours: str, minutes: str, seconds: str | None) -> list[Form]:
    """Return the readings of a time of day: five thirty, half past five, five oh five, five o'clock."""
    h, m = int(hours), int(minutes)
    hour = _below_hundred(h) if h else integer("0")
    if seconds is not None:
        s = int(seconds)
        parts = ((h, "hour"), (m, "minute"), (s, "second"))
        named: list[Form] = [(cardinal(value), name if value == 1 else f"{name}s") for value, name in parts if value]
        whole: Form = (*named[:-1], ["and", ()], named[-1]) if len(named) > 1 else tuple(named)
        return [(integer(str(h)), _minutes(m), _minutes(s)), *([whole] if named else [])]
    if not m:
        return [(hour, [(), "o'clock", "hundred"])]
    readings: list[Form] = [(hour, _minutes(m))]
    if h >= 24:
        return readings
    this, following = _below_hundred((h + 11) % 12 + 1), _below_hundred(h % 12 + 1)
    if m in {15, 30}:
        readings.append(("half" if m == 30 else (["a", ()], "quarter"), "past", [hour, this]))
    if m == 45:
        readings.append((["a", ()], "quarter", "to", following))
    if m % 5 == 0 and m != 30:
        shown: Form = (_below_hundred(m if m < 30 else 60 - m), [(), "minutes"])
        readings.append((shown, *(("past", this) if m < 30 else ("to", following))))
    return readings


def _minutes(value: int) -> Form:
    return (_ZERO, _ONES[value]) if value < 10 else _below_hundred(value)
