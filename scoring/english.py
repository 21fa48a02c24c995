"""English as the forms of its readings: words, and whatever is written in digits and signs (see ``scoring.readings``).

The equalities are those that Whisper's normaliser lists (Radford et al. 2023, App. C: contractions, titles, British spellings,
hesitations, numbers), kept as readings side by side, so that "one dollar" and "one" stay two things.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import regex

from contracts.text_identity import FACTORIAL
from scoring import english_amounts as amounts
from scoring import english_numbers as numbers
from scoring.english_abbreviations import ABBREVIATIONS, DAYS, MONTHS, day_name, expansions, named_range
from scoring.english_signs import DASHES, INSIDE, JOINTS, RANGE, SYMBOLS
from scoring.english_words import FILLERS, UNITS, UNITS_AFTER_DIGITS, is_measured, names_a_ruler, word
from scoring.ranges import SPAN, dash, is_negative, is_repeated
from scoring.readings import Form

_NUMBER: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)*|(?<![0-9])\.[0-9]+)"
_WORD: Final = r"\p{L}[\p{L}\p{M}]*(?:'\p{L}[\p{L}\p{M}]*)*"
_UNIT_NAMES: Final = "|".join(sorted(map(regex.escape, UNITS), key=len, reverse=True))
# A letter is a unit in its own case only, and a scale or a temperature only if it touches the number.
_LETTERS: Final = "".join(unit for unit in UNITS_AFTER_DIGITS if len(unit) == 1 and unit not in "kKMbBCFAJN")
_WORDS_OR_UNITS: Final = "|".join(unit for unit in UNITS_AFTER_DIGITS if len(unit) > 1 and unit not in {"in", "bn", "mn"})
_UNIT: Final = (
    rf"(?:\ ?(?:{_UNIT_NAMES}|{_WORDS_OR_UNITS}|(?-i:[{_LETTERS}]))|(?-i:[kKMbBCFAJN])|[bm]n"
    r"|in(?![\p{L}])|\ in(?=\ ?(?:$|[.,;:!?)])|\ (?:tall|long|wide|deep|thick|high|by|x)\b))"
)
# May and march are verbs, too.
_MONTH_NAMES: Final = (
    "(?-i:May|MAY|March|MARCH)|january|february|april|june|july|august|september|october|november|december|"
    + "|".join(sorted(MONTHS, key=len, reverse=True))
)
_DAY_NAMES: Final = "|".join(sorted([*DAYS, *DAYS.values()], key=len, reverse=True))
_DAY: Final = "(?:0?[1-9]|[12][0-9]|3[01])"
_TOKEN: Final = regex.compile(
    rf"""
      (?P<numero>(?<![\p{{L}}\p{{N}}])(?:(?-i:N[oO]s?)\.?|no\.)(?=\ ?[0-9]))
    | (?<![\p{{L}}\p{{N}}])(?P<month>{_MONTH_NAMES})\.?\ (?P<date>{_DAY})(?:st|nd|rd|th)?\b(?![.:]?[0-9]|\ ?%)
        (?:-(?P<until>{_DAY})(?:st|nd|rd|th)?\b(?![.:/-]?[0-9]|\ ?%))?
    | (?<![0-9/-])(?P<iso_year>[12][0-9]{{3}})-(?P<iso_month>0[1-9]|1[0-2])-(?P<iso_day>0[1-9]|[12][0-9]|3[01])(?![0-9/-])
    | (?<![0-9/])(?P<slash_first>{_DAY})/(?P<slash_second>{_DAY})/(?P<slash_year>[12][0-9]{{3}})(?![0-9/])
    | {SPAN}(?:\ ?(?P<span_magnitude>(?:thousand|million|billion|trillion|k|mn?|bn?|t)\b))?
    | (?<![\p{{L}}\p{{N}}])(?P<first>(?=(?-i:\p{{Lu}}))(?:{_MONTH_NAMES}|{_DAY_NAMES}))\.?\ ?-\ ?
        (?P<last>(?=(?-i:\p{{Lu}}))(?:{_MONTH_NAMES}|{_DAY_NAMES}))\b
    | (?P<country>(?<![\p{{L}}\p{{N}}])(?-i:US|AU|CA|NZ|HK|NT|A|C|S))?(?P<currency>\p{{Sc}})\ ?(?P<amount>{_NUMBER})
        (?:\ ?(?P<magnitude>(?:thousand|million|billion|trillion|k|mn?|bn?|t)\b))?
    | (?P<scheme>https?)://
    | (?P<simple>(?<![\p{{N}}'.-])[a-z]{{2,}}(?:'[a-z]+)?(?=[\ ,;:!?]|\.?(?:\ |$)))
    | (?P<sign>[-+](?=\p{{Sc}}?\.?[0-9]))
    | (?P<dash>(?<=\S\ )-(?=\ \p{{Sc}}?\.?[0-9])|(?<=[0-9])-(?=(?:{_MONTH_NAMES})\b))
    | (?P<hours>[0-9]{{1,2}}):(?P<minutes>[0-5][0-9])(?::(?P<seconds>[0-5][0-9]))?(?![0-9:])
    | (?P<day>{_DAY})(?:st|nd|rd|th)?(?=\ (?:of\ )?(?:{_MONTH_NAMES})\b)
    | (?P<nth>[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]+)(?:st|nd|rd|th)\b
    | '?(?P<decade>[0-9]*0)'?s\b
    | (?P<feet>[0-9]++)(?:'(?!')\ ?(?P<inches>[0-9]{{1,2}}(?![0-9]))?(?:"|''|\u201d)?(?![\p{{L}}\p{{N}}']))
    | (?<![0-9.,:/-]\ ?)(?P<spaced>[1-9][0-9]{{0,2}}(?:\ [0-9]{{3}})+)(?![0-9.,:/-]?[0-9]|\ [0-9])
    | (?:(?P<whole>[0-9]+)\ )?(?<![0-9/])(?P<above>[0-9]+)/(?P<below>[0-9]+)(?![/0-9])
    | (?P<number>{_NUMBER})(?:\ ?(?P<percent>[%\u2030])
        |(?P<unit>{_UNIT})(?:(?:\^|(?<=m))(?P<square>[23]))?(?![\p{{L}}\p{{N}}/'])
        |(?P<degrees>\ ?\u00b0)(?:\ ?(?P<degree>[cf])\b)?|(?P<cents>\u00a2)|(?P<inch>''|"(?!\p{{L}})))?
    | (?P<inside>(?<=[0-9]\ ?)[~*x:/_](?=\ ?[0-9]))
    | \^(?P<power>[-+]?[0-9]+)
    | (?P<roman>(?<=\b(?:war|chapter|part|volume|act|type|phase|article)\ )(?-i:[IVX]))\b
    | (?P<dotted>(?<![\p{{L}}\p{{N}}.])\p{{L}}{{1,3}}(?:\.\p{{L}}{{1,3}})+\b\.?(?:'s\b)?
        |(?<![\p{{L}}\p{{N}}.])(?:\p{{L}}\.){{2,}}(?:'s\b)?)
    | (?P<word>'?{_WORD}(?:-{_WORD})*)
    | (?P<rest>[\p{{L}}\p{{M}}\p{{N}}]+)
    | (?P<hash>\#)(?=[\p{{L}}0-9])
    | (?<=\b[CFcf])(?P<sharp>\#)
    | (?P<symbol>[-=]>|(?<![-=<>])(?:(?:<=|>=|<|>)(?=\ ?[-+(]?\p{{Sc}}?\.?[0-9])
        |(?<=[\p{{L}}\p{{N}})]\ ?)(?:<=|>=|<|>)(?=\ ?[-+(]?\p{{L}}))
        |~(?=\ ?\p{{Sc}}?[0-9])|(?<=[\p{{L}}\p{{N}}])\|(?=[\p{{L}}\p{{N}}])|(?<=[\p{{L}}\p{{N}})])\^(?=[\p{{L}}(])
        |(?<=(?<!\p{{L}})[\p{{L}})])\*(?=[\p{{L}}0-9(](?!\p{{L}}))|\*(?=[0-9])|(?<=[0-9])\*(?![\p{{L}}*])
        |(?<![^\s(])\.(?=\p{{L}})|{FACTORIAL}|[&@%\u2030\u00b0\u00a7\\]|(?<!=)={{1,2}}(?!=)|(?![~|<>=])[\p{{Sm}}\p{{Sc}}])
    | (?P<joint>(?<=[\p{{L}}0-9])[./_](?=[\p{{L}}0-9]))
    """,
    regex.VERBOSE | regex.IGNORECASE,
)
_TAG: Final = regex.compile(r"<(/?)([\p{L}_][^<>\s]*)>")


def forms(text: str) -> Iterator[Form]:
    """Yield the forms of an English text, folded (``contracts.text_identity.folded``).

    Brackets and other punctuation are not spoken; what stands in them is.
    """
    text = _TAG.sub(r" \2 ", text)
    shouted = text.isupper() and text.count(" ") > 2
    previous: Any = None
    for match in _TOKEN.finditer(text):
        if match["simple"] and match["simple"].islower() and match["simple"] not in _IN_CONTEXT:
            yield word(match.group())
        elif match["simple"] or match["word"]:
            yield _word(match, shouted=shouted)
        elif match["sign"] or match["dash"]:
            yield _hyphen(match, previous)
        else:
            yield _form(match)
        previous = match


def without_fillers(forms: Iterable[Form]) -> list[Form]:
    """Leave hesitations out, unless there is nothing else."""
    spoken = list(forms)
    return [form for form in spoken if not _is_filler(form)] or spoken


def _is_filler(form: Form) -> bool:
    return isinstance(form, list) and isinstance(form[0], str) and form[0] in FILLERS


_SCALE_WORD: Final = regex.compile(r"\ (?:hundred|thousand|million|billion|trillion)\b", regex.IGNORECASE)
_IN_CONTEXT: Final = ABBREVIATIONS.keys() | {unit for unit in UNITS if unit.isalpha()}


def _hyphen(match: Any, previous: Any) -> Form:
    """Return what a hyphen or a plus before a number is."""
    if match["sign"] and is_negative(match.string, match.start()):
        return ["minus", "negative"] if match.group() == "-" else ["plus", "positive"]
    if match.group() == "+":
        return "plus"
    spaced = match.string[match.start() - 1] == " "
    is_number = previous and not (previous["word"] or previous["simple"] or previous["rest"] or previous["dotted"])
    is_number = is_number or (previous and previous.group().lower().replace(".", "") in {"am", "pm"})
    touches = (
        is_number and previous.end() == match.start() - spaced and regex.search("[0-9]|m", previous.group(), regex.IGNORECASE)
    )
    return DASHES[dash(match.string, match.start(), previous.group() if touches else "")]


def _form(match: Any) -> Form:
    """Return the form of a token; ``lastgroup`` would name optional parts, so the kinds are asked one by one."""
    if match["inch"] or match["feet"]:
        return amounts.feet(match)
    if match["first"]:
        return named_range(match["first"], match["last"], RANGE) or (day_name(match["first"]), day_name(match["last"]))
    found = match.groupdict()
    if found["span_sign"]:
        return amounts.span(found)
    if found["number"]:
        if match.string[match.end() : match.end() + 1] == "^" and found["number"].isdigit():
            return numbers.quantity(found["number"])
        unit = match.group()[len(found["number"]) :]
        if found["number"] == "1" and not unit and _SCALE_WORD.match(match.string, match.end()):
            return ["one", "a"]
        if unit and is_repeated(match.string, match.end(), unit):
            return [amounts.quantity(found), numbers.number(found["number"])]
        return amounts.quantity(found)
    if found["dotted"]:
        return _dotted(found["dotted"])
    if found["roman"]:
        return [found["roman"].lower(), numbers.integer({"I": "1", "V": "5", "X": "10"}[found["roman"]])]
    if found["rest"]:
        return str(found["rest"].lower())
    return _figures(found) or _sign(found)


def _figures(found: dict[str, str]) -> "Form | None":
    """Return the form of a token with digits other than a plain number."""
    if found["currency"]:
        return amounts.money(found)
    if found["hours"]:
        return numbers.clock(found["hours"], found["minutes"], found["seconds"])
    if found["day"] or found["date"]:
        return amounts.day(int(found["day"] or found["date"]), found["month"], found["until"])
    if found["nth"]:
        return numbers.ordinal(int(found["nth"].replace(",", "")))
    if found["decade"]:
        return [numbers.plural(int(found["decade"])), (numbers.integer(found["decade"]), "s")]
    if found["above"]:
        return amounts.fraction(found)
    if found["iso_year"] or found["slash_year"]:
        return amounts.calendar(found)
    if found["spaced"]:
        parts = found["spaced"].split()
        return [tuple(map(numbers.integer, parts)), numbers.number(",".join(parts))]
    return amounts.power(found["power"]) if found["power"] else None


def _sign(found: dict[str, str]) -> Form:
    if found["numero"]:
        many = "numbers" if "s" in found["numero"].lower() else "number"
        return many if found["numero"] in {"No.", "Nos.", "Nos", "NO."} else ["no", many]
    if found["scheme"]:
        return (tuple(found["scheme"].lower()), [(), ("colon", "slash", "slash")])
    if found["hash"]:
        return ["number", "hash", "hashtag", "pound"]
    if found["sharp"]:
        return ["sharp", "hash"]
    if found["inside"]:
        return INSIDE[found["inside"].lower()]
    if found["joint"]:
        return JOINTS[found["joint"]]
    return SYMBOLS.get(found["symbol"], found["symbol"])


def _word(match: Any, *, shouted: bool) -> Form:
    token, text = match.group(), match.string
    if "-" in token:
        return _compound(match, shouted=shouted)
    if token[0] == "'":
        if token.lower() in {"'cause", "'n"}:
            return word(token, shouted=shouted)
        token = token[1:]
    start = match.end() - len(token)
    beside_digits = text[match.end() : match.end() + 1].isdigit() or text[max(start - 1, 0)].isdigit()
    lowered = token.lower()
    means = tuple(expansions(text, start, match.end(), shouted=shouted))
    if lowered == "x" and text[max(start - 1, 0)].isdigit():
        means = ("times",)
    before = text[max(start - 30, 0) : start]
    is_unit = lowered in UNITS and is_measured(lowered, before)
    is_numeral = token.isupper() and names_a_ruler(token, before, text[match.end() : match.end() + 30])
    return word(token, means, shouted=shouted, beside_digits=beside_digits, is_unit=is_unit, is_numeral=is_numeral)


def _compound(match: Any, *, shouted: bool) -> Form:
    """Return the readings of words with hyphens between: apart, in one, or as a range (Mon-Fri, A-Z)."""
    parts = [part.removeprefix("'") for part in match.group().split("-")]
    if len(parts) == 2 and (named := named_range(parts[0], parts[1], RANGE)):
        return named
    apart: Form = tuple(word(part, shouted=shouted) for part in parts)
    return [apart, word("".join(parts), shouted=True)]


def _dotted(token: str) -> Form:
    """Read an abbreviation with dots inside: joined (NATO), by its letters (USA), or as words with a missing space between."""
    parts = [part for part in token.split(".") if part]
    joined = "".join(parts)
    if joined.endswith("'s"):
        return word(f"{joined[:-2].upper()}'s")
    whole = word(joined, shouted=True)
    first, *others = (part.lower() for part in parts)
    apart = (first, *(form for part in others for form in (JOINTS["."], part)))
    return [*(whole if isinstance(whole, list) else [whole]), apart, tuple(joined.lower())]
