"""Units of error rates, and Chinese numerals."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.numerals import with_arabic_digits
from scoring.text import units


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        # The rules that Radford et al. (2023), App. C, list: titles, fillers, contractions, spelling, numbers, currency.
        ("Mr. Park, uh, won't realise it", "en", ["mister", "park", "will", "not", "realize", "it"]),
        ("ten thousand dollars", "en", ["$10000"]),
        ("Ten Thousand", "en-US", ["10000"]),
        ("Don\u2019t stop", "en", ["do", "not", "stop"]),
        ("...", "en", []),
        ("今天\uff0c我们去KTV吧\uff01", "zh", ["今", "天", "我", "们", "去", "ktv", "吧"]),
        ("今 天 花 了 三 十 块", "zh", ["今", "天", "花", "了", "3", "0", "块"]),
        ("\uff21\uff22\uff23\uff11\uff12", "zh", ["abc", "1", "2"]),
        ("我们的 meeting 改到 three 点。", "mixed", ["我", "们", "的", "meeting", "改", "到", "3", "点"]),
        ("\u3002\uff01", "zh-CN", []),
        ("¿Qué tal, Señor?", "es", ["qué", "tal", "señor"]),
    ],
)
def test_units(text, language, expected):
    """Each language is cut into the units that it is scored by."""
    assert units(text, language) == expected


@pytest.mark.parametrize(
    ("spelled", "written", "language"),
    [
        ("twenty five", "25", "en"),
        ("十五个", "15个", "zh"),
        ("二零二四年", "2024年", "zh"),
        ("百分之三点五", "3.5%", "zh"),
        ("三点十五分", "3:15分", "zh"),
        ("一亿两千万", "120000000", "zh"),
        ("我要 fifteen 个", "我要15个", "mixed"),
    ],
)
def test_a_number_is_the_same_however_it_is_written(spelled, written, language):
    """A recogniser that writes digits where the text spells numbers makes no error."""
    assert units(spelled, language) == units(written, language)


@pytest.mark.parametrize(
    ("chinese", "arabic"),
    [
        ("十", "10"),
        ("二十", "20"),
        ("一百零五", "105"),
        ("一百五", "150"),
        ("两万三", "23000"),
        ("三千零二十", "3020"),
        ("15万", "150000"),
        ("一千万", "10000000"),
        ("一万零五十", "10050"),
        ("三亿五千万零二", "350000002"),
        ("一万亿", "1000000000000"),
        ("三五十", "三五十"),
        ("百货", "百货"),
        ("千万", "千万"),
        ("没有", "没有"),
        ("一二三四", "1234"),
    ],
)
def test_numerals_that_are_easily_misread(chinese, arabic):
    """Colloquial short forms count, words that merely contain a unit stay."""
    assert with_arabic_digits(chinese) == arabic


def _spell(number: int) -> str:
    """Write a number below 10^12 in Chinese, by the school rule: groups of four, one zero for any gap."""
    digits, units_, groups = "零一二三四五六七八九", ["", "十", "百", "千"], ["", "万", "亿"]
    out, gap = "", False
    for index in range(len(str(number)) - 1, -1, -1):
        digit = number // 10**index % 10
        if digit:
            out += ("零" if gap and out else "") + digits[digit] + units_[index % 4]
            gap = False
        else:
            gap = True
        if index % 4 == 0 and number // 10**index % 10000:
            out += groups[index // 4]
    return out


@given(st.integers(min_value=1, max_value=10**12 - 1))
def test_numerals_read_back_what_the_school_rule_writes(number):
    """Every number below a million million survives being spelled."""
    assert with_arabic_digits(_spell(number)) == str(number)


@given(st.text(max_size=40), st.sampled_from(["en", "zh", "mixed", "fr"]))
def test_units_are_clean(text, language):
    """No unit is empty, holds white space, or is punctuation alone."""
    for unit in units(text, language):
        assert unit
        assert unit.split() == [unit]
        assert not all(unicodedata.category(character)[0] in "PZ" for character in unit)
