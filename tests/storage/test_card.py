"""Escaping, the Hub's vocabulary, and the page for each sort of item."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from storage.card import escape, render
from storage.card_facts import Disjoint, Facts, Funnel, Mixed, Statistics, Writer
from storage.columns import AUDIO, RATED_PAIRS, TASK1, TASK4, Body, ReleaseSchema
from storage.hub_metadata import hub_license, size_category
from storage.tally import Tally
from tests.storage.release_rows import rated_rows, rows

BARE = {"pretty_name": "x", "version": "1", "funnel": [], "leakage": []}


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
    tally = Tally({"task1": TASK1})
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
    card = render(facts, tally)
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
    (["cmn-Hant-TW"], ["zh"]),  # Mandarin is what people mean by Chinese
    (["english"], ["en"]),
    (["und", "en"], ["en"]),
    (["und"], []),
    (["mul", "zxx", "mis", "qaa", "qtz-Latn", "x-klingon", "", "e", "\u4e2d\u6587", "123"], []),
    ([], []),
]


@pytest.mark.parametrize(("tags", "codes"), LANGUAGES)
def test_the_hub_gets_language_codes(tags, codes):
    """The Hub's rule for ``language``: ISO 639-1, -2 or -3 codes of small letters; a card may have none, but no empty list."""
    tally = Tally({"task1": TASK1})
    tally.open("task1", "sft")
    for tag in tags:
        tally.add("task1", "sft", rows(1, language=tag))
    content = render(Facts(pretty_name="x", version="1", funnel=[], leakage=[]), tally)
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
    tally = Tally({"task1": TASK1})
    tally.open("task1", "sft")
    tally.add("task1", "sft", rows(2))
    plain = render(Facts(**BARE), tally)
    assert "Mixed" not in plain
    mixed = [Mixed(what="system flite", versions={"flite-2.2": 40, "flite-99.0": 2})]
    card = render(Facts(**BARE, mixed=mixed), tally)
    section = card[card.index("## Mixed versions") : card.index("## Licences")]
    assert "| system flite | flite-2.2 | 40 |\n| system flite | flite-99.0 | 2 |\n" in section
    assert card.replace(section, "") == plain


# Sorts of items


def test_the_card_of_judged_pairs_stays_as_it_is():
    """``card_pairs.txt``, to the byte: a changed card changes the digest of every release."""
    facts = Facts(
        pretty_name="Pairs | <script>alert(1)</script> of *people*",
        version="0.1.0",
        funnel=[Funnel(stage="filters", unit="pairs", rows_in=70, rows_out=66, dropped={"cycle": 3, "wer_gap": 1})],
        leakage=[Disjoint(key="text", left="sft", right="bench", shared=0)],
        judge_statement="A documented rule, not a person and not a language model.",
        attribution={"asterisk_prompts": "Allison Smith"},
        recipe_digest="f00d",
        seed=1,
        writers=[Writer(task="scenario", model="m|1", prompt_versions=["v1", "v2"])],
        mixed=[Mixed(what="system flite", versions={"flite-2.2": 40, "flite-99.0": 2})],
    )
    tally = Tally({"task1": TASK1})
    for split, table in (("sft", rows(48)), ("rl", rows(12, 48)), ("bench", rows(0))):
        tally.open("task1", split)
        tally.add("task1", split, table)
    assert render(facts, tally) == (Path(__file__).parent / "card_pairs.txt").read_text()


def rated_card(*tables):
    """Return the card of rated pairs."""
    tally = Tally({"rated_pairs": RATED_PAIRS})
    tally.open("rated_pairs", "train")
    for table in tables:
        tally.add("rated_pairs", "train", table)
    return render(Facts(**BARE, judge_statement="The labels come from people's ratings."), tally)


def test_the_card_of_rated_pairs():
    """Scale, how ratings became labels, differences, raters, systems; nothing of judges, engines or settings."""
    card = rated_card(rated_rows(8), rated_rows(4, 8, condition_b="a|b <i>"))
    for line in (
        "| rated\\_pairs | train | 12 | 12 | 0 |",
        "The labels come from people's ratings. The clip with the higher mean rating is better, however small the difference.",
        "| mos | 12 |",
        "| up to 0.2 | 0 |\n| up to 0.5 | 6 |\n| up to 1 | 3 |\n| more than 1 | 3 |\n\n",
        "| up to 8 | 12 |\n| up to 16 | 0 |\n| more than 16 | 0 |\n| unknown | 12 |\n\n",
        "| human | - | CC-BY-4.0 | no | 12 |",
        "| tts0 | noise 10 dB | CC-BY-4.0 | yes | 3 |",
        "| tts0 | a\\|b &lt;i&gt; | CC-BY-4.0 | yes | 1 |",
        "contains synthetic speech",
        "### rated\\_pairs",
        'for column in ("audio_a", "audio_b"):',
    ):
        assert line in card
    for word in ("engine", "judge", "prompt\\_version", "task1"):
        assert word not in card
    assert "contains synthetic speech" not in rated_card(rated_rows(2, is_synthetic_b=False))


def test_tables_of_numbers_are_tables():
    """A CommonMark parser sees one of as many columns, words to the left and numbers to the right."""
    table = Statistics(title="Sizes", columns=["corpus", "train", "test"], words=1, rows=[["a|b", 40, 6], ["all", 40, 6]])
    tally = Tally({"rated_pairs": RATED_PAIRS})
    tally.open("rated_pairs", "train")
    tally.add("rated_pairs", "train", rated_rows(2))
    card = render(Facts(**BARE, statistics=[table]), tally)
    page = MarkdownIt("commonmark").enable("table").render(card.partition("## Sizes")[2].partition("## ")[0])
    assert page.count("</th>") == 3
    assert page.count("</td>") == 6
    assert page.count('style="text-align:right"') == 2 * 3
    assert "<td>a|b</td>" in page


def test_contents_that_corpora_share_between_their_splits_are_told():
    """Where there are any, beside the proof that clips are not shared."""
    tally = Tally({"rated_pairs": RATED_PAIRS})
    tally.open("rated_pairs", "train")
    tally.add("rated_pairs", "train", rated_rows(2))
    card = render(Facts(**BARE, overlaps=[Disjoint(key="bvcc", left="train", right="test", shared=4)]), tally)
    assert "No clip is in two of them" in card
    assert "| bvcc | train | test | 4 |" in card
    assert "No clip is in two of them" not in rated_card(rated_rows(2))


@pytest.mark.parametrize(
    ("gap", "word"),
    [(3.7 - 3.5, "up to 0.2"), (3.4 - 3.2, "up to 0.2"), (0.21, "up to 0.5"), (4.1 - 3.1, "up to 1"), (1.001, "more than 1")],
)
def test_a_difference_at_a_bound_is_below_it(gap, word):
    """3.7 - 3.5 is 0.2, though not in binary fractions."""
    assert f"| {word} | 1 |" in rated_card(rated_rows(1, rating_gap=gap))


def test_an_item_of_one_clip_without_a_label_has_a_card():
    """General code asks the schema: no column of labels, one clip in the code that loads it."""
    columns = pa.schema(
        [
            pa.field("clip_id", pa.string()),
            pa.field("audio", AUDIO),
            pa.field("is_synthetic", pa.bool_()),
            *(pa.field(name, pa.string()) for name in ("language", "license", "corpus")),
        ]
    )
    schema = ReleaseSchema(columns=columns, body=Body(template="card.md.jinja", counts={}))
    assert (schema.item_column, schema.audio_columns, schema.synthetic_columns) == ("clip_id", ["audio"], ["is_synthetic"])
    tally = Tally({"clips": schema})
    tally.open("clips", "train")
    tally.add("clips", "train", pa.table({"clip_id": ["1"], "language": ["en"], "license": ["MIT"], "corpus": ["c"]}))
    card = render(Facts(**BARE), tally)
    assert "| configuration | split | rows |\n|---|---|---:|\n| clips | train | 1 |\n\n" in card
    assert 'for column in ("audio",):' in card
    assert "| c | MIT | 1 | - |" in card


def test_configurations_of_several_sorts_share_a_card():
    """Each sort is described under the names of its configurations; sorts that share a body are counted together."""
    tally = Tally({"task1": TASK1, "task4": TASK4, "rated_pairs": RATED_PAIRS})
    for config, table in (("task1", rows(6)), ("task4", rows(4)), ("rated_pairs", rated_rows(3, is_synthetic_b=False))):
        tally.open(config, "train")
        tally.add(config, "train", table)
    card = render(Facts(**BARE, judge_statement="Somebody said so."), tally)
    assert "**task1, task4**: Each row compares two clips of one text" in card
    assert "**rated\\_pairs**: Each row compares two clips of one corpus" in card
    assert re.findall("^## Rows of .*|^### W.*", card, re.MULTILINE) == [
        "## Rows of task1, task4", "### Who judged", "### Who speaks",
        "## Rows of rated\\_pairs", "### Where the labels come from", "### Who speaks",
    ]  # fmt: skip
    assert "| en2en | regular | 10 |" in card, "task1 and task4 share a body"
    assert "| asterisk\\_prompts | CC-BY-SA-3.0 AND GPL-3.0-or-later | 10 | - |" in card
    assert "| somos | CC-BY-4.0 | 3 | - |" in card
    assert card.count("contains synthetic speech") == 1, "of the sort that has synthetic clips"
    assert card.count("Licences hold per row") == 1


def test_tags_are_those_of_the_rows():
    """Recordings of people alone are not tagged as synthetic speech."""
    for is_synthetic in (True, False):
        card = rated_card(rated_rows(2, is_synthetic_a=False, is_synthetic_b=is_synthetic))
        tags = yaml.safe_load(card.split("\n---\n")[0].removeprefix("---\n"))["tags"]
        assert "preference" in tags
        assert ("synthetic" in tags) == is_synthetic


def test_contents_that_splits_share_are_no_part_of_the_promise():
    """What the corpora's own splits share is counted, and the sentence about leaks says so."""
    tally = Tally({"rated_pairs": RATED_PAIRS})
    tally.open("rated_pairs", "train")
    tally.add("rated_pairs", "train", rated_rows(2))
    facts = {"judge_statement": "x", "leakage": [Disjoint(key="text", left="train", right="test", shared=0)]}
    plain = render(Facts(**(BARE | facts)), tally)
    assert "file. The splits share nothing that could leak" in plain
    card = render(Facts(**(BARE | facts), overlaps=[Disjoint(key="c and d", left="train", right="test", shared=3)]), tally)
    assert "Beyond the contents that are counted further below, the splits share nothing" in card
    assert "| c and d | train | test | 3 |" in card


def test_labels_of_another_sort_are_no_zeros():
    """A configuration without labels has none to count."""
    columns = pa.schema([pa.field(name, pa.string()) for name in ("clip_id", "language", "license", "corpus")])
    clips = ReleaseSchema(
        columns=pa.schema([*columns, pa.field("audio", AUDIO)]), body=Body(template="card.md.jinja", counts={})
    )
    tally = Tally({"task1": TASK1, "clips": clips})
    for config, table in (("task1", rows(4)), ("clips", pa.table({"clip_id": ["1"]}))):
        tally.open(config, "train")
        tally.add(config, "train", table)
    card = render(Facts(**BARE), tally)
    assert "| task1 | train | 4 | 2 | 2 |\n| clips | train | 1 | - | - |" in card


def test_a_table_stands_on_the_cards_of_its_rows():
    """Pairs of a text and rated pairs each have theirs, with what there is to say of it, and no other's."""
    tables = [
        Statistics(title="Votes here", columns=["level", "n"], words=1, rows=[["FA", 7]], note="Read *me*.", about="pairs"),
        Statistics(title="Sizes there", columns=["corpus", "n"], words=1, rows=[["c", 1]]),
    ]
    tally = Tally({"task1": TASK1})
    tally.open("task1", "train")
    tally.add("task1", "train", rows(2))
    card = render(Facts(**BARE, statistics=tables), tally)
    assert "## Votes here" in card
    assert "Read \\*me\\*." in card
    assert "| FA | 7 |" in card
    assert "Sizes there" not in card
