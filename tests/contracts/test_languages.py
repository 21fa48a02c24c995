"""One name for a language, however it was written."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.languages import language_hint, language_of

ISO_CODES = Path("/usr/share/iso-codes/json")


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
        ("iw", "he"),
        ("ji", "yi"),
        ("mo", "ro"),
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
        ("yue", "yue"),
        ("Cantonese", "yue"),
        ("yue-Hant-HK", "yue"),
        ("zh-yue", "yue"),
        ("zh_yue_HK", "yue"),
        ("zh-cmn-Hans-CN", "zh"),
        ("zh-min-nan", "nan"),
        ("zh-min", None),
        ("zh-wuu", "wuu"),
        ("zh-hakka", "hak"),
        ("zh-hokkien", None),
        ("zh-cantonese", None),
        ("ar-arz", "arz"),
        ("haw", "haw"),
        ("ceb-PH", "ceb"),
        ("ca-valencia", "ca"),
        ("es-419", "es"),
        ("de-CH-1996", "de"),
        ("en-US-u-ca-gregory", "en"),
        ("en-x-private", "en"),
        ("zh-en", None),
        ("en-zh", None),
        ("zh-eng", None),
        ("en-deu", None),
        ("en-fra", None),
        ("mul", None),
        ("zxx", None),
        ("qaa", None),
        ("englsh", None),
        ("en us", None),
        ("en-toolongsubtag", None),
        ("en2zh", None),
    ],
)
def test_language_of(tag, language):
    """Codes of two and three letters, tags with regions and scripts, English names."""
    assert language_of(tag) == language


@pytest.mark.parametrize(
    ("tag", "advice"),
    [
        ("englsh", "'en' (english)"),
        ("zz-top", "ISO 639-1"),
        ("und", "ISO 639-1"),
        ("xx", "ISO 639-1"),
        ("Deutsch", "'de' (deutsch)"),
        ("Fran\u00e7ais", "'fr'"),
        ("\u4e2d\u6587", "'zh'"),
        ("cantonse", "'yue' (cantonese)"),
        ("ua", "'uk'"),
        ("gr", "'el'"),
        ("jp", "'ja'"),
        ("cn", "'zh'"),
        ("cz", "'cs'"),
        ("dk", "'da'"),
        ("zh-en", "'mixed'"),
        ("en+zh", "'mixed'"),
        ("klingonish", "ISO 639-1"),
    ],
)
def test_an_unknown_tag_is_told_what_it_may_mean(tag, advice):
    """A name in English or in the language itself, the country's letters; else how a language is written at all."""
    assert language_of(tag) is None
    assert advice in language_hint(tag)


@given(st.text(max_size=12))
def test_a_name_is_its_own_name(tag):
    """What comes out goes in again unchanged; nothing raises."""
    if (language := language_of(tag)) is not None:
        assert language_of(language) == language


def iso(part: str) -> list[dict[str, str]]:
    """Return a table of Debian's iso-codes."""
    if not (file := ISO_CODES / f"iso_{part}.json").is_file():
        pytest.skip("apt-get install iso-codes")
    return json.loads(file.read_text(encoding="utf-8"))[part]


def test_the_table_is_the_standards():
    """Debian's iso-codes knows the same languages of two letters under the same codes of three."""
    for row in iso("639-2"):
        if "alpha_2" in row:
            names = {row["alpha_2"], row["alpha_3"], row.get("bibliographic", row["alpha_3"])}
            assert {language_of(name) for name in names} == {row["alpha_2"]}


ABOVE = "cmn arb pes zsm swh ekk lvs npi ory uzn azj khk als ydd"


def test_a_language_without_two_letters_is_its_three():
    """But for the few that stand for the language above them in what corpora say, such as cmn for zh; special codes are none."""
    above = set()
    for row in iso("639-3"):
        found = language_of(row["alpha_3"])
        if row["type"] == "S":
            assert found is None
        elif "alpha_2" not in row and found != row["alpha_3"]:
            assert found is not None
            above.add(row["alpha_3"])
    assert above == set(ABOVE.split())


def test_every_country_is_a_region():
    """And what is no country is none: zh-en was Mandarin."""
    assert {language_of(f"en-{row['alpha_2']}") for row in iso("3166-1")} == {"en"}
