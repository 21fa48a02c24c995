"""The same words wherever people are asked: the app's instructions, a vendor's sheet, Label Studio's page."""

import json
from xml.etree import ElementTree as ET

import pytest

from annotate.people.exchange.import_export import export_tasks
from annotate.people.protocols.speechjudge import SpeechJudge
from annotate.people.web.instructions import instructions_of
from annotate.people.web.words import words
from contracts import plugins
from tests.annotate.listeners import listening_settings
from tests.annotate.people.exchange.filling import audio, pair


@pytest.mark.parametrize("name", ["speechjudge", "unisrm"])
def test_the_guideline_is_the_same_everywhere(tmp_path, name):
    protocol = plugins.configure("protocol", name)
    paragraphs = protocol.guidance["en"].split("\n\n")
    app = instructions_of(listening_settings(name), words("en"), "en")
    sheet = export_tasks([pair(1)], tmp_path / "sheet", kind="csv", audio=audio, seed=0, protocol=protocol)
    studio = export_tasks([pair(1)], tmp_path / "studio", kind="label_studio", audio=audio, seed=0, protocol=protocol)
    form = (sheet.parent / "form.txt").read_text()
    shown = [tag.get("value") for tag in ET.fromstring((studio.parent / "label_config.xml").read_text()).iter("Header")]
    assert json.loads(studio.read_text())
    for paragraph in paragraphs:
        assert paragraph in app
        assert paragraph in form
        assert paragraph in shown
    for question in protocol.questions:
        for text in (question.text["en"], *question.option_texts.get("en", ())):
            assert text in form


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            ["left out", "added", "misread or replaced", "more natural", "significantly", "slightly", "clear", "intonation"],
        ),
        ("en", ["rhythm", "stressed", "must not sway", "so many are wrong"]),
        ("zh", ["漏字", "多字", "错字", "更自然", "明显", "略微", "声音清晰", "语调", "节奏", "重音", "个别错字不应影响"]),
    ],
)
def test_speechjudges_guideline_has_all_of_appendix_b(language, told):
    """Three kinds of errors, the scale, four criteria, and what a few wrong words must not do, in both languages of the app."""
    guidance = SpeechJudge.guidance[language]
    assert all(word in guidance for word in told)


def test_an_owners_words_stand_in_place_of_the_protocols(tmp_path):
    protocol = SpeechJudge()
    for kind, name in (("csv", "form.txt"), ("label_studio", "label_config.xml")):
        export_tasks(
            [pair(1)], tmp_path / kind, kind=kind, audio=audio, seed=0, protocol=protocol, guidance="Be <quick>.\n\nThen rest."
        )
        text = (tmp_path / kind / name).read_text()
        assert "Be <quick>." in text or "Be &lt;quick&gt;." in text
        assert "Then rest." in text
        assert protocol.guidance["en"].split("\n\n")[0] not in text
