"""How Chinese reads what is written in digits: every number as the forms of its readings, in single characters."""

import functools
from fractions import Fraction
from typing import Final

from scoring.readings import Form

_DIGITS: Final = "零一二三四五六七八九"
_UNITS: Final = ("", "十", "百", "千")
_MYRIADS: Final[tuple[Form, ...]] = ((), "万", "亿", ("万", "亿"))
_TWO: Final[Form] = ["二", "两"]
_SCALES: Final = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}

LONGEST: Final = 16
"""Digits of the longest number that is read as one; longer ones are read digit by digit."""


def digit_by_digit(digits: str) -> Form:
    """Return a run of digits one by one, as years and telephone numbers are read."""
    return tuple(_DIGITS[int(digit)] for digit in digits)


def integer(digits: str, *, is_year: bool = False) -> Form:
    """Return the readings of an unsigned integer, as a quantity and digit by digit."""
    if len(digits) == 1:
        return _TWO if digits == "2" else _DIGITS[int(digits)]
    spelled = digit_by_digit(digits)
    if digits[0] == "0" or len(digits) > LONGEST:
        return spelled
    return [spelled, cardinal(int(digits))] if is_year else [cardinal(int(digits)), *_scaled(digits), spelled]


def _scaled(digits: str) -> list[Form]:
    """Return the reading of a round number of myriads by a decimal: 15000 = 一点五万, 130000000 = 一点三亿."""
    power = 8 if len(digits) > 8 else 4
    whole, rest = divmod(int(digits), 10**power)
    if not whole or whole > 9999 or not rest or rest % 10 ** (power - 2):
        return []
    decimals = f"{rest:0{power}d}".rstrip("0")
    return [(cardinal(whole), "点", digit_by_digit(decimals), "万" if power == 4 else "亿")]


def quantity(digits: str) -> Form:
    """Read a part of a fraction or a base as a quantity: digit by digit, 11/2 would be 1 1/2, and 10² nearly 102."""
    return integer(digits) if digits[0] == "0" else cardinal(int(digits))


def cardinal(value: int) -> Form:
    """Return the readings of a quantity: 十 or 一十, 二 or 两, 百万 or 一百万, 一百五 or 一百五十."""
    if value < 10:
        return _TWO if value == 2 else _DIGITS[value]
    if len(str(value)) > LONGEST:
        return digit_by_digit(str(value))
    figures = [(int(digit), power) for power, digit in enumerate(reversed(str(value))) if digit != "0"][::-1]
    forms = list[Form]()
    previous: tuple[int, int] | None = None
    for place, (digit, power) in enumerate(figures):
        section, within = divmod(power, 4)
        if previous is not None and previous[1] - power > 1:
            # 一万零五十 needs its zero; between sections, as in 十万(零)一千, it is free.
            skipped = within < 3 or previous[1] // 4 - section > 1 or previous[1] % 4 == 0
            before_hundreds = within == 2 and previous[1] - power == 2  # 一万五百 says its place
            forms.append(["零", ()] if before_hundreds else "零" if skipped else [(), "零"])
        last = place == len(figures) - 1
        ends_section = last or figures[place + 1][1] // 4 < section
        lone = ends_section and place == 0
        unit: Form = _unit(digit, within, leads=place == 0, lone=lone and section > 0)
        if last and previous is not None and within and previous[1] - power == 1:
            unit = [unit, _DIGITS[digit]]
        elif last and previous is not None and power == 7 and previous[1] == 8:
            unit = [(unit, "万"), _DIGITS[digit]]
            forms.append(unit)
            break
        elif last and previous is not None and power % 4 == 3 and previous[1] == power + 1:
            unit = [unit, _DIGITS[digit]]
        forms.append(unit)
        if ends_section and section:
            forms.append(_MYRIADS[section])
        previous = digit, power
    return tuple(forms)


def _unit(digit: int, within: int, *, leads: bool, lone: bool) -> Form:
    """Return a digit with its unit inside its section of four."""
    unit = _UNITS[within]
    if not unit:
        return _TWO if digit == 2 and (leads or lone) else _DIGITS[digit]
    if digit == 1 and within == 1:
        return ["十", ("一", "十")] if leads else [("一", "十"), "十"]
    if digit == 1 and lone:
        return [("一", unit), unit]
    return (_TWO if digit == 2 and within > 1 else _DIGITS[digit], unit)


@functools.lru_cache(maxsize=10_000)
def number(written: str, scale: str = "", *, is_year: bool = False) -> Form:
    """Return the readings of a number as it is written, with the scale written after it: 1.5万 = 一点五万 or 一万五千.

    Args:
        written: digits with commas between thousands and points.
        scale: characters such as 万 or 千万; may be empty.
        is_year: whether digit by digit is the usual reading.
    """
    whole, *fractions = written.replace(",", "").split(".")
    head: Form = integer(whole, is_year=is_year) if whole else [(), "零"]
    form: Form = (head, *(("点", digit_by_digit(part)) for part in fractions))
    if not scale:
        return form
    readings: list[Form] = [(form, *scale)]
    if scale == "亿" and not fractions:
        readings.append((form, "个", "亿"))
    if len(fractions) <= 1:
        value = Fraction(written.replace(",", ""))
        for character in scale:
            value *= _SCALES[character]
        if value.denominator == 1 and len(str(value)) <= LONGEST:
            readings.append(cardinal(int(value)))
    return readings


def percent(written: str, *, per: str = "百") -> list[Form]:
    """Return the readings of a percentage or, with ``per`` 千, of thousandths: 百分之五十, 五成, 百分之百, 千分之五."""
    value: Form = [number(written), "百"] if (written, per) == ("100", "百") else number(written)
    tenths: list[Form] = []
    if per == "百" and len(written) == 2 and written.isdigit() and written[0] != "0":
        tenths = [(_DIGITS[int(written[0])], "成", () if written[1] == "0" else _DIGITS[int(written[1])])]
    whole: list[Form] = [tuple("百分百")] if (written, per) == ("100", "百") else []
    return [(per, "分", "之", value), *tenths, *whole]


def fraction(above: str, below: str) -> list[Form]:
    """Return the readings of a fraction: 四分之三, 一半."""
    readings: list[Form] = [(quantity(below), "分", "之", quantity(above))]
    if (above, below) == ("1", "2"):
        readings += [("一", "半"), "半"]
    return readings


def clock(hours: str, minutes: str, seconds: str | None) -> list[Form]:
    """Return the readings of a time of day, or of a score: 三点十五(分), 三点一刻, 三点半, 三比十五."""
    h = int(hours)
    hour: Form = (integer(str(h)), ["点", "时"])
    if 12 < h < 24:
        times: list[Form] = [tuple("下午"), tuple("傍晚")] if h < 19 else [tuple("晚上")]
        hour = [hour, (times, integer(str(h - 12)), ["点", "时"])]
    m = int(minutes)
    if seconds is not None:
        return [(hour, _two_places(m), "分", _two_places(int(seconds)), "秒")]
    if not m:
        return [(hour, [(), "整", "钟"])]
    readings: list[Form] = [(hour, _two_places(m), [(), "分"])]
    quarter = {15: ("一", "刻"), 30: ("半",), 45: ("三", "刻")}.get(m)
    return [*readings, (hour, *quarter)] if quarter else readings


def _two_places(value: int) -> Form:
    return [("零", _DIGITS[value]), _DIGITS[value]] if value < 10 else cardinal(value)
