"""How English reads single words: abbreviations, contractions, acronyms, two ways of spelling."""

import functools
import json
import unicodedata
from importlib.resources import files
from typing import Final

import regex

from scoring.english_numbers import integer, ordinal
from scoring.readings import Form

FILLERS: Final = frozenset({"hmm", "mm", "mhm", "mmm", "uh", "um"})
"""Sounds of hesitation, which recognisers leave out (Radford et al. 2023, App. C)."""

_PHRASES: Final[dict[str, list[Form]]] = {
    "ok": ["okay"],
    "etc": [("et", "cetera"), "etcetera"],
    "eg": [("for", "example")],
    "ie": [("that", "is")],
    "percent": [("per", "cent")],
    "alright": [("all", "right")],
    "cannot": [("can", "not")],
    "won't": [("will", "not")],
    "can't": ["cannot", ("can", "not")],
    "shan't": [("shall", "not")],
    "let's": [("let", "us")],
    "y'all": [("you", "all")],
    "wanna": [("want", "to"), ("want", "a")],
    "kinda": [("kind", "of")],
    "sorta": [("sort", "of")],
    "dunno": [("do", "not", "know"), ("don't", "know")],
    "gotta": [("got", "to"), ("got", "a")],
    "gonna": [("going", "to")],
    "imma": [("i", "am", "going", "to")],
    "woulda": [("would", "have")],
    "coulda": [("could", "have")],
    "shoulda": [("should", "have")],
    "'n": ["and"],
    "'cause": ["because"],
    "wwi": [("world", "war", "one")],
    "wwii": [("world", "war", "two")],
}
_ENDINGS: Final = {
    "n't": ("not",),
    "'re": ("are",),
    "'s": ("is", "has"),
    "'d": ("would", "had"),
    "'ll": ("will",),
    "'ve": ("have",),
    "'m": ("am",),
}
UNITS: Final = {
    "km": "kilometer", "cm": "centimeter", "mm": "millimeter", "nm": "nanometer", "\u03bcm": "micrometer", "kg": "kilogram",
    "mg": "milligram", "\u03bcg": "microgram", "ml": "milliliter", "ms": "millisecond", "\u03bcs": "microsecond",
    "lb": "pound", "lbs": "pound", "oz": "ounce", "ft": "foot", "hz": "hertz", "khz": "kilohertz", "mhz": "megahertz",
    "ghz": "gigahertz", "kb": "kilobyte", "mb": "megabyte", "gb": "gigabyte", "tb": "terabyte", "kw": "kilowatt",
    "kwh": "kilowatt hour", "db": "decibel", "\u03c9": "ohm", "hrs": "hour", "hr": "hour", "mins": "minute", "secs": "second",
    "yrs": "year", "yds": "yard", "sq": "square", "mph": "mile per hour", "kmh": "kilometer per hour",
    "kph": "kilometer per hour", "km/h": "kilometer per hour", "m/s": "meter per second", "mbps": "megabit per second",
    "gbps": "gigabit per second", "kcal": "kilocalorie", "kj": "kilojoule", "tbsp": "tablespoon", "tsp": "teaspoon",
    "psi": "pound per square inch", "fps": "frame per second", "rpm": "revolution per minute", "mw": "megawatt",
    "gw": "gigawatt", "ha": "hectare", "gal": "gallon",
}  # fmt: skip
"""Abbreviated units; they are units beside a spelled number, too, where they are no other words (``is_measured``)."""

UNITS_AFTER_DIGITS: Final = {
    "m": "meter", "g": "gram", "l": "liter", "L": "liter", "s": "second", "h": "hour", "w": "watt", "W": "watt", "v": "volt",
    "V": "volt", "A": "ampere", "J": "joule", "N": "newton", "min": "minute", "sec": "second", "in": "inch", "mi": "mile",
    "yd": "yard", "t": "ton", "k": "thousand", "K": "thousand", "M": "million", "mn": "million", "bn": "billion",
    "b": "billion", "B": "billion", "C": "degree celsius", "F": "degree fahrenheit", "pm": "", "am": "",
}  # fmt: skip
"""Abbreviated units that are units after digits only; single letters in this case only."""

_UNAMBIGUOUS: Final = frozenset({
    "km", "cm", "mm", "kg", "mg", "ml", "lbs", "hz", "khz", "mhz", "ghz", "hrs", "mins", "secs", "yrs", "yds", "mph",
    "kmh", "kph",
})  # fmt: skip
_COUNT: Final = regex.compile(
    r"(?:[0-9]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty|hundred|thousand|million"
    r"|half|few|several|many|per|square|cubic|sq|cu)\.?)[ -]\Z",
    regex.IGNORECASE,
)
_NUMBERED: Final = regex.compile(
    r"\b(?:\p{Lu}\p{Ll}+|war|chapter|part|volume|act|type|phase|article|section|book|title|level)\ \Z"
)
_RULER: Final = regex.compile(
    r"\b(?:George|Charles|James|Henry|Louis|Edward|William|Richard|Elizabeth|Mary|Philip|Francis|Napoleon|Nicholas|Alexander"
    r"|Frederick|Peter|Paul|Pius|Benedict|Leo|Ferdinand|Leopold|Wilhelm|Catherine|Margaret|Otto|Albert|Karl|Malcolm|Robert)\ \Z"
)
_CLAUSE: Final = regex.compile(
    r"\ (?:am|was|have|had|do|did|will|would|can|could|think|know|mean|say|said|saw|want|'|never)\b|'"
)


def is_measured(unit: str, before: str) -> bool:
    """Whether a word is a unit behind this text; ft, oz, ms and GB are other words, too, unless a number is before them."""
    return unit in _UNAMBIGUOUS or _COUNT.search(before) is not None


def names_a_ruler(word: str, before: str, after: str) -> bool:
    """Whether a word in capitals is a Roman numeral between these texts: World War II, Louis XIV, Charles I."""
    if len(word) > 1:
        return _NUMBERED.search(before) is not None
    return word in "IVX" and _RULER.search(before) is not None and not (word == "I" and _CLAUSE.match(after))


_IRREGULAR_PLURALS: Final = {
    "foot": "feet",
    "inch": "inches",
    "hertz": "hertz",
    "thousand": "thousand",
    "million": "million",
    "billion": "billion",
}
_ROMAN: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


@functools.cache
def american() -> dict[str, str]:
    """Return British spellings and the American ones, as the Whisper normaliser lists them.

    Two of its entries are damaged: ``archaeology`` carries a piece of HTML, and one key is two words.
    """
    table = json.loads(files("whisper_normalizer").joinpath("normalizers/english.json").read_text(encoding="utf-8"))
    clean = {british: spelled for british, spelled in table.items() if british.isalpha() and spelled.isalpha()}
    return {british: spelled for british, spelled in clean.items() if british not in FILLERS} | {"archaeology": "archeology"}


def unit_names(abbreviation: str) -> list[Form]:
    """Return the names of an abbreviated unit, several before one; the abbreviation itself comes last."""
    written = abbreviation.lower()
    name = UNITS_AFTER_DIGITS.get(abbreviation) or UNITS.get(written) or UNITS_AFTER_DIGITS.get(written) or ""
    if not name:
        return [written, tuple(written)]
    head, *rest = name.split()
    many = _IRREGULAR_PLURALS.get(head, head if head == "square" else f"{head}s")
    after: tuple[Form, ...] = tuple(["per", "an", "a"] if word == "per" else word for word in rest)
    if rest == ["hour"]:
        return [(head, "hours"), (head, "hour"), tuple(written)]
    forms: list[Form] = [(one, *after) if rest else one for one in dict.fromkeys([many, head])]
    if "/" in written:
        return [*forms, tuple("slash" if letter == "/" else letter for letter in written)]
    return [*forms, tuple(written), written] if len(written) > 1 else [*forms, written]


@functools.lru_cache(maxsize=50_000)
def word(
    token: str,
    means: tuple[str, ...] = (),
    *,
    shouted: bool = False,
    beside_digits: bool = False,
    is_unit: bool = False,
    is_numeral: bool = False,
) -> Form:
    """Return the readings of a word, raw: letters, marks and inner apostrophes.

    Args:
        token: the word as it is written.
        means: what it is short for where it stands.
        shouted: whether the whole text is in capitals, which then say nothing about acronyms.
        beside_digits: whether a digit touches it, as in MP3.
        is_unit: whether it is an abbreviated unit where it stands.
        is_numeral: whether it is a Roman numeral where it stands.
    """
    lowered = token.lower()
    plain = american().get(lowered, lowered)
    readings: list[Form] = [*means, plain, *_expansions(plain)]
    if is_unit:
        readings += unit_names(plain)
    if _is_acronym(token, shouted=shouted, beside_digits=beside_digits):
        readings.append(tuple(plain))
    if is_numeral and (value := _roman(token)):
        readings += [integer(str(value)), ordinal(value), ("the", ordinal(value))]
    if _PLURAL_ACRONYM.fullmatch(token):
        letters = tuple(lowered[:-2])
        readings += [(*letters, lowered[-2:]), (*letters, f"{lowered[-2]}'s"), f"{lowered[:-1]}'s"]
    elif _POSSESSIVE_ACRONYM.fullmatch(token):
        readings.append((*lowered[:-3], lowered[-3:]))
    elif len(parts := _CAMEL.findall(token)) > 1 and not shouted:
        readings.append(tuple(part.lower() for part in parts))
    if len(token) == 1 and (name := unicodedata.name(token, "")).startswith("GREEK"):
        readings.append(name.split()[-1].lower())
    if not plain.isascii() and (bare := _without_accents(plain)) != plain:
        readings.append(american().get(bare, bare))
    return readings


_PLURAL_ACRONYM: Final = regex.compile("[A-Z]{2,5}s")
_POSSESSIVE_ACRONYM: Final = regex.compile("[A-Z]{2,5}'s")
_CAMEL: Final = regex.compile(r"\p{Lu}?\p{Ll}+(?=\p{Lu})|(?<=\p{Ll})\p{Lu}\p{Ll}+|(?<=\p{Ll})\p{Lu}+\Z")


def _expansions(plain: str) -> list[Form]:
    if plain in _PHRASES:
        return _PHRASES[plain]
    for ending, words in _ENDINGS.items():
        if plain.endswith(ending) and len(plain) > len(ending):
            stem = plain.removesuffix(ending)
            return [(stem, one) for one in words]
    return []


def _is_acronym(token: str, *, shouted: bool, beside_digits: bool) -> bool:
    if not token.isascii() or not token.isalpha() or len(token) == 1:
        return False
    if not set(token.lower()) & set("aeiouy"):
        return len(token) <= 5
    if beside_digits and len(token) <= 3:
        return True
    return not shouted and len(token) <= 6 and sum(map(str.isupper, token)) >= 2


def _roman(token: str) -> int | None:
    """Return the value of a Roman numeral in capitals up to 89; None if the word is none."""
    if not set(token) <= _ROMAN.keys():
        return None
    values = [_ROMAN[letter] for letter in token]
    total = sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))
    return total if 0 < total < 90 and _written_roman(total) == token else None


def _written_roman(value: int) -> str:
    tens, ones = divmod(value, 10)
    return ["", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX"][tens] + [
        "", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"
    ][ones]  # fmt: skip


def _without_accents(plain: str) -> str:
    """Return a word without the accents of its Latin letters; marks of other scripts are letters of their own."""
    kept = list[str]()
    for character in unicodedata.normalize("NFD", plain):
        if not (unicodedata.combining(character) and kept and "a" <= kept[-1] <= "z"):
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept)).translate(_LIGATURES)


_LIGATURES: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ß": "ss"})
