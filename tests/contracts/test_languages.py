"""One name for a language, however it was written."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.languages import language_hint, language_of

ISO_CODES = Path("/usr/share/iso-codes/json/iso_639-2.json")


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en-US", "en"),
        ("en_GB", "en"),
        (" English ", "en"),
        ("eng", "en"),
        ("zh-Hans", "zh"),
        ("zh-Hans-CN", "zh"),
        ("cmn", "zh"),
        ("cmn-Hant-TW", "zh"),
        ("chi", "zh"),
        ("Mandarin Chinese", "zh"),
        ("ger", "de"),
        ("Greek", "el"),
        ("mixed", "mixed"),
        ("Mixed", "mixed"),
        ("und", None),
        ("", None),
        ("xx", None),
        ("yue", None),
        ("englsh", None),
        ("en us", None),
        ("en-toolongsubtag", None),
        ("en2zh", None),
    ],
)
def test_language_of(tag, language):
    """Codes of two and three letters, tags with regions and scripts, English names."""
    assert language_of(tag) == language


@pytest.mark.parametrize(("tag", "advice"), [("englsh", "'en' (english)"), ("zz-top", "ISO 639-1"), ("yue", "?")])
def test_an_unknown_tag_is_told_the_nearest_one(tag, advice):
    """Or how a language is written at all."""
    assert advice in language_hint(tag)


@given(st.text(max_size=12))
def test_a_name_is_its_own_name(tag):
    """What comes out goes in again unchanged; nothing raises."""
    if (language := language_of(tag)) is not None:
        assert language_of(language) == language


@pytest.mark.skipif(not ISO_CODES.is_file(), reason="apt-get install iso-codes")
def test_the_table_is_the_standards():
    """Debian's iso-codes knows the same languages of two letters under the same codes of three."""
    for row in json.loads(ISO_CODES.read_text(encoding="utf-8"))["639-2"]:
        if "alpha_2" in row:
            names = {row["alpha_2"], row["alpha_3"], row.get("bibliographic", row["alpha_3"])}
            assert {language_of(name) for name in names} == {row["alpha_2"]}
