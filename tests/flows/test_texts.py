"""Which texts are spoken, as prompts are added to those that have their texts already."""

from flows.pipeline import open_build
from tests.annotate import openai_server
from tests.annotate.replies import reply_for, task_of
from tests.flows.small import corpus, recipe, run


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
