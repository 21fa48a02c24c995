"""A negative text differs from the original in words, and in nothing by which it could be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.parse.negatives import suits
from annotate.models.parse.writing_systems import letters_by_script, main_script


@pytest.mark.parametrize(
    ("original", "written", "language", "reason"),
    [
        ("The letter has come at last.", "Let us repaint the hall today.", "en", None),
        ("The letter has come at last.", "the LETTER has come, at last!", "en", "unchanged"),
        ("The letter has come at last.", "\uff34he letter has come at last", "en", "unchanged"),
        ("The letter has come at last.", "信终于来了 and so did spring.", "en", "other_language"),
        ("The letter has come at last.", "Письмо наконец пришло сюда.", "en", "other_language"),
        ("The letter has come at last.", "A caf\u00e9 na\u00efvely repainted.", "en", None),
        ("The letter has come at last.", "Cafe\u0301 tables were repainted.", "en", None),
        ("The letter has come at last.", "?!...................", "en", "no_words"),
        ("The letter has come at last.", "", "en", "no_words"),
        ("The letter has come at last.", "Go now, son.", "en", "length"),
        ("0123456789", "abcde", "en", None),
        ("0123456789", "abcd", "en", "length"),
        ("0123456789", "a" * 20, "en", None),
        ("0123456789", "a" * 21, "en", "length"),
        ("信终于来了。", "我们去跳舞吧。", "zh", None),
        ("信终于来了。", "我们去唱KTV吧。", "zh", None),
        ("信终于来了。", "信终于来了\uff01", "zh", "unchanged"),
        ("信终于来了。", "Let us go.", "zh", "other_language"),
        ("信终于来了。", "我们去 dance.", "zh-CN", "other_language"),
        ("信终于来了。", "去吧", "zh", "length"),
        ("Der Brief ist da.", "Письмо уже здесь.", "de", None),
    ],
)
def test_what_suits(original: str, written: str, language: str, reason: str | None):
    """Each rule, just inside and just outside."""
    assert suits(original, written, language) == reason


@given(text=st.text())
def test_a_text_never_suits_itself(text: str):
    """Nor in another case or with other punctuation."""
    for language in ("en", "zh", "de"):
        assert suits(text, text, language) in {"unchanged", "no_words"}
        assert suits(text, f" {text}?", language) in {"unchanged", "no_words"}


def test_letters_are_counted_by_script():
    """Digits and signs are of no script, and full-width letters are Latin."""
    assert letters_by_script("Ab 3 小河\uff21, \u043f\u3042") == {"LATIN": 3, "CJK": 2, "CYRILLIC": 1, "HIRAGANA": 1}
    assert main_script("The 熊 goes home.") == "LATIN"
    assert main_script("这只 bear 沿着小河回家了") == "CJK"
    assert main_script("12, 13!") is None
