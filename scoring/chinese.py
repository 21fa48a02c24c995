"""Chinese and code-switched text as the forms of its readings: single characters, and English words (see ``scoring.readings``).

Traditional characters are simplified ones, cheque numerals plain ones; what is written in digits and signs is read in Chinese
or, as code-switching speakers do, in English.
"""

from collections.abc import Iterator
from typing import Any, Final

import regex

from contracts.numerals import plain_numerals
from contracts.text_identity import FACTORIAL, HAN, simplified
from scoring import chinese_numbers as numbers
from scoring import english, english_numbers
from scoring.english_abbreviations import named_range
from scoring.english_signs import DASHES, SYMBOLS
from scoring.ranges import SPAN, dash, is_negative, is_repeated
from scoring.readings import Form

_CURRENCIES: Final[dict[str, list[Form]]] = {
    "\u00a5": ["元", "块", tuple("块钱"), tuple("人民币"), tuple("日元")],
    "$": [tuple("美元"), tuple("美金"), "元", tuple("美刀")],
    "\u20ac": [tuple("欧元")],
    "\u00a3": [tuple("英镑"), "镑"],
    "\u20b9": [tuple("卢比")],
    "\u20a9": [tuple("韩元")],
    "\u20bd": [tuple("卢布")],
    "\u0e3f": [tuple("泰铢"), "铢"],
}
_DOLLARS: Final[dict[str, list[Form]]] = {
    "US": [tuple("美元"), tuple("美金")],
    "HK": [tuple("港元"), tuple("港币")],
    "NT": [tuple("新台币"), tuple("台币")],
    **{country: [tuple("澳元"), tuple("澳币")] for country in ("A", "AU")},
    **{country: [tuple("加元"), tuple("加币")] for country in ("C", "CA")},
    "NZ": [tuple("新西兰元"), tuple("纽元")],
    "S": [tuple("新加坡元"), tuple("新元")],
}
_UNITS: Final = {
    "km/h": "公里每小时 千米每小时", "m/s": "米每秒", "mph": "英里每小时",
    "km": "公里 千米", "m": "米", "cm": "厘米 公分", "mm": "毫米", "nm": "纳米", "\u03bcm": "微米", "kg": "公斤 千克",
    "g": "克", "mg": "毫克", "\u03bcg": "微克", "t": "吨", "ml": "毫升", "l": "升", "L": "升",
    "kwh": "千瓦时 度", "kw": "千瓦", "w": "瓦", "W": "瓦", "v": "伏", "V": "伏", "h": "小时", "min": "分钟", "ms": "毫秒",
    "s": "秒", "db": "分贝", "khz": "千赫兹 千赫", "mhz": "兆赫兹 兆赫", "hz": "赫兹 赫",
    "\u00b0c": "摄氏度 度", "\u00b0f": "华氏度 度", "\u00b0": "度",
}  # fmt: skip
_UNIT_NAMES: Final = "|".join(
    f"(?i:{unit})" if len(unit) > 1 else unit
    for unit in sorted(_UNITS, key=len, reverse=True)  # 5G is no five grams
)
_SYMBOLS: Final = {
    "<": "小于 少于 不到", ">": "大于 多于 超过", "<=": "小于等于 小于或等于", ">=": "大于等于 大于或等于",
    "\u2264": "小于等于 小于或等于",
    "\u2265": "大于等于 大于或等于", "=": "等于 是", "+": "加 加上", "\u00d7": "乘 乘以", "*": "乘 乘以", "\u00f7": "除以",
    "\u2260": "不等于", "\u2248": "约等于 约 大约", "\u00b1": "正负", "&": "和 与", "~": "约 大约 大概", "\u221a": "根号",
    "\u03c0": "派 圆周率", "!": "阶乘 的阶乘", "\u221e": "无穷 无穷大",
}  # fmt: skip
_DASHES: Final[dict[str, Form]] = {
    "range": ["到", "至", "杠", *DASHES["range"]],
    "difference": ["减", "到", "至", "杠", *DASHES["difference"]],
    "either": [(), "到", "至", "杠", "减", "比", "to"],
    "silent": (),
}
_BETWEEN: Final[dict[str, list[Form]]] = {
    ":": ["比", ()],
    "/": [(), tuple("斜杠")],
    "x": ["乘", tuple("乘以"), "x", "by", "times"],
    "_": [tuple("下标"), "底", tuple("下划线"), "base"],
}
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_NUMBER: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|(?>[0-9]+)(?:\.[0-9]+)*)"
_TOKEN: Final = regex.compile(
    rf"""
      (?P<han>[{HAN}]+)
    | \#(?P<place>[0-9]+)(?![0-9A-Za-z])
    | (?P<sign>[-+](?=\p{{Sc}}?[0-9]))
    | (?P<dash>(?<=\S\ )-(?=\ \p{{Sc}}?[0-9])|~(?=\ ?\p{{Sc}}?[0-9]))
    | (?<![A-Za-z-])(?P<first>[A-Z][a-z]*)-(?P<last>[A-Z][a-z]*)(?![A-Za-z-])
    | (?P<year>[0-9]{{4}})(?P<mark>[-/.])(?P<month>[01]?[0-9])(?P=mark)(?P<day>[0-3]?[0-9])(?![0-9])
    | (?P<hours>[0-9]{{1,2}}):(?P<minutes>[0-5][0-9])(?::(?P<seconds>[0-5][0-9]))?(?![0-9:])
    | {SPAN}
    | (?P<percent_low>{_NUMBER})%?\ ?[-~]\ ?(?P<percent_high>{_NUMBER})%
    | (?P<weekdays>(?<=(?:周|星期)[一二三四五六日天])-(?=周|星期))
    | (?P<halves>[0-9]+)\.5(?P<measure>个?(?=小时|钟头|月)|[年天周])
    | (?P<country>(?<![A-Za-z])(?:US|HK|NT|AU?|CA?|NZ|S)(?=\$))?(?P<currency>\p{{Sc}})\ ?
        (?P<amount>{_NUMBER})(?P<amount_scale>[十百千万亿]{{0,2}})
        (?!\ ?(?i:thousand|million|billion|[kmb]\b))
    | (?P<yuan>[0-9]+\.[0-9]{{1,2}})(?P<called>[元块])
    | (?P<feet>[0-9]+)'(?!')\ ?(?:(?P<inches>[0-9]{{1,2}})(?:"|'')?)?(?![A-Za-z0-9'])
    | (?:(?P<whole>[0-9]+)\ )?(?<![0-9/])(?P<above>[0-9]+)/(?P<below>[0-9]+)(?![/0-9])
    | (?P<number>{_NUMBER})(?!(?i:st|nd|rd|th|s)\b)(?:\ ?(?P<percent>[%\u2030])
        |\ ?(?P<unit>{_UNIT_NAMES})(?:(?:\^|(?<=m))(?P<square>[23]))?(?![A-Za-z0-9/])|(?P<inch>''|")
        |(?P<scale>[十百千万亿]{{1,2}}))?
    | \^(?P<power>[-+]?[0-9]+)
    | (?P<between>(?<=[0-9])[:/_](?=[0-9])|(?<=[0-9]\ ?)[xX](?=\ ?[0-9]))
    | (?P<symbol>(?<=[\p{{L}}\p{{N}})%]\ ?)(?:<=|>=|[<>=+*&\u00d7\u00f7\u2264\u2265\u2260\u2248\u00b1])
        (?=\ ?[-(\p{{L}}\p{{N}}])|(?<![-=<>])(?:<=|>=|[<>])(?=\ ?[0-9])|[\u2264\u2265\u2260\u2248\u00b1\u221a\u221e\u03c0]
        |{FACTORIAL})
    | (?P<money>\p{{Sc}})
    """,
    regex.VERBOSE,
)
_SPACED_HAN: Final = regex.compile(f"(?<=[{HAN}])\\s+(?=[{HAN}])")


def forms(text: str) -> Iterator[Form]:
    """Yield the forms of a Chinese or code-switched text, folded (``contracts.text_identity.folded``).

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
            yield _hyphen(match) if match["sign"] or match["dash"] else _form(match)
        end = match.end()
    yield from english.forms(text[end:])


_QUANTITY: Final = regex.compile(
    rf"(?:[0-9][0-9.,:/]*(?:[%\u2030]|\u00b0[CFcf]?|[A-Za-z\u03bc]{{1,4}}(?:\^?[23])?|'{{1,2}}|\"|[{HAN}]{{1,3}})?)\ ?\Z"
)


def _hyphen(match: Any) -> Form:
    """Return what a hyphen, a tilde or a plus before a number is; behind other characters than a quantity it is a sign."""
    text, sign = match.string, match.group()
    before = _QUANTITY.search(text, max(match.start() - 24, 0), match.start())
    quantity = before.group().rstrip() if before else ""
    if sign == "~":
        return _DASHES["range"] if quantity else [*_names(_SYMBOLS["~"]), SYMBOLS["~"]]
    is_sign = not quantity and _HAN_BEFORE.search(text, 0, match.start()) is not None
    if match["sign"] and (is_sign or is_negative(text, match.start())):
        return ["负", tuple("零下"), "minus", "negative"] if sign == "-" else ["正", "加", "plus"]
    if sign == "+":
        return [*_names(_SYMBOLS["+"]), "plus"]
    return _DASHES[dash(text, match.start(), quantity)]


_HAN_BEFORE: Final = regex.compile(rf"[{HAN}\u3001\u3002\u300b\u201d!?),;:]\Z")


def _form(match: Any) -> Form:
    found = match.groupdict()
    if found["first"]:
        named = named_range(found["first"], found["last"], _DASHES["range"])
        return named or tuple(english.forms(match.group()))
    if found["weekdays"]:
        return _DASHES["range"]
    if found["money"]:
        return [*_CURRENCIES.get(found["money"], []), SYMBOLS.get(found["money"], found["money"])]
    if found["inch"] and found["inch"] == '"' and match.string[: match.start()].count('"') % 2:
        return [numbers.number(found["number"]), english_numbers.number(found["number"])]
    if found["symbol"]:
        return [*_names(_SYMBOLS[found["symbol"]]), SYMBOLS.get(found["symbol"], "times")]
    if found["place"]:
        place = numbers.integer(found["place"])
        return [("第", place), (place, "号"), ("井", "号", place), tuple(english.forms(match.group()))]
    if found["between"]:
        return [*_BETWEEN[found["between"].lower()], "to"]
    after = match.string[match.end() : match.end() + 1]
    if after == "^" and found["number"] and found["number"].isdigit():
        return [numbers.quantity(found["number"]), english_numbers.quantity(found["number"])]
    chinese: list[Form] = _readings(found, after)
    unit = match.group()[len(found["number"]) :] if found["number"] else ""
    if unit and not found["scale"] and is_repeated(match.string, match.end(), unit):
        chinese.append(numbers.number(found["number"]))
    return [*chinese, tuple(english.forms(match.group()))]


def _readings(found: dict[str, str], after: str) -> list[Form]:
    """Return the Chinese readings of what is written in digits; ``after`` is the next character."""
    if ranges := _ranges(found):
        return ranges
    if found["year"] or found["above"]:
        return _dates(found)
    if found["hours"]:
        sequence: Form = (numbers.integer(found["hours"]), "比", numbers.integer(found["minutes"]))
        return [*numbers.clock(found["hours"], found["minutes"], found["seconds"]), *([] if found["seconds"] else [sequence])]
    if found["currency"]:
        return _money(found)
    if found["power"]:
        return _power(found["power"])
    if found["percent"]:
        return numbers.percent(found["number"], per="百" if found["percent"] == "%" else "千")
    return _measure(found, after)


def _ranges(found: dict[str, str]) -> list[Form]:
    """Return the readings of two amounts with one unit, and of measures that are said in two parts; none of anything else."""
    if found["span_sign"]:
        names = _CURRENCIES.get(found["span_sign"], [found["span_sign"]])
        low, high = numbers.number(found["low"]), numbers.number(found["high"])
        return [(low, [(), names], ["到", "至"], high, names)]
    if found["percent_low"]:
        low, high = numbers.percent(found["percent_low"]), numbers.percent(found["percent_high"])
        return [(low[0], ["到", "至"], [high[0], numbers.number(found["percent_high"])]), (low, ["到", "至"], high)]
    if found["halves"]:
        measure: Form = found["measure"] or ()
        half: Form = (numbers.number(found["halves"]), found["measure"] or "个", "半")
        return [
            (numbers.number(f"{found['halves']}.5"), measure),
            ("半", measure) if found["halves"] == "0" else half,
        ]
    if found["yuan"]:
        whole, _, minor = found["yuan"].partition(".")
        return [(numbers.number(found["yuan"]), found["called"]), *_tenths(whole, minor)]
    if found["feet"]:
        inches: Form = (numbers.integer(found["inches"]), [tuple("英寸"), "寸", ()]) if found["inches"] else ()
        return [(numbers.integer(found["feet"]), [tuple("英尺"), "尺"], inches)]
    return []


def _dates(found: dict[str, str]) -> list[Form]:
    """Return the readings of 2024-05-03, and of a fraction, which may be a date."""
    if found["year"]:
        year, month, day = (numbers.digit_by_digit(found["year"]), *(numbers.integer(found[n]) for n in ("month", "day")))
        if not _is_day(found["month"], found["day"]):
            return [(year, month, day)]
        month, day = numbers.cardinal(int(found["month"])), numbers.cardinal(int(found["day"]))
        return [(year, "年", month, "月", day, ["日", "号"]), (year, month, day)]
    parts = numbers.fraction(found["above"], found["below"])
    above, below = numbers.quantity(found["above"]), numbers.quantity(found["below"])
    if found["whole"]:
        return [(numbers.quantity(found["whole"]), ["又", ()], parts)]
    dates: list[Form] = [(above, "月", below, ["日", "号"])] if _is_day(found["above"], found["below"]) else []
    return [*parts, (above, below), *dates]


def _measure(found: dict[str, str], after: str) -> list[Form]:
    """Return the readings of a number, with its unit if it has one; ``after`` is the next character."""
    number = numbers.number(found["number"], found["scale"] or "", is_year=after == "年")
    if found["inch"]:
        return [(number, [tuple("英寸"), "寸"])]
    if not found["unit"]:
        return [number]
    unit = found["unit"].lower()
    written: list[Form] = [unit, tuple(unit)] if unit.isalpha() else []
    names: list[Form] = [*_names(_UNITS[unit]), *written]
    if found["square"]:
        metres: list[Form] = [(number, "平", "米"), (number, "平", "方")] if (unit, found["square"]) == ("m", "2") else []
        return [(number, *("平方" if found["square"] == "2" else "立方"), names), *metres]
    per = [tuple(name.split("每")) for name in _UNITS[unit].split() if "每" in name]  # 每小时六十公里, 时速六十公里
    before: list[Form] = [
        (*first, number, *one) for one, time in per for first in ("每" + time, *(["时速"] if time == "小时" else []))
    ]
    return [(number, names), *before]


def _is_day(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= _DAYS[int(month) - 1]


def _names(words: str) -> list[Form]:
    return [tuple(word) for word in words.split()]


def _money(found: dict[str, str]) -> list[Form]:
    amount, scale = found["amount"], found["amount_scale"]
    names = _DOLLARS.get(found["country"] or "", _CURRENCIES.get(found["currency"], [found["currency"]]))
    readings: list[Form] = [(numbers.number(amount, scale), names)]
    whole, _, minor = amount.partition(".")
    if found["currency"] == "\u00a5" and not scale and len(minor) in {1, 2} and int(minor):
        readings += _tenths(whole, minor)
        if len(minor) == 2 and minor[1] == "0":
            readings.append((numbers.number(f"{whole}.{minor[0]}"), names))
    return readings


def _tenths(whole: str, minor: str) -> list[Form]:
    """Return 三块五(毛) and 三元五角二分 for 3.5 and 3.52 yuan."""
    tenth, hundredth = (minor + "0")[0], (minor + "0")[1]
    if not int(minor):
        return []
    small: Form = (numbers.integer(tenth), ["角", "毛", ()]) if tenth != "0" else "零"
    cents: Form = (numbers.integer(hundredth), ["分", ()]) if hundredth != "0" else ()
    if not int(whole.replace(",", "")):
        return [(numbers.integer(tenth), ["角", "毛"], cents)] if tenth != "0" else [(cents,)]
    return [(numbers.number(whole), ["块", "元"], small, cents)]


def _power(exponent: str) -> list[Form]:
    signed: Form = ("负", numbers.integer(exponent[1:])) if exponent.startswith("-") else numbers.integer(exponent.lstrip("+"))
    usual: dict[str, Form] = {"2": (["的", ()], "平", "方"), "3": (["的", ()], "立", "方")}
    named = [usual[exponent]] if exponent in usual else []
    return [*named, (["的", ()], signed, "次", "方")]
