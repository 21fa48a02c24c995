"""Chinese numerals in Arabic digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.numerals import with_arabic_digits


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
        ("1.5万", "15000"),
        ("一点五万", "15000"),
        ("1.3亿", "130000000"),
        ("百万", "1000000"),
        ("负三", "-3"),
        ("幺幺零", "110"),
        ("老幺", "老幺"),
        ("壹佰元", "100元"),
        ("收拾", "收拾"),
        ("大陆", "大陆"),
        ("百分之三点五", "3.5%"),
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
