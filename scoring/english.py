"""English as the forms of its readings: words, and whatever is written in digits and signs (see ``scoring.readings``).

The equalities are those that Whisper's normaliser lists (Radford et al. 2023, App. C: contractions, titles, British spellings,
hesitations, numbers), kept as readings side by side, so that "one dollar" and "one" stay two things.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import regex

from scoring import english_numbers as numbers
from scoring.english_words import FILLERS, MONTHS, UNITS, UNITS_AFTER_DIGITS, unit_names, word
from scoring.readings import Form

_NUMBER: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)*|(?<![0-9])\.[0-9]+)"
_WORD: Final = r"\p{L}[\p{L}\p{M}]*(?:'\p{L}[\p{L}\p{M}]*)*"
_UNIT_NAMES: Final = "|".join(sorted([*UNITS, *UNITS_AFTER_DIGITS, "km/h"], key=len, reverse=True))
_MONTH_NAMES: Final = "|".join(sorted(MONTHS, key=len, reverse=True))
_CURRENCIES: Final[dict[str, tuple[str, str, str, str]]] = {
    "$": ("dollars", "dollar", "cents", "cent"),
    "\u20ac": ("euros", "euro", "cents", "cent"),
    "\u00a3": ("pounds", "pound", "pence", "penny"),
    "\u00a5": ("yen", "yuan", "fen", "fen"),
    "\u20b9": ("rupees", "rupee", "paise", "paisa"),
}
_MAGNITUDES: Final = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "t": "trillion"}
_POWERS: Final[dict[str, list[Form]]] = {"2": ["squared", "square"], "3": ["cubed", "cubic"]}

_TOKEN: Final = regex.compile(
    rf"""
      (?P<simple>(?<![\p{{N}}'.-])[a-z]{{2,}}(?:'[a-z]+)?(?=[\ ,;:!?]|\.?(?:\ |$)))
    | (?P<sign>(?<![\p{{L}}\p{{N}}_.)])[-+](?=[.$\u20ac\u00a3\u00a50-9]))
    | (?P<currency>[$\u20ac\u00a3\u00a5\u20b9])\ ?(?P<amount>{_NUMBER})
        (?:\ ?(?P<magnitude>(?:thousand|million|billion|trillion|k|mn?|bn?|t)\b))?
    | (?P<hours>[0-9]{{1,2}}):(?P<minutes>[0-5][0-9])(?::(?P<seconds>[0-5][0-9]))?(?![0-9:])
    | (?P<day>[0-3]?[0-9])(?:st|nd|rd|th)?(?=\ (?:of\ )?(?:{_MONTH_NAMES})\b)
    | (?<=\b(?:{_MONTH_NAMES})\.?\ )(?P<date>[0-3]?[0-9])(?:st|nd|rd|th)?\b(?![.:]?[0-9])
    | (?P<nth>[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]+)(?:st|nd|rd|th)\b
    | '?(?P<decade>[0-9]*0)'?s\b
    | (?:(?P<whole>[0-9]+)\ )?(?<![0-9/])(?P<above>[0-9]+)/(?P<below>[0-9]+)(?![/0-9])
    | (?P<number>{_NUMBER})(?:\ ?(?P<percent>%)
        |\ ?(?P<unit>{_UNIT_NAMES})(?:\^(?P<square>[23]))?(?![\p{{L}}\p{{N}}/'])
        |\ ?\u00b0\ ?(?P<degree>[cf]\b)?|(?P<cents>\u00a2))?
    | (?P<inside>(?<=[0-9]\ ?)[-~*x:/_](?=\ ?[0-9]))
    | \^(?P<power>[-+]?[0-9]+)
    | (?P<roman>(?<=\b(?:war|chapter|part|volume|act|type|phase|article)\ )(?-i:[IVX]))\b
    | (?P<dotted>(?<![\p{{L}}\p{{N}}.])\p{{L}}{{1,3}}(?:\.\p{{L}}{{1,3}})+\b\.?|(?<![\p{{L}}\p{{N}}.])(?:\p{{L}}\.){{2,}})
    | (?P<word>'?{_WORD}(?:-{_WORD})*)
    | (?P<rest>[\p{{L}}\p{{M}}\p{{N}}]+)
    | (?P<hash>\#)(?=[\p{{L}}0-9])
    | (?<=\b[CFcf])(?P<sharp>\#)
    | (?P<compare>(?<=[\p{{L}}\p{{N}})]\ ?)(?:<=|>=|<|>)(?=\ ?[-+(]?[\p{{L}}\p{{N}}]))
    | (?P<joint>(?<=[\p{{L}}0-9])[./_](?=[\p{{L}}0-9]))
    | (?P<symbol>[&@+=\u00d7\u00f7\u00b1\u2264\u2265\u2260\u2248%\u00b0\u221a\u221e\u00a7$\u20ac\u00a3\u00a5])
    """,
    regex.VERBOSE | regex.IGNORECASE,
)
_TAG: Final = regex.compile(r"<(/?)([\p{L}_][^<>\s]*)>")

_LESS: Final[Form] = [([(), "is"], one, "than") for one in ("less", "smaller")]
_GREATER: Final[Form] = [([(), "is"], one, "than") for one in ("greater", "more", "larger", "bigger")]
_OR_EQUAL: Final[Form] = ("or", "equal", ["to", ()])
SYMBOLS: Final[dict[str, Form]] = {
    "<": _LESS,
    ">": _GREATER,
    "<=": (_LESS, _OR_EQUAL),
    ">=": (_GREATER, _OR_EQUAL),
    "\u2264": (_LESS, _OR_EQUAL),
    "\u2265": (_GREATER, _OR_EQUAL),
    "\u2260": [("is", "not", "equal", "to"), ("does", "not", "equal"), ("not", "equal", "to")],
    "\u2248": [("is", "approximately"), ("approximately", "equals"), ("is", "about")],
    "&": ["and", "ampersand"],
    "@": "at",
    "+": "plus",
    "=": ["equals", "equal", "is", ("is", "equal", "to"), ("equal", "to")],
    "\u00d7": ["times", "by"],
    "\u00f7": [("divided", "by"), "over"],
    "\u00b1": [("plus", "or", "minus"), ("plus", "minus")],
    "%": ["percent", ("per", "cent")],
    "\u00b0": ["degrees", "degree"],
    "\u221a": [("square", "root", "of"), ("the", "square", "root", "of")],
    "\u221e": "infinity",
    "\u00a7": ["section", "paragraph"],
    **{sign: [many, one] for sign, (many, one, _, _) in _CURRENCIES.items()},
}
_INSIDE: Final[dict[str, Form]] = {
    "-": [(), "to", "minus", "dash", "hyphen", "through", "until"],
    "~": [(), "to"],
    "*": ["times", "star"],
    "x": ["by", "times", "x"],
    ":": ["to", ()],
    "/": [(), "slash", "over"],
    "_": ["base", "sub", "underscore"],
}
_JOINTS: Final[dict[str, Form]] = {".": [(), "dot", "point"], "/": [(), "slash", "or", "and", "per"], "_": [(), "underscore"]}


def forms(text: str) -> Iterator[Form]:
    """Yield the forms of an English text, folded (``contracts.texts.folded``).

    Brackets and other punctuation are not spoken; what stands in them is.
    """
    text = _TAG.sub(r" \2 ", text)
    shouted = text.isupper() and text.count(" ") > 2
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "simple":
            yield word(match.group(), shouted=shouted)
        else:
            yield _form(match, shouted=shouted)


def without_fillers(forms: Iterable[Form]) -> list[Form]:
    """Leave hesitations out, unless there is nothing else."""
    spoken = list(forms)
    return [form for form in spoken if not _is_filler(form)] or spoken


def _is_filler(form: Form) -> bool:
    return isinstance(form, list) and isinstance(form[0], str) and form[0] in FILLERS


def _form(match: Any, *, shouted: bool) -> Form:
    """Return the form of a token; ``lastgroup`` would name optional parts, so the kinds are asked one by one."""
    if match["word"]:
        return _compound(match, shouted=shouted)
    found = match.groupdict()
    if found["number"]:
        if match.string[match.end() : match.end() + 1] == "^" and found["number"].isdigit():
            return numbers.quantity(found["number"])
        return _quantity(found)
    if found["dotted"]:
        return _dotted(found["dotted"])
    if found["roman"]:
        return [found["roman"].lower(), numbers.integer({"I": "1", "V": "5", "X": "10"}[found["roman"]])]
    if found["rest"]:
        return str(found["rest"].lower())
    return _figures(found) or _sign(found)


def _figures(found: dict[str, str]) -> "Form | None":
    """Return the form of a token with digits other than a plain number."""
    if found["currency"]:
        return _money(found)
    if found["hours"]:
        return numbers.clock(found["hours"], found["minutes"], found["seconds"])
    if found["day"] or found["date"]:
        return _day(int(found["day"] or found["date"]), before=bool(found["day"]))
    if found["nth"]:
        return numbers.ordinal(int(found["nth"].replace(",", "")))
    if found["decade"]:
        return [numbers.plural(int(found["decade"])), (numbers.integer(found["decade"]), "s")]
    if found["above"]:
        return _fraction(found)
    return _power(found["power"]) if found["power"] else None


def _sign(found: dict[str, str]) -> Form:
    if found["sign"]:
        return ["minus", "negative"] if found["sign"] == "-" else ["plus", "positive"]
    if found["hash"]:
        return ["number", "hash", "hashtag", "pound"]
    if found["sharp"]:
        return ["sharp", "hash"]
    if found["inside"]:
        return _INSIDE[found["inside"].lower()]
    if found["joint"]:
        return _JOINTS[found["joint"]]
    return SYMBOLS[found["compare"] or found["symbol"]]


def _compound(match: Any, *, shouted: bool) -> Form:
    token = match["word"]
    beside_digits = match.string[match.end() : match.end() + 1].isdigit() or match.string[max(match.start() - 1, 0)].isdigit()
    parts = token.split("-")
    if len(parts) == 1:
        plain = word(token.removeprefix("'"), shouted=shouted, beside_digits=beside_digits)
        return word(token, shouted=shouted) if token.lower() == "'cause" else plain
    apart: Form = tuple(word(part.removeprefix("'"), shouted=shouted) for part in parts)
    return [apart, word("".join(parts), shouted=True)]


def _quantity(found: dict[str, str]) -> Form:
    number = numbers.number(found["number"])
    if found["percent"]:
        return (number, ["percent", ("per", "cent")])
    if found["cents"]:
        return (number, "cent" if found["number"] == "1" else "cents")
    if found["unit"]:
        unit = found["unit"].lower()
        names: list[Form] = [(["kilometers", "kilometer"], ["per", "an"], "hour")] if unit == "km/h" else unit_names(unit)
        if found["square"]:
            dimension = "square" if found["square"] == "2" else "cubic"
            return (number, [(dimension, names), (names, _POWERS[found["square"]])])
        return (number, names)
    if found["degree"]:
        scale = "celsius" if found["degree"].lower() == "c" else "fahrenheit"
        return (number, ["degrees", "degree"], [scale, "centigrade", found["degree"].lower(), ()])
    return number


def _money(found: dict[str, str]) -> Form:
    many, one, minor_many, minor_one = _CURRENCIES[found["currency"]]
    amount, magnitude = found["amount"], (found["magnitude"] or "").lower()
    name: Form = [one, many] if amount == "1" and not magnitude else [many, one]
    if magnitude:
        return (numbers.number(amount), _MAGNITUDES.get(magnitude, magnitude), name)
    number: Form = [numbers.number(amount), "a"] if amount == "1" else numbers.number(amount)
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


def _day(value: int, *, before: bool) -> Form:
    nth = numbers.ordinal(value)
    if before:
        return [(["the", ()], nth, ["of", ()]), numbers.cardinal(value)]
    return [nth, ("the", nth), numbers.integer(str(value))]


def _fraction(found: dict[str, str]) -> Form:
    above, below = found["above"], found["below"]
    usual = numbers.fraction(int(above), int(below)) if 0 < int(below) <= 1000 and int(above) <= 1000 else []
    sequence: Form = (numbers.quantity(above), [(), "over", "slash", ("out", "of")], numbers.quantity(below))
    if not found["whole"]:
        return [*usual, sequence]
    part: Form = [*usual, sequence]
    return (numbers.integer(found["whole"]), ["and", ()], part)


def _power(exponent: str) -> Form:
    value = numbers.integer(exponent.lstrip("+-"))
    signed: Form = (["minus", "negative"], value) if exponent.startswith("-") else value
    named: list[Form] = [*_POWERS.get(exponent, [])]
    if exponent.isdigit() and len(exponent) < 7:
        named.append(("to", "the", numbers.ordinal(int(exponent)), ["power", ()]))
    return [*named, ("to", "the", [("power", "of"), "power", ()], signed)]


def _dotted(token: str) -> Form:
    """Read an abbreviation with dots inside: joined (NATO), by its letters (USA), or as words with a missing space between."""
    parts = [part for part in token.split(".") if part]
    joined = "".join(parts)
    whole = word(joined, shouted=True)
    first, *others = (part.lower() for part in parts)
    apart = (first, *(form for part in others for form in (_JOINTS["."], part)))
    return [*(whole if isinstance(whole, list) else [whole]), apart, tuple(joined.lower())]
