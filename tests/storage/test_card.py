"""Escaping and the Hub's vocabulary."""

import re

import pytest
import yaml
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from storage.card import Facts, Funnel, Mixed, Tally, Writer, escape, hub_license, render, size_category
from storage.columns import TASK1
from tests.storage.release_rows import rows


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp", "Cf"]), min_size=1, max_size=30))
def test_escaped_text_is_shown_as_it_is(text):
    """In a table cell, a CommonMark parser shows exactly the characters of the text and no markup."""
    source = f"| x |\n|---|\n| A{escape(text)}Z |\n"
    tokens = MarkdownIt("commonmark").enable("table").parse(source)
    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 2
    assert all(child.type in {"text", "text_special"} for child in cells[1].children)
    assert "".join(child.content for child in cells[1].children) == f"A{text}Z"


def test_card_survives_hostile_names():
    """A system called like markup, and a title with YAML in it, neither break the header nor become markup."""
    tally = Tally()
    tally.open("task1", "sft")
    tally.add("task1", "sft", rows(2, system_b="<img src=x onerror=alert(1)>|evil|\n# top"))
    title = "---\nlicense: mit\n---\n# x"
    facts = Facts(
        pretty_name=title,
        version="1",
        funnel=[Funnel(stage="s", unit="u", rows_in=1, rows_out=1)],
        leakage=[],
        writers=[Writer(task="scenario", model="<img|evil>", prompt_versions=["v1", "v2"])],
    )
    card = render(facts, tally, {"task1": TASK1})
    assert yaml.safe_load(card.split("\n---\n")[0].removeprefix("---\n"))["pretty_name"] == title
    assert "<img" not in card
    assert "| scenario | &lt;img\\|evil&gt; | v1, v2 |" in card
    assert "\n# top" not in card


LANGUAGES = [
    (["en"], ["en"]),
    (["en", "zh"], ["en", "zh"]),
    (["en-US", "en-GB", "EN", "en_AU", " en "], ["en"]),
    (["mixed"], ["en", "zh"]),
    (["mixed", "zh-Hans-CN", "yue"], ["en", "yue", "zh"]),
    (["cmn-Hant-TW"], ["cmn"]),
    (["und", "en"], ["en"]),
    (["und"], []),
    (["mul", "zxx", "mis", "qaa", "qtz-Latn", "x-klingon", "english", "", "e", "\u4e2d\u6587", "123"], []),
    ([], []),
]


@pytest.mark.parametrize(("tags", "codes"), LANGUAGES)
def test_the_hub_gets_language_codes(tags, codes):
    """The Hub's rule for ``language``: ISO 639-1, -2 or -3 codes of small letters; a card may have none, but no empty list."""
    tally = Tally()
    tally.open("task1", "sft")
    for tag in tags:
        tally.add("task1", "sft", rows(1, language=tag))
    content = render(Facts(pretty_name="x", version="1", funnel=[], leakage=[]), tally, {"task1": TASK1})
    data = DatasetCard(content).data.to_dict()  # as the Hub's own client reads it
    assert data.get("language", []) == codes
    assert ("language" in data) == bool(codes)
    assert all(re.fullmatch("[a-z]{2,3}", code) for code in data.get("language", []))
    assert data["multilinguality"] == ["multilingual" if len(codes) > 1 else "monolingual"]


@pytest.mark.parametrize(
    ("spdx", "hub"),
    [
        ("CC-BY-4.0", "cc-by-4.0"),
        ("CC-BY-SA-3.0", "cc-by-sa-3.0"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("LicenseRef-x", "other"),
        ("NOASSERTION", "other"),
    ],
)
def test_hub_license(spdx, hub):
    """SPDX identifiers become those of the Hub's documentation, unknown ones ``other``."""
    assert hub_license(spdx) == hub


@pytest.mark.parametrize(
    ("n", "word"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (33061, "10K<n<100K"), (10**7, "n>10M")]
)
def test_size_category(n, word):
    """The Hub's size words."""
    assert size_category(n) == word


def test_mixed_versions_are_a_section_and_nothing_where_there_are_none():
    """One row per version; a card of one version each is, to the byte, as if nobody had looked."""
    tally = Tally()
    tally.open("task1", "sft")
    tally.add("task1", "sft", rows(2))
    told = {"pretty_name": "x", "version": "1", "funnel": [], "leakage": []}
    plain = render(Facts(**told), tally, {"task1": TASK1})
    assert "Mixed" not in plain
    mixed = [Mixed(what="system flite", versions={"flite-2.2": 40, "flite-99.0": 2})]
    card = render(Facts(**told, mixed=mixed), tally, {"task1": TASK1})
    section = card[card.index("## Mixed versions") : card.index("## Licences")]
    assert "| system flite | flite-2.2 | 40 |\n| system flite | flite-99.0 | 2 |\n" in section
    assert card.replace(section, "") == plain
