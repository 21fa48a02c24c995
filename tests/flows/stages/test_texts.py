"""Which texts are spoken, as prompts are added to those that have their texts already."""

import json
from collections import Counter

import pytest

from contracts.languages import with_setting
from flows.kinds.preference_release import FORM
from flows.run.pipeline import open_build
from flows.stages.texts import CHOSEN
from flows.views.explain import story_of
from tests.annotate import openai_server
from tests.annotate.replies import answer, reply_for, task_of
from tests.flows.small import CLIPS, add_recording, corpus, recipe, run

pytestmark = pytest.mark.usefixtures("in_this_process")


def test_a_prompt_added_later_takes_no_text_away(tmp_path, monkeypatch):
    """Where two continuations turn out the same, the prompt that was there first keeps the text."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-key-90210")
    corpus(tmp_path / "corpus", [])
    first = dict[str, str]()

    def same(prompt, clips):
        return first.setdefault(task_of(prompt), reply_for(prompt, len(clips)))

    with openai_server.serving(answer=same) as server:
        options = {"model": "gpt-4.1", "base_url": server.url, "backoff_s": 0.01}
        before = set[str]()
        for texts in (1, 2):
            path = recipe(
                tmp_path,
                seed=3,  # the later prompt has the smaller id
                prompts={"texts": texts, "reference": "same_speaker", "variants": ["transcript", "random"]},
                roles=[{"task": "style_continuation", "name": "openai", "options": options}],
            )
            build = open_build(path, str(tmp_path / "ws"))
            books = run(build, "texts")["texts"]
            spoken = set(build.tables.read("prompts")["prompt_id"].to_pylist())
            assert before < spoken
            before = spoken
    assert books.dropped == {"duplicate_text": 1}


def test_the_story_of_a_prompt_names_who_wrote_its_text(tmp_path, monkeypatch):
    """A cleaned or continued text made another prompt of the one that the model was asked about; its story finds the writing."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-key-90210")
    corpus(tmp_path / "corpus", [])
    with openai_server.serving(answer=answer) as server:
        options = {"model": "gpt-4.1", "base_url": server.url, "backoff_s": 0.01}
        roles = [{"task": task, "name": "openai", "options": options} for task in ("clean_text", "style_continuation")]
        for reference in ("same_speaker", "none"):
            variants = ["transcript", "random", "translation", "codeSwitching"][: 1 if reference == "none" else 4]
            path = recipe(
                tmp_path,
                prompts={"reference": reference, "variants": variants},
                roles=roles[: 1 if reference == "none" else 2],
            )
            build = open_build(path, str(tmp_path / reference))
            run(build, "texts")
            for prompt in build.tables.read("prompts").to_pylist():
                story = story_of(build, prompt["prompt_id"])
                wrote = [facts for chapter, facts in story.items() if chapter.startswith("written: ")]
                assert {facts["task"] for facts in wrote} == {
                    "clean_text" if prompt["target_utterance_id"] else "style_continuation"
                }
                assert all(prompt["text"] in facts["content"] for facts in wrote)


ZH = (
    "今天天气很好, 我们一起去公园散步吧",
    "他昨天买了三本新书, 放在桌子上了",
    "老师说明天不上课, 大家都很高兴",
    "请把门关上, 外面的风实在太大了",
)


def two_languages(folder):
    """A regular corpus in two languages and an expressive one, of the same recordings under texts of their own."""
    folder.mkdir()
    corpus(folder / "regular", [])
    for number, text in enumerate(ZH):
        row = {"id": f"zh{number}", "audio": CLIPS[number % 2].name, "text": text, "language": "zh", "speaker": "li"}
        add_recording(folder / "regular", row | {"category": "regular"})
    corpus(
        folder / "acted", [], style="expressive", category="emotional", each=lambda n: {"text": f"Number {n} is said in tears."}
    )
    return [{"name": name, "reader": "manifest", "root": str(folder / name)} for name in ("regular", "acted")]


def test_regular_references_speak_transcripts_and_expressive_ones_continuations(tmp_path, monkeypatch):
    """Each task is asked about its own prompts; a reply beyond the limits is sent back once, and the drop says why."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-key-90210")
    asked = Counter[str]()

    def counting(prompt, clips):
        asked[task_of(prompt)] += 1
        return reply_for(prompt, len(clips))

    corpora = two_languages(tmp_path / "corpora")
    variants = {"regular": ["transcript", "foreign"], "expressive": ["random", "translation", "codeSwitching"]}
    with openai_server.serving(answer=counting) as server:
        options = {"model": "gpt-4.1", "base_url": server.url, "backoff_s": 0.01}
        for limits, sent_back in (({"min_s": 0.1, "max_s": 60}, 0), ({"min_s": 50, "max_s": 60}, 2)):
            asked.clear()
            writer = {"task": "style_continuation", "name": "openai", "options": options, "task_options": limits}
            path = recipe(
                tmp_path,
                corpora=corpora,
                human=False,
                prompts={"texts": 20, "reference": "same_speaker", "variants": variants},
                roles=[{"task": "clean_text", "name": "openai", "options": options}, writer],
            )
            build = open_build(path, str(tmp_path / f"ws{sent_back}"))
            books = run(build, "texts")["texts"]
            spoken = with_setting(build.tables.read("prompts"))
            found = Counter(zip(spoken["style"].to_pylist(), spoken["setting"].to_pylist(), strict=True))
            regular = {setting: count for (style, setting), count in found.items() if style == "regular"}
            # Of three English texts and two Chinese ones, every second is lent to the other language.
            assert regular == {"en2en": 2, "zh2zh": 1, "en2zh": 1, "zh2en": 1}
            assert asked["clean_text"] == 5
            chosen = [row["reference_text"] for row in build.tables.read(CHOSEN).to_pylist() if row["style"] == "expressive"]
            expressive = len(chosen)
            assert asked["style_continuation"] == len(set(chosen)) * (2 if sent_back else 1) > 0
            written = {setting: count for (style, setting), count in found.items() if style == "expressive"}
            drops = build.tables.read("drops@texts").to_pylist()
            if sent_back:
                assert written == {}
                assert books.dropped == {"no_continuation": 3 * expressive}
                assert all("reading_time: random takes about" in json.loads(drop["evidence"])["why"] for drop in drops)
            else:
                assert set(written) == {"en2en", "en2zh", "en2mixed"}
                categories = Counter(zip(spoken["style"].to_pylist(), spoken["reference_category"].to_pylist(), strict=True))
                assert categories["expressive", "emotional"] == sum(written.values())


def test_speech_of_16_khz_may_be_a_reference_in_a_set_of_24_khz(tmp_path):
    """The recordings here have 16 kHz: refused as they were, taken where the recipe says so, and counted for the card."""
    corpus(tmp_path / "corpus", [])
    audio = {"sample_rate_hz": 24000, "bandwidth_hz": 11000}
    for upsample in (False, True):
        more = {"upsample_references": True} if upsample else {}
        path = recipe(tmp_path, human=False, prompts={"reference": "same_speaker"}, audio=audio | more)
        build = open_build(path, str(tmp_path / "ws"))
        run(build, "recordings")
        failed = Counter(build.tables.read("failures@recordings")["reason"].to_pylist())
        made = build.tables.num_rows("recordings")
        if upsample:
            (table,) = FORM.statistics(build)
            assert (table.title, list(table.rows)) == ("Rates of the reference speech", [("16,000 Hz", "upsampled", made)])
            assert made > 0
        else:
            assert (set(failed), made) == ({"narrow_band"}, 0)
            assert FORM.statistics(build) == []
