"""Chinese and code-switched text as the forms of its readings: single characters, and English words (see ``scoring.readings``).

Traditional characters are simplified ones, cheque numerals plain ones; what is written in digits and signs is read in Chinese
or, as code-switching speakers do, in English.
"""

from collections.abc import Iterator
from typing import Any, Final

import regex

from contracts.numerals import plain_numerals
from contracts.texts import HAN, simplified
from scoring import chinese_numbers as numbers
from scoring import english, english_numbers
from scoring.readings import Form

_CURRENCIES: Final[dict[str, list[Form]]] = {
    "\u00a5": ["元", "块", tuple("块钱"), tuple("人民币"), tuple("日元")],
    "$": [tuple("美元"), tuple("美金"), "元", tuple("美刀")],
    "\u20ac": [tuple("欧元")],
    "\u00a3": [tuple("英镑"), "镑"],
    "\u20b9": [tuple("卢比")],
}
_UNITS: Final = {
    "km/h": "公里每小时 千米每小时",
    "km": "公里 千米", "m": "米", "cm": "厘米 公分", "mm": "毫米", "kg": "公斤 千克",
    "g": "克", "mg": "毫克", "t": "吨", "ml": "毫升", "l": "升",
    "kw": "千瓦", "w": "瓦", "v": "伏", "h": "小时", "min": "分钟", "s": "秒",
    "hz": "赫兹 赫", "\u00b0c": "摄氏度 度", "\u00b0f": "华氏度 度", "\u00b0": "度",
}  # fmt: skip
_UNIT_NAMES: Final = "|".join(sorted(_UNITS, key=len, reverse=True))
_SYMBOLS: Final = {
    "<": "小于", ">": "大于", "<=": "小于等于 小于或等于", ">=": "大于等于 大于或等于", "\u2264": "小于等于 小于或等于",
    "\u2265": "大于等于 大于或等于", "=": "等于 是", "+": "加 加上", "\u00d7": "乘 乘以", "*": "乘 乘以", "\u00f7": "除以",
    "\u2260": "不等于", "\u2248": "约等于", "\u00b1": "正负", "&": "和 与",
}  # fmt: skip
_BETWEEN: Final[dict[str, list[Form]]] = {
    "-": [(), "到", "至", "杠", "减", "比"],
    "~": ["到", "至", ()],
    ":": ["比", ()],
    "/": [(), tuple("斜杠")],
    "_": [tuple("下标"), "底", tuple("下划线"), "base"],
}

_NUMBER: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)*)"
_TOKEN: Final = regex.compile(
    rf"""
      (?P<han>[{HAN}]+)
    | (?P<sign>(?<![0-9A-Za-z)])[-+](?=[$\u20ac\u00a3\u00a5]?[0-9]))
    | (?P<year>[0-9]{{4}})(?P<mark>[-/.])(?P<month>[01]?[0-9])(?P=mark)(?P<day>[0-3]?[0-9])(?![0-9])
    | (?P<hours>[0-9]{{1,2}}):(?P<minutes>[0-5][0-9])(?::(?P<seconds>[0-5][0-9]))?(?![0-9:])
    | (?P<currency>[$\u20ac\u00a3\u00a5])\ ?(?P<amount>{_NUMBER})(?P<amount_scale>[十百千万亿]{{0,2}})
        (?!\ ?(?i:thousand|million|billion|[kmb]\b))
    | (?:(?P<whole>[0-9]+)\ )?(?<![0-9/])(?P<above>[0-9]+)/(?P<below>[0-9]+)(?![/0-9])
    | (?P<number>{_NUMBER})(?!(?i:st|nd|rd|th|s)\b)(?:\ ?(?P<percent>%)
        |\ ?(?P<unit>(?i:{_UNIT_NAMES}))(?:\^(?P<square>[23]))?(?![A-Za-z0-9])
        |(?P<scale>[十百千万亿]{{1,2}}))?
    | \^(?P<power>[-+]?[0-9]+)
    | (?P<between>(?<=[0-9])[-~:/_](?=[0-9]))
    | (?P<symbol>(?<=[\p{{L}}\p{{N}})%]\ ?)(?:<=|>=|[<>=+*&\u00d7\u00f7\u2264\u2265\u2260\u2248\u00b1])
        (?=\ ?[-(\p{{L}}\p{{N}}]))
    """,
    regex.VERBOSE,
)
_SPACED_HAN: Final = regex.compile(f"(?<=[{HAN}])\\s+(?=[{HAN}])")


def forms(text: str) -> Iterator[Form]:
    """Yield the forms of a Chinese or code-switched text, folded (``contracts.texts.folded``).

    Some recognisers put a space between Chinese characters, which must not tear a numeral apart.
    """
    text = plain_numerals(simplified(_SPACED_HAN.sub("", text)).replace("\u3007", "零"))
    end = 0
    for match in _TOKEN.finditer(text):
        if end < match.start():
            yield from english.forms(text[end : match.start()])
        if match.lastgroup == "han":
            yield from match.group()
        else:
            yield _form(match)
        end = match.end()
    yield from english.forms(text[end:])


def _form(match: Any) -> Form:
    found = match.groupdict()
    if found["sign"]:
        return ["负", tuple("零下"), "minus", "negative"] if found["sign"] == "-" else ["正", "加", "plus"]
    if found["symbol"]:
        return [*_names(_SYMBOLS[found["symbol"]]), english.SYMBOLS.get(found["symbol"], "times")]
    if found["between"]:
        return [*_BETWEEN[found["between"]], "to"]
    after = match.string[match.end() : match.end() + 1]
    if after == "^" and found["number"] and found["number"].isdigit():
        return [numbers.quantity(found["number"]), english_numbers.quantity(found["number"])]
    chinese: list[Form] = _readings(found, after)
    return [*chinese, tuple(english.forms(match.group()))]


def _readings(found: dict[str, str], after: str) -> list[Form]:
    """Return the Chinese readings of what is written in digits; ``after`` is the next character."""
    if found["year"]:
        year, month, day = (numbers.digit_by_digit(found["year"]), *(numbers.cardinal(int(found[n])) for n in ("month", "day")))
        return [(year, "年", month, "月", day, ["日", "号"]), (year, month, day)]
    if found["hours"]:
        sequence: Form = (numbers.integer(found["hours"]), "比", numbers.integer(found["minutes"]))
        return [*numbers.clock(found["hours"], found["minutes"], found["seconds"]), *([] if found["seconds"] else [sequence])]
    if found["currency"]:
        return _money(found)
    if found["above"]:
        parts = numbers.fraction(found["above"], found["below"])
        above, below = numbers.quantity(found["above"]), numbers.quantity(found["below"])
        if found["whole"]:
            return [(numbers.quantity(found["whole"]), ["又", ()], parts)]
        return [*parts, (above, below), (above, "月", below, ["日", "号"])]
    if found["power"]:
        return _power(found["power"])
    if found["percent"]:
        return [numbers.percent(found["number"])]
    number = numbers.number(found["number"], found["scale"] or "", is_year=after == "年")
    if not found["unit"]:
        return [number]
    unit = found["unit"].lower()
    names = [*_names(_UNITS[unit]), unit, tuple(unit)]  # 5G is no five grams
    if found["square"]:
        return [(number, *("平方" if found["square"] == "2" else "立方"), names)]
    return [(number, names)]


def _names(words: str) -> list[Form]:
    return [tuple(word) for word in words.split()]


def _money(found: dict[str, str]) -> list[Form]:
    amount, scale = found["amount"], found["amount_scale"]
    names = _CURRENCIES[found["currency"]]
    readings: list[Form] = [(numbers.number(amount, scale), names)]
    whole, _, minor = amount.partition(".")
    if found["currency"] == "\u00a5" and not scale and len(minor) in {1, 2} and int(minor):
        tenth, hundredth = (minor + "0")[0], (minor + "0")[1]
        small: Form = (numbers.integer(tenth), ["角", "毛", ()]) if tenth != "0" else "零"
        cents: Form = (numbers.integer(hundredth), ["分", ()]) if hundredth != "0" else ()
        readings.append((numbers.number(whole), ["块", "元"], small, cents))
        if hundredth == "0":
            readings.append((numbers.number(f"{whole}.{tenth}"), names))
    return readings


def _power(exponent: str) -> list[Form]:
    signed: Form = ("负", numbers.integer(exponent[1:])) if exponent.startswith("-") else numbers.integer(exponent.lstrip("+"))
    usual: dict[str, Form] = {"2": (["的", ()], "平", "方"), "3": (["的", ()], "立", "方")}
    named = [usual[exponent]] if exponent in usual else []
    return [*named, (["的", ()], signed, "次", "方")]
