"""Texts in the characters that engines of the ASCII age know, without becoming another text.

Letters lose their accents, and signs are spelled as an English reader says them: all such engines here speak English. Digits
that stand apart are never glued together: ``10²`` is "10 squared", not 102. What has no plain spelling is refused.
"""

import re
import unicodedata
from typing import Final

from contracts.jobs import Failure

_TYPOGRAPHY: Final = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2013": " - ",
        "\u2014": " - ",
        "\u2026": "...",
        "\u00a0": " ",
        "\u202f": " ",
    }
)

_SPELLED: Final = str.maketrans(
    {
        **dict.fromkeys("\u02bc\u02b9\u2032\u00b4\u201a\u2039\u203a", "'"),
        **dict.fromkeys("\u201e\u201f\u00ab\u00bb\u2033", '"'),
        **dict.fromkeys("\u2012\u2212\ufe63", "-"),
        "\u2015": " - ",
        **dict.fromkeys("\u2044\u2215", "/"),
        **dict.fromkeys("\u2122\u2120\u00ae\u00a9", ""),
        "\u2116": " number ",
        "\u2103": "\u00b0C",
        "\u2109": "\u00b0F",
        "\u00d7": " times ",
        "\u00f7": " divided by ",
        "\u00b1": " plus or minus ",
        "\u2248": " is approximately ",
        "\u2260": " is not equal to ",
        "\u2264": " is less than or equal to ",
        "\u2265": " is greater than or equal to ",
        "\u00df": "ss",
        "\u1e9e": "SS",
        "\u00e6": "ae",
        "\u00c6": "AE",
        "\u0153": "oe",
        "\u0152": "OE",
        "\u00f8": "o",
        "\u00d8": "O",
        "\u0142": "l",
        "\u0141": "L",
        "\u0111": "d",
        "\u0110": "D",
        "\u0131": "i",
    }
)
"""Signs as ``scoring.english`` reads them, and letters that are no other letter with a mark."""

_AMBIGUOUS: Final = "\u00aa\u00ba"
"""Ordinal indicators, which are degrees as often: NFKD makes 1o of 1 with one, which is read as ten."""

_RAISED: Final = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b\u207f"
_LOWERED: Final = "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089"
_LEVEL: Final = {**dict(zip(_RAISED, "0123456789+-n", strict=True)), **dict(zip(_LOWERED, "0123456789", strict=True))}
_POWERS: Final = {"2": "squared", "3": "cubed"}
_POWER: Final = re.compile(f"(?<=[\\w)\\]])(?<![{_RAISED}])[{_RAISED}]+(?=(\\w)?)")
_BASE: Final = re.compile(f"(?<=[0-9])[{_LOWERED}]+(?=(\\w)?)")
_SQUARE_UNIT: Final = re.compile("(?<![^\\W0-9])[\u3371-\u33df]")
_APART: Final = re.compile(r"(?<=\w)(?=\x02)|(?<=\x03)(?=\w)|(?<=\x03)(?=\x02)")
_CURRENCIES: Final = {"\u20ac": "euro", "\u00a3": "pound", "\u00a5": "yen", "\u20b9": "rupee"}
_AMOUNT: Final = r"(?P<amount>[0-9](?:[0-9.,]*[0-9])?)(?P<large> ?(?:hundred|thousand|million|billion|trillion)\b)?"
_MONEY: Final = re.compile(f"(?P<sign>[{''.join(_CURRENCIES)}]) ?{_AMOUNT}(?![0-9A-Za-z])")
_MONEY_BEHIND: Final = re.compile(f"{_AMOUNT} ?(?P<sign>[{''.join(_CURRENCIES)}])(?![0-9A-Za-z])")
_DEGREES: Final = re.compile(r"(?P<one>(?<![0-9.,])1)? ?\u00b0(?: ?(?P<scale>[CF])\b)?")
_SCALES: Final = {"C": " Celsius", "F": " Fahrenheit", None: ""}


def plain_ascii(text: str) -> str | Failure:
    """Return ``text`` in plain quotes, dashes and unaccented letters, with signs in words; or what has no such form."""
    if text.isascii():
        return one_line(text)
    if ambiguous := sorted(set(text) & set(_AMBIGUOUS)):
        return _unreadable(ambiguous)
    return unmarked(_spelled(text))


def unmarked(text: str) -> str | Failure:
    """Return ``text`` with plain quotes and dashes and without accents, every other character as NFKD decomposes it."""
    decomposed = unicodedata.normalize("NFKD", one_line(text.translate(_TYPOGRAPHY)))
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    foreign = sorted({c for c in plain if not c.isascii()})
    return _unreadable(foreign) if foreign else plain


def one_line(text: str) -> str:
    """Return ``text`` without line breaks and control characters, which some programs take for the end of the text."""
    return " ".join("".join(c if unicodedata.category(c) != "Cc" else " " for c in text).split())


def _unreadable(characters: list[str]) -> Failure:
    return Failure("unsupported_characters", f"this engine cannot read {' '.join(characters[:20])}")


def _spelled(text: str) -> str:
    """Return a text with numbers, units, money and signs in characters and words that mean the same."""
    text = one_line(text)
    text = _SQUARE_UNIT.sub(_unit, text)
    text = _POWER.sub(_power, text)
    text = _BASE.sub(lambda run: f" sub {_level(run.group())}" + (" " if run.group(1) else ""), text)
    text = "".join(_number(character) for character in text)
    text = _APART.sub(" ", text).replace("\x02", "").replace("\x03", "")
    text = _MONEY.sub(_money, text)
    text = _MONEY_BEHIND.sub(_money, text)
    text = text.translate(_SPELLED)
    return " ".join(_DEGREES.sub(_degrees, text).split())


def _level(run: str) -> str:
    return "".join(_LEVEL[character] for character in run)


def _power(run: re.Match[str]) -> str:
    level = _level(run.group())
    spoken = _POWERS.get(level) or "to the power of " + level.replace("-", "minus ").replace("+", "plus ")
    return f" {spoken}" + (" " if run.group(1) else "")


def _unit(sign: re.Match[str]) -> str:
    """Spell a unit in one character: ㎡ is m squared; the others are what NFKD makes of them."""
    letters = unicodedata.normalize("NFKC", sign.group())
    return f" {letters[:-1]} {_POWERS[letters[-1]]} " if letters[-1] in _POWERS else sign.group()


def _number(character: str) -> str:
    """Mark both ends of a number in one character: a fraction, a digit in a circle or brackets, a footnote's mark."""
    if unicodedata.category(character) != "No" or character in _LOWERED:
        return character
    return f"\x02{unicodedata.normalize('NFKC', character)}\x03"


def _money(found: re.Match[str]) -> str:
    amount, large, unit = found["amount"], found["large"] or "", _CURRENCIES[found["sign"]]
    many = "" if unit == "yen" or (amount == "1" and not large) else "s"
    return f"{amount}{large} {unit}{many} ".rstrip()


def _degrees(found: re.Match[str]) -> str:
    return (f"{found['one']} degree" if found["one"] else " degrees") + _SCALES[found["scale"]] + " "
