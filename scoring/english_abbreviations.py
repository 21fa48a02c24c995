"""What English abbreviations stand for where they stand: a title before a name, a month beside a number, a unit behind one.

Many are words, too (rep, mar, wed, gen), so one of these is an abbreviation only in its place.
"""

from typing import Final

import regex

from scoring.readings import Form

MONTHS: Final = {
    "jan": "january", "feb": "february", "mar": "march", "apr": "april", "jun": "june", "jul": "july", "aug": "august",
    "sep": "september", "sept": "september", "oct": "october", "nov": "november", "dec": "december",
}  # fmt: skip
DAYS: Final = {
    "mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday", "thu": "thursday", "thurs": "thursday",
    "fri": "friday", "sat": "saturday", "sun": "sunday",
}  # fmt: skip
_ANYWHERE: Final = {
    "mr": "mister", "mrs": "missus", "dr": "doctor drive", "st": "saint street", "capt": "captain", "sgt": "sergeant",
    "lt": "lieutenant", "jr": "junior", "sr": "senior", "esq": "esquire", "blvd": "boulevard", "rd": "road",
    "dept": "department", "inc": "incorporated", "ltd": "limited", "vs": "versus", "approx": "approximately",
    "ma'am": "madam",
}  # fmt: skip
_TITLES: Final = {
    "prof": "professor", "gov": "governor", "gen": "general", "sen": "senator", "rep": "representative", "rev": "reverend",
    "hon": "honorable", "col": "colonel", "mt": "mount",
}  # fmt: skip
_STREETS: Final = {"ave": "avenue"}
_AFTER_NAMES: Final = {"co": "company", "corp": "corporation", "v": "versus"}
_BEFORE_NUMBERS: Final = {
    "fig": "figure",
    "figs": "figures",
    "p": "page",
    "pp": "pages",
    "vol": "volume",
    "ch": "chapter",
    "sec": "section",
    "apt": "apartment",
    "rm": "room",
    "ext": "extension",
    "est": "established",
}
ABBREVIATIONS: Final = MONTHS | DAYS | _ANYWHERE | _TITLES | _STREETS | _AFTER_NAMES | _BEFORE_NUMBERS

_STAY_IN_CAPITALS: Final = frozenset({"mr", "mrs", "dr", "st", "jr", "sr", "vs"})  # LT, INC and MT are acronyms
_NAME: Final = regex.compile(r"\.?\ \p{Lu}[\p{Ll}']")
_DOT_AND_WORD: Final = regex.compile(r"\.\ \p{L}")
_DOT_AND_NUMBER: Final = regex.compile(r"\.\ ?[0-9]")
_ANY_DAY: Final = "|".join(sorted([*DAYS, *MONTHS, *DAYS.values(), *MONTHS.values(), "may"], key=len, reverse=True))
_BEFORE_A_DAY: Final = regex.compile(
    rf"(?:\b(?:on|in|next|last|every|each|this|until|till|since|from|through)\ |[0-9](?:st|nd|rd|th)?,?\ "
    rf"|\b(?:{_ANY_DAY})\.?(?:\ (?:and|or|to|through|-)\ |,\ |[-/]))\Z",
    regex.IGNORECASE,
)
_AFTER_A_DAY: Final = regex.compile(
    rf"\.?(?:,?\ ?[0-9]|(?:,?\ |[-/]|\ (?:and|or|to|through|-)\ )(?:{_ANY_DAY})\b"
    r"|,?\ (?:at|morning|afternoon|evening|night)\b)",
    regex.IGNORECASE,
)
_BEFORE_A_STREET: Final = regex.compile(r"(?:\p{Lu}[\p{L}']*|[0-9](?:st|nd|rd|th))\ \Z")
_CONTEXT: Final = 24  # characters that are looked at on either side


def expansions(text: str, start: int, end: int, *, shouted: bool) -> list[str]:
    """Return what the word between two places of a text is short for; empty if it is a word like any other.

    Args:
        text: the whole text, folded.
        start: where the word begins.
        end: where it ends, before its dot.
        shouted: whether the text is in capitals.
    """
    token = text[start:end]
    plain = token.lower()
    if plain not in ABBREVIATIONS:
        return []
    before, after = text[max(start - _CONTEXT, 0) : start], text[end : end + _CONTEXT]
    in_capitals = token.isupper() and len(token) > 1
    if in_capitals and not shouted and plain not in _STAY_IN_CAPITALS:
        return []
    if plain in _BEFORE_NUMBERS:
        return [ABBREVIATIONS[plain]] if _DOT_AND_NUMBER.match(after) else []
    if plain in _TITLES:
        return [_TITLES[plain]] if _is_title(token, after, shouted=shouted) else []
    if plain in _STREETS:
        return [_STREETS[plain]] if _BEFORE_A_STREET.search(before) and not _NAME.match(after) else []
    if plain in _AFTER_NAMES:
        is_abbreviation = after.startswith(".") and _BEFORE_A_STREET.search(before) is not None
        fits = token.islower() and _NAME.match(after) is not None if plain == "v" else token[0].isupper()
        return [_AFTER_NAMES[plain]] if is_abbreviation and fits else []
    if plain in _ANYWHERE:
        return _anywhere(plain, before, after)
    if token.islower() and plain in {"mar", "sun", "sat", "wed"}:
        return []
    is_followed = _AFTER_A_DAY.match(after) is not None
    is_led = _BEFORE_A_DAY.search(before) is not None and not (_NAME.match(after) and not shouted)
    return [ABBREVIATIONS[plain]] if is_followed or (is_led and not token.islower()) else []


def _is_title(token: str, after: str, *, shouted: bool) -> bool:
    if shouted:
        return _DOT_AND_WORD.match(after) is not None
    if token.islower():  # "our rep. She left" is the end of a sentence
        return _DOT_AND_WORD.match(after) is not None and after[2:3].islower()
    return _NAME.match(after) is not None


def _anywhere(plain: str, before: str, after: str) -> list[str]:
    meanings = _ANYWHERE[plain].split()
    if len(meanings) > 1 and _NAME.match(after):
        return meanings[:1]
    return meanings[1:] if len(meanings) > 1 and _BEFORE_A_STREET.search(before) else meanings


def named_range(one: str, other: str, joints: Form) -> "Form | None":
    """Return the form of two months, two weekdays or two letters with a hyphen between; None if it is no range."""
    return (day_name(one), joints, day_name(other)) if _is_range(one, other) else None


def _is_range(one: str, other: str) -> bool:
    if len(one) == len(other) == 1:
        return one.isascii() and one.isupper() and other.isupper() and ord(other) - ord(one) > 1
    tables = [*MONTHS, *MONTHS.values(), "may"], [*DAYS, *DAYS.values()]
    return one[0].isupper() and other[0].isupper() and any(one.lower() in table and other.lower() in table for table in tables)


def day_name(name: str) -> Form:
    """Return the name of a month or a weekday in full, where it is abbreviated."""
    plain = name.lower()
    full = MONTHS.get(plain) or DAYS.get(plain)
    return [full, plain] if full else plain
