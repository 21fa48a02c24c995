"""The page before the test shows all that UniSRM's appendix G.2 lists, in both languages, and what it takes is declared."""

import re

import pytest

from annotate.people.web.site import ListeningSite
from tests.annotate.people.web import sites
from tests.annotate.people.web.sites import Listener

PAID = ListeningSite(
    base_url="http://testserver", title="Which voice?", contact="lab@example.org", pay_per_item=1.05, currency="CNY"
)

LISTED = {
    "en": {
        "what is heard": "short recordings of speech, two at a time",
        "purpose": "to train and to evaluate models that judge speech",
        "use of labels": "research only",
        "consent": "I agree to take part",
        "headphones": "headphones",
        "quiet room": "a quiet room",
        "fluency": r"English \(fluent\)",
        "hearing": "no known hearing impairment",
        "criterion 1": "text fidelity and intelligibility",
        "criterion 2": "speaker similarity",
        "criterion 3": "prosody and expressiveness",
        "criterion 4": "naturalness and audio quality",
        "in full": "Listen to every recording in full",
        "replays": "at most 4 times.*More than about three repetitions",
        "binary": "A or B; there are no ties",
        "invalid": "corrupted, badly cut off, lacks its content",
        "pay": "1.05 CNY for each answer",
        "contact": "lab@example.org",
    },
    "zh": {
        "what is heard": "每次两段",
        "purpose": "训练和评估",
        "use of labels": "仅用于研究",
        "consent": "同意参加",
        "headphones": "佩戴耳机",
        "quiet room": "环境安静",
        "fluency": "英语 \\(流利\\)",
        "hearing": "无已知听力障碍",
        "criterion 1": "文本忠实度与可懂度",
        "criterion 2": "说话人相似度",
        "criterion 3": "韵律与表现力",
        "criterion 4": "自然度与音质",
        "in full": "完整听完每段语音",
        "replays": "最多播放 4 次.*重听超过三次",
        "binary": "A 或 B,不能选平局",
        "invalid": "严重截断",
        "pay": "每次作答 1.05 CNY",
        "contact": "lab@example.org",
    },
}


@pytest.mark.parametrize("language", sorted(LISTED))
def test_the_page_says_all_that_the_paper_lists(tmp_path, language):
    opened = sites.open_site(tmp_path, site=PAID, settings={"languages": {"en": "proficient"}})
    ann = Listener(opened, opened.invite())
    page = ann.client.get(f"/?lang={language}").text
    missing = [what for what, said in LISTED[language].items() if not re.search(said, page, re.DOTALL)]
    assert missing == []
    opened.store.close()


def test_what_it_takes_is_declared_before_the_first_item(tmp_path):
    """Without the word that there is no hearing impairment, or that the language is known, nobody goes on."""
    opened = sites.open_site(tmp_path, clock=sites.Clock(), settings={"languages": {"en": "proficient", "zh": "native"}})
    who = opened.store.invite("Ann", {"en": "native"}).annotator_id
    ann = Listener(opened, who)
    ann.post("/consent", {"agree": "yes"})
    page = ann.client.get("/").text
    assert "no known hearing impairment" in page
    assert "English (fluent)" in page
    assert "Chinese" not in page, "a listener declares the languages of their own items"
    challenge = opened.app.state.challenges.current(who)
    said = {"challenge": challenge.challenge_id, "quiet": "yes", "headphones": "yes", "answers": challenge.answers}
    for declared in ({}, {"hearing": "yes"}, {"fluent": "yes"}, {"hearing": "no", "fluent": "yes"}):
        assert ann.post("/check", said | declared).status_code == 422
        assert opened.store.annotator(who).state == "consented"
    assert ann.post("/check", said | {"hearing": "yes", "fluent": "yes"}).status_code == 200
    opened.store.close()


def test_a_listener_is_told_that_the_budget_is_spent(tmp_path):
    opened = sites.open_site(tmp_path, clock=sites.Clock(), settings={"most_answers": 0})
    ann = Listener(opened, opened.invite()).prepare()
    page = ann.client.get("/next").text
    assert "What can be paid for answers is used up for now" in page
    assert "Look again" in page
    opened.store.close()


def test_a_test_of_single_clips_speaks_of_single_clips(tmp_path):
    opened = sites.open_site(tmp_path, "rating")
    page = Listener(opened, opened.invite()).client.get("/").text
    assert "one at a time" in page
    assert "You may hear each again" in page
    assert "the highest number is best" in page.lower()
    opened.store.close()
