"""How English reads single words: abbreviations, contractions, acronyms, two ways of spelling."""

import functools
import json
import unicodedata
from importlib.resources import files
from typing import Final

from scoring.english_numbers import integer, ordinal
from scoring.readings import Form

FILLERS: Final = frozenset({"hmm", "mm", "mhm", "mmm", "uh", "um"})
"""Sounds of hesitation, which recognisers leave out (Radford et al. 2023, App. C)."""

MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
    "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
)  # fmt: skip

_ABBREVIATIONS: Final = {
    "mr": "mister", "mrs": "missus", "dr": "doctor drive", "st": "saint street", "prof": "professor", "capt": "captain",
    "gov": "governor", "gen": "general", "sen": "senator", "rep": "representative", "rev": "reverend", "hon": "honorable",
    "sgt": "sergeant", "lt": "lieutenant", "col": "colonel", "jr": "junior", "sr": "senior", "esq": "esquire", "mt": "mount",
    "ave": "avenue", "blvd": "boulevard", "rd": "road", "dept": "department", "inc": "incorporated", "ltd": "limited",
    "vs": "versus", "approx": "approximately", "ok": "okay", "ma'am": "madam", "cause": "because", "'cause": "because",
    "jan": "january", "feb": "february", "mar": "march", "apr": "april", "jun": "june", "jul": "july", "aug": "august",
    "sep": "september", "sept": "september", "oct": "october", "nov": "november", "dec": "december", "mon": "monday",
    "tue": "tuesday", "tues": "tuesday", "wed": "wednesday", "thu": "thursday", "thurs": "thursday", "fri": "friday",
}  # fmt: skip

_PHRASES: Final[dict[str, list[Form]]] = {
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
    "n": ["and"],
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
    "km": "kilometer", "cm": "centimeter", "mm": "millimeter", "kg": "kilogram", "mg": "milligram", "ml": "milliliter",
    "lb": "pound", "lbs": "pound", "oz": "ounce", "ft": "foot", "hz": "hertz", "khz": "kilohertz", "mhz": "megahertz",
    "ghz": "gigahertz", "kb": "kilobyte", "mb": "megabyte", "gb": "gigabyte", "tb": "terabyte", "kw": "kilowatt",
    "hrs": "hour", "hr": "hour", "mins": "minute", "secs": "second", "yrs": "year", "yds": "yard", "sq": "square",
    "mph": "mile per hour", "kmh": "kilometer per hour", "kph": "kilometer per hour",
}  # fmt: skip
"""Abbreviated units that are no words of their own: they are units beside a spelled number, too."""

UNITS_AFTER_DIGITS: Final = {
    "m": "meter", "g": "gram", "l": "liter", "s": "second", "h": "hour", "w": "watt", "v": "volt", "min": "minute",
    "sec": "second", "in": "inch", "mi": "mile", "yd": "yard", "t": "ton", "k": "thousand", "bn": "billion", "b": "billion",
    "c": "degree celsius", "f": "degree fahrenheit", "pm": "", "am": "",
}  # fmt: skip
"""Abbreviated units that are units after digits only."""

_IRREGULAR_PLURALS: Final = {"foot": "feet", "inch": "inches", "hertz": "hertz", "thousand": "thousand", "billion": "billion"}
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
    name = UNITS.get(abbreviation) or UNITS_AFTER_DIGITS.get(abbreviation) or ""
    if not name:
        return [abbreviation, tuple(abbreviation)]
    head, *rest = name.split()
    many = _IRREGULAR_PLURALS.get(head, head if head == "square" else f"{head}s")
    names = list(dict.fromkeys([many, head]))
    forms: list[Form] = [(one, *rest) if rest else one for one in names]
    return [*forms, tuple(abbreviation), abbreviation] if len(abbreviation) > 1 else [*forms, abbreviation]


@functools.lru_cache(maxsize=50_000)
def word(token: str, *, shouted: bool = False, beside_digits: bool = False) -> Form:
    """Return the readings of a word, raw: letters, marks and inner apostrophes.

    Args:
        token: the word as it is written.
        shouted: whether the whole text is in capitals, which then say nothing about acronyms.
        beside_digits: whether a digit touches it, as in MP3.
    """
    lowered = token.lower()
    plain = american().get(lowered, lowered)
    readings: list[Form] = [*_expansions(plain), plain] if plain in _ABBREVIATIONS else [plain, *_expansions(plain)]
    if plain in UNITS:
        readings += unit_names(plain)
    if _is_acronym(token, shouted=shouted, beside_digits=beside_digits):
        readings.append(tuple(plain))
    if len(token) > 1 and (value := _roman(token)):
        readings += [integer(str(value)), ordinal(value), ("the", ordinal(value))]
    if not plain.isascii() and (bare := _without_accents(plain)) != plain:
        readings.append(american().get(bare, bare))
    return readings


def _expansions(plain: str) -> list[Form]:
    if plain in _ABBREVIATIONS:
        return [*_ABBREVIATIONS[plain].split()]
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
