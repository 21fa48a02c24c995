"""How English reads amounts: measures, money, feet and inches, dates, fractions, powers, and ranges of them.

``found`` are the groups of a token (``scoring.english``).
"""

from typing import Any, Final

import regex

from scoring import english_numbers as numbers
from scoring.english_abbreviations import day_name
from scoring.english_signs import CURRENCIES, DASHES, INSIDE, RANGE, SYMBOLS
from scoring.english_words import unit_names
from scoring.readings import Form

_MAGNITUDES: Final = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "t": "trillion"}
_POWERS: Final[dict[str, list[Form]]] = {"2": ["squared", "square"], "3": ["cubed", "cubic"]}
_DOLLARS: Final = {
    "A": "australian",
    "C": "canadian",
    "AU": "australian",
    "CA": "canadian",
    "NZ": "new zealand",
    "HK": "hong kong",
    "NT": "new taiwan",
    "S": "singapore",
}


def feet(match: Any) -> Form:
    """Read 5'10" and 5"; a mark behind a number that closes a quotation is no unit."""
    before = match.string[: match.start()]
    if match["inch"]:
        number = numbers.number(match["number"])
        is_quotation = match["inch"] == '"' and before.count('"') % 2 == 1
        return number if is_quotation else (number, ["inches", "inch", "seconds"])
    feet = numbers.integer(match["feet"])
    if not match["inches"]:
        return feet if _OPEN_QUOTATION.search(before) else (feet, ["feet", "foot", "minutes"])
    whole: Form = (feet, ["feet", "foot"], numbers.integer(match["inches"]), [(), "inches", "inch"])
    return [whole, (feet, numbers.integer(match["inches"]))]


_OPEN_QUOTATION: Final = regex.compile(r"(?:^|[\s(])'")


def quantity(found: dict[str, str]) -> Form:
    """Read a number with its unit, percent, degrees or cents."""
    number = numbers.number(found["number"])
    if found["percent"]:
        return (number, SYMBOLS[found["percent"]])
    if found["cents"]:
        return (number, "cent" if found["number"] == "1" else "cents")
    if found["unit"]:
        names = unit_names(found["unit"].strip())
        if found["square"]:
            dimension = "square" if found["square"] == "2" else "cubic"
            return (number, [(dimension, names), (names, _POWERS[found["square"]])])
        return (number, names)
    if found["degrees"] and not found["degree"]:
        return (number, SYMBOLS["\u00b0"])
    if found["degree"]:
        scale = "celsius" if found["degree"].lower() == "c" else "fahrenheit"
        return (number, ["degrees", "degree"], [scale, "centigrade", found["degree"].lower(), ()])
    return number


def money(found: dict[str, str]) -> Form:
    """Read an amount of money, with the country of its dollars and its million."""
    sign = found["currency"]
    many, one, minor_many, minor_one = CURRENCIES.get(sign, (sign, sign, sign, sign))
    if country := found["country"]:
        called: Form = tuple(_DOLLARS[country].split()) if country in _DOLLARS else ["us", ("u", "s")]
        amount: Form = numbers.number(found["amount"])
        if found["magnitude"]:
            amount = (amount, _MAGNITUDES.get(found["magnitude"].lower(), found["magnitude"].lower()))
        return [(amount, called, [many, one]), (called, amount, [many, one]), (tuple(country.lower()), amount, [many, one])]
    return _plain_money(found, (many, one, minor_many, minor_one))


def span(found: dict[str, str]) -> Form:
    """Read $5-10 million: five to ten million dollars, five million dollars to ten million dollars."""
    many, one, minor_many, minor_one = CURRENCIES.get(found["span_sign"], (found["span_sign"],) * 4)
    names: Form = [many, one]
    low, high = numbers.number(found["low"]), numbers.number(found["high"])
    written = (found["span_magnitude"] or "").lower()
    magnitude: Form = _MAGNITUDES.get(written, written) or ()
    whole: Form = (high, magnitude, names)
    readings: list[Form] = [([low, (low, magnitude)], RANGE, whole), ([low, (low, magnitude)], names, RANGE, whole)]
    if not found["high_sign"]:
        readings.append((low, magnitude, names, RANGE, high, magnitude))
    if not written:
        ends: list[Form] = [
            _plain_money({"amount": found[end], "magnitude": ""}, (many, one, minor_many, minor_one)) for end in ("low", "high")
        ]
        readings.append((ends[0], RANGE, ends[1]))
    return readings


def _plain_money(found: dict[str, str], names: tuple[str, str, str, str]) -> Form:
    many, one, minor_many, minor_one = names
    amount, magnitude = found["amount"], (found["magnitude"] or "").lower()
    name: Form = [one, many] if amount == "1" and not magnitude else [many, one]
    number: Form = [numbers.number(amount), "a"] if amount == "1" else numbers.number(amount)
    if magnitude:
        return (number, _MAGNITUDES.get(magnitude, magnitude), name)
    whole, _, minor = amount.partition(".")
    if len(minor) != 2:
        return (number, name)
    major: Form = (numbers.number(whole or "0"), [one, many] if whole == "1" else [many, one])
    if not int(minor):
        return [major, (number, name)]
    value = int(minor)
    small: Form = (numbers.cardinal(value), [minor_one if value == 1 else minor_many, ()])
    cents: Form = (numbers.cardinal(value), minor_one if value == 1 else minor_many)
    bare: Form = (["oh", "zero"], numbers.cardinal(value)) if value < 10 else numbers.cardinal(value)
    readings: list[Form] = [(major, [(), "and"], small), (numbers.number(whole or "0"), bare), (number, name)]
    return [cents, *readings] if not int((whole or "0").replace(",", "")) else readings


def day(value: int, month: str | None, until: str | None = None) -> Form:
    """Read the day of a month: with the month where it comes first (May 5, the fifth of May), and up to another day."""
    if until:
        return (day(value, month), RANGE, [numbers.cardinal(int(until)), (["the", ()], numbers.ordinal(int(until)))])
    nth = numbers.ordinal(value)
    if month is None:
        return [(["the", ()], nth, ["of", ()]), numbers.cardinal(value)]
    name = day_name(month)
    return [(name, [nth, ("the", nth), numbers.integer(str(value))]), (["the", ()], nth, "of", name)]


def calendar(found: dict[str, str]) -> Form:
    """Read 2024-05-03, 5/3/2024 and 3/5/2024 as a date that exists, or number by number."""
    if found["iso_year"]:
        year, joint, parts = found["iso_year"], DASHES["either"], (found["iso_month"], found["iso_day"])
        written, orders = (numbers.integer(year), joint, numbers.integer(parts[0]), joint, numbers.integer(parts[1])), [parts]
    else:
        year, joint, parts = found["slash_year"], INSIDE["/"], (found["slash_first"], found["slash_second"])
        written, orders = (
            (numbers.integer(parts[0]), joint, numbers.integer(parts[1]), joint, numbers.integer(year)),
            [parts, parts[::-1]],
        )
    dates: list[Form] = [
        (day(int(date), _MONTH_NAMES[int(month) - 1]), numbers.integer(year)) for month, date in orders if 0 < int(month) <= 12
    ]
    return [written, *dates]


_MONTH_NAMES: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip


def fraction(found: dict[str, str]) -> Form:
    """Read a fraction, alone or behind a whole number."""
    above, below = found["above"], found["below"]
    usual = numbers.fraction(int(above), int(below)) if 0 < int(below) <= 1000 and int(above) <= 1000 else []
    sequence: Form = (numbers.quantity(above), [(), "over", "slash", ("out", "of")], numbers.quantity(below))
    if not found["whole"]:
        return [*usual, sequence]
    part: Form = [*usual, sequence]
    return (numbers.integer(found["whole"]), ["and", ()], part)


def power(exponent: str) -> Form:
    """Read an exponent: squared, to the third power, to the minus three."""
    value = numbers.integer(exponent.lstrip("+-"))
    signed: Form = (["minus", "negative"], value) if exponent.startswith("-") else value
    named: list[Form] = [*_POWERS.get(exponent, [])]
    if exponent.isdigit() and len(exponent) < 7:
        named.append(("to", "the", numbers.ordinal(int(exponent)), ["power", ()]))
    return [*named, ("to", "the", [("power", "of"), "power", ()], signed)]
