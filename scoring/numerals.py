"""Chinese numerals as Arabic digits, so that a text and its transcript may write one number in two ways."""

import re
from typing import Final

_DIGITS: Final = dict(zip("零一二三四五六七八九", range(10), strict=True)) | {"\u3007": 0, "两": 2}
_UNITS: Final = {"十": 10, "百": 100, "千": 1000}
_MYRIADS: Final = {"万": 10_000, "亿": 100_000_000}

_NUMERAL: Final = re.compile(rf"[{''.join(_DIGITS)}0-9十][{''.join([*_DIGITS, *_UNITS, *_MYRIADS])}0-9]*")
_DECIMAL_POINT: Final = re.compile(r"(?<=\d)点(?=\d)")
_PERCENT: Final = re.compile(r"百分之(\d+(?:\.\d+)?)")


def with_arabic_digits(text: str) -> str:
    """Write every Chinese numeral in Arabic digits.

    十五 -> 15, 二零二四 -> 2024, 15万 -> 150000, 一百五 -> 150, 三点五 -> 3.5, 百分之五 -> 5%.
    Digits inside words (一起 -> 1起) change too; that is harmless to an error rate as long as both sides are treated alike.
    Irregular runs such as 三五十 stay as they are.
    """
    spelled = _NUMERAL.sub(lambda match: _arabic(match.group()), text)
    return _PERCENT.sub(r"\1%", _DECIMAL_POINT.sub(".", spelled))


def _arabic(numeral: str) -> str:
    if not any(character in _UNITS or character in _MYRIADS for character in numeral):
        return "".join(str(_DIGITS.get(character, character)) for character in numeral)
    value = _value(numeral)
    return numeral if value is None else str(value)


def _value(numeral: str) -> int | None:
    """Return the number that a numeral with units stands for; None if it breaks the rules.

    ``total`` holds what a myriad unit has closed, ``section`` what lies below the next one, ``digits`` what waits for its unit.
    """
    total = section = 0
    digits, last_unit, after_zero = "", 1, False
    for character in numeral:
        if _DIGITS.get(character) == 0 and not digits:
            after_zero = True
        elif character in _DIGITS or character.isdigit():
            # Only Arabic digits stand side by side before a unit (15万); 三五十 is no number.
            if digits and not (digits.isdigit() and character.isdigit()):
                return None
            digits += character
        else:
            amount = _amount(digits)
            if character in _UNITS:
                if character != "十" and not digits:
                    return None
                last_unit = _UNITS[character]
                section += (amount if digits else 1) * last_unit
            else:
                last_unit = _MYRIADS[character]
                total = (total + section + amount) * last_unit if last_unit > total else total + (section + amount) * last_unit
                section = 0
            digits, after_zero = "", False
    # 一百五 is 150 and 两万三 is 23000: a last digit without its unit counts in tenths of the unit before.
    shorthand = len(digits) == 1 and last_unit > 10 and not after_zero and digits in _DIGITS
    return total + section + _amount(digits) * (last_unit // 10 if shorthand else 1)


def _amount(digits: str) -> int:
    return int("".join(str(_DIGITS.get(character, character)) for character in digits) or 0)
