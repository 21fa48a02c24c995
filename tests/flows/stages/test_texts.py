"""Which texts are spoken, as prompts are added to those that have their texts already."""

import pytest

from flows.run.pipeline import open_build
from flows.views.explain import story_of
from tests.annotate import openai_server
from tests.annotate.replies import answer, reply_for, task_of
from tests.flows.small import corpus, recipe, run

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
