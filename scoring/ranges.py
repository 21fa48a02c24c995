"""What the hyphen before a number is: "to" of a range, the minus of a difference, or nothing that is spoken."""

from typing import Any, Final, Literal

import regex

Dash = Literal["range", "difference", "either", "silent"]

_NUMBER: Final = regex.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?![0-9])")
_CURRENCY: Final = regex.compile(r"\p{Sc}")


def dash(text: str, start: int, quantity: str) -> Dash:
    """Return what the hyphen at ``start`` is.

    Args:
        text: a folded text with a number, a currency, a month or a day behind the hyphen.
        start: the hyphen's place.
        quantity: what is read before it, with its unit; empty if that is no number.

    Returns:
        ``range`` behind a unit and between two plain numbers of which the second is larger; ``either`` between other plain
        numbers (telephone numbers, scores, dates), where it may be spoken; ``difference`` between numbers with spaces
        around it; ``silent`` elsewhere (COVID-19).
    """
    if not quantity:
        return "silent"
    spaced = text[start - 1] == " "
    after = _NUMBER.match(text, start + 1 + spaced)
    if not _NUMBER.fullmatch(quantity):
        return "range"
    if not after:
        return "range" if _CURRENCY.match(text, start + 1 + spaced) else "silent"
    is_chain = text[: start - len(quantity) - spaced].endswith("-") or regex.match("-[0-9]", text[after.end() :])
    one, other = _digits(quantity), _digits(after.group())
    is_code = "0" in (one[0], other[0]) or (len(one), len(other)) == (3, 4)
    if not is_chain and not is_code and float(one) < float(other) and "=" not in text:
        return "range"
    return "difference" if spaced else "either"


def is_repeated(text: str, end: int, unit: str) -> bool:
    """Whether a range goes on behind ``end`` with a number of the same unit: the first of 10km-20km is often read without."""
    return regex.match(rf"\ ?[-~]\ ?[0-9][0-9.,]*{regex.escape(unit)}", text[end : end + 40]) is not None


SPAN: Final = r"""(?P<span_sign>\p{Sc})\ ?(?P<low>[0-9]+(?:[.,][0-9]+)*)\ ?-\ ?
    (?P<high_sign>\p{Sc})?\ ?(?P<high>[0-9]+(?:[.,][0-9]+)*)
    (?![0-9%\u2030\u00b0/:]|-[0-9])"""
"""Two amounts of money with one hyphen between, for a verbose pattern: $5-$10, $5-10."""


def is_negative(text: str, start: int) -> bool:
    """Whether the hyphen or plus at ``start`` is a sign: before it stands a space, an opening mark, an operator or nothing."""
    return _BEFORE_A_SIGN.search(text, max(start - 2, 0), start) is not None


_BEFORE_A_SIGN: Final = regex.compile(r"""(?:\A|[\s(\[{"“=<>*\u00d7÷±≤≥≠≈~:,;/^]|(?:\A|[\s(])')\Z""")


def _digits(number: Any) -> str:
    return str(number).replace(",", "")
