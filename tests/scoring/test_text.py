"""Units of error rates: the usual reading of a text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.text import units


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Mr. Park, uh, won't realise it", "en", ["mister", "park", "won't", "realize", "it"]),
        ("$10,000", "en", ["ten", "thousand", "dollars"]),
        ("Ten Thousand", "en-US", ["ten", "thousand"]),
        ("Don\u2019t stop", "en", ["don't", "stop"]),
        ("...", "en", []),
        ("今天\uff0c我们去KTV吧\uff01", "zh", ["今", "天", "我", "们", "去", "ktv", "吧"]),
        ("\u5514\u98dfKTV", "yue", ["\u5514", "\u98df", "ktv"]),
        ("今 天 花 了 三 十 块", "zh", ["今", "天", "花", "了", "三", "十", "块"]),
        ("\uff21\uff22\uff23\uff11\uff12", "zh", ["abc", "十", "二"]),
        ("我们的 meeting 改到 three 点。", "mixed", ["我", "们", "的", "meeting", "改", "到", "three", "点"]),
        ("\u3002\uff01", "zh-CN", []),
        ("¿Qué tal, Señor?", "es", ["qué", "tal", "señor"]),
    ],
)
def test_units(text, language, expected):
    """Each language is cut into the units that it is scored by."""
    assert units(text, language) == expected


@given(st.text(max_size=40), st.sampled_from(["en", "zh", "mixed", "fr"]))
def test_units_are_clean(text, language):
    """No unit is empty, holds white space, or is punctuation alone, but for signs that are spoken."""
    for unit in units(text, language):
        assert unit
        assert unit.split() == [unit]
        assert unit in {"%", "-"} or not all(unicodedata.category(character)[0] in "PZ" for character in unit)
