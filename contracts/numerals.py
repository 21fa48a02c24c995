"""Chinese numerals as Arabic digits, so that a number has one form however it is written."""

import re
from fractions import Fraction
from typing import Final

_DIGITS: Final = dict(zip("零一二三四五六七八九", range(10), strict=True)) | {"\u3007": 0, "两": 2}
_UNITS: Final = {"十": 10, "百": 100, "千": 1000}
_MYRIADS: Final = {"万": 10_000, "亿": 100_000_000}

FINANCIAL: Final = dict(zip("壹贰叁肆伍陆柒捌玖拾佰仟", "一二三四五六七八九十百千", strict=True))
"""Characters of cheques and the plain ones that they stand for."""

_OLD_TENS: Final = {"廿": "二十", "卅": "三十"}
_THREE: Final = re.compile("参(?=[拾佰仟])")  # 參, which is 叁 on cheques and 参 elsewhere
_OLD_TEN: Final = re.compile("[廿卅](?=[一二三四五六七八九年月日号多余岁载天世])")

# 陆, 伍, 拾 and 仟 are words, too, so one of them alone is not a numeral; 幺 is the digit 1 among other digits only.
_FINANCIAL_RUN: Final = re.compile(
    rf"[{''.join(FINANCIAL)}][零万亿{''.join(FINANCIAL)}]+|[壹贰叁柒捌玖]|[伍陆拾](?=[元圆角分])"
)
_FINANCIAL_PLAIN: Final = str.maketrans(FINANCIAL)
_YAO: Final = re.compile(rf"(?<=[0-9{''.join(_DIGITS)}])幺|幺(?=幺*[0-9{''.join(_DIGITS)}])")

_ALL: Final = "".join([*_DIGITS, *_UNITS, *_MYRIADS])
# A bare 百万 is a million; a bare 百, 千万 or 万 is as often a part of a word.
_NUMERAL: Final = re.compile(rf"(?:[{''.join(_DIGITS)}0-9十]|百(?=[万亿]))[{_ALL}0-9]*")
_SCALED: Final = re.compile(r"(?<![0-9.])([0-9]+\.[0-9]+)([万亿]{1,2})")
_DECIMAL_POINT: Final = re.compile(r"(?<=\d)点(?=\d)")
_PERCENT: Final = re.compile(r"百分之(\d+(?:\.\d+)?)")
_MINUS: Final = re.compile(r"负(?=\d)")
_POINT_OF_SCALE: Final = re.compile(rf"[{''.join(_DIGITS)}0-9十百千]+点[{''.join(_DIGITS)}0-9]+(?=[万亿])")


def plain_numerals(text: str) -> str:
    """Write cheque numerals as plain ones and 幺 among digits as 一: 壹佰元 -> 一百元, 幺幺零 -> 一一零; 收拾 stays."""
    text = _OLD_TEN.sub(lambda ten: _OLD_TENS[ten.group()], _THREE.sub("叁", text))
    text = _FINANCIAL_RUN.sub(lambda run: run.group().translate(_FINANCIAL_PLAIN), text)
    return _YAO.sub("一", text)


def with_arabic_digits(text: str) -> str:
    """Write every Chinese numeral in Arabic digits.

    十五 -> 15, 二零二四 -> 2024, 15万 -> 150000, 1.5万 -> 15000, 百万 -> 1000000, 一百五 -> 150, 三点五 -> 3.5, 百分之五 -> 5%,
    负三 -> -3. Digits inside words (一起 -> 1起) change too; that is harmless as long as all texts are treated alike. Irregular
    runs such as 三五十 stay as they are.
    """
    text = plain_numerals(text)
    text = _POINT_OF_SCALE.sub(lambda match: _decimal(match.group()), text)
    text = _SCALED.sub(_scaled, text)
    spelled = _NUMERAL.sub(lambda match: _arabic(match.group()), text)
    return _MINUS.sub("-", _PERCENT.sub(r"\1%", _DECIMAL_POINT.sub(".", spelled)))


def _decimal(numeral: str) -> str:
    whole, _, fraction = numeral.partition("点")
    return f"{_arabic(whole)}.{_arabic(fraction)}"


def _scaled(match: re.Match[str]) -> str:
    value = Fraction(match[1])
    for character in match[2]:
        value *= _MYRIADS[character]
    return str(value.numerator) if value.denominator == 1 else match.group()


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
    for place, character in enumerate(numeral):
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
                if character != "十" and not digits and place:
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
