"""Writers that are a real language model behind OpenAI's protocol: what it writes is used, refused, counted and kept."""

import json

from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.views.status import status_of
from tests.annotate import text_model
from tests.flows.small import corpus, recipe, run


def written(tmp_path, url, **options):
    """Return a build in which the model has written scenes for two prompts, and the books of its stages."""
    if not (tmp_path / "corpus").exists():
        corpus(tmp_path / "corpus", [], emotion="sad")
    writer = {
        "model": text_model.NAME,
        "base_url": url,
        "key_variable": "",
        "timeout_s": 120,
        "max_output_tokens": 96,
    } | options
    path = recipe(
        tmp_path,
        prompts={"reference": "none", "texts": 2},
        roles=[{"task": "scenario", "name": "openai", "options": writer}],
    )
    build = open_build(path, str(tmp_path / "ws"))
    return build, run(build, "writings")


def spent(build) -> dict:
    """Return what ``status`` says of the role's requests."""
    (row,) = (row for row in status_of(build) if str(row["stage"]).startswith("ledger"))
    return row


def test_what_it_writes_is_kept_and_asked_once(tmp_path, in_this_process):
    """Two scenes of two requests, and the model by its file's name; then nothing more is asked of the server, which is gone."""
    with text_model.serving(json_only=True) as url:
        build, books = written(tmp_path, url)
        assert (books["writings"].rows_out, books["writings"].failed) == (2, {})
    rows = build.tables.read("writings@writings").to_pylist()
    assert all(set(json.loads(row["content"])) == {"scenario_description", "paragraph_context"} for row in rows)
    assert {row["model_served"] for row in rows} == {"SmolLM2-135M-Instruct.Q4_1.gguf"}
    assert all(200 < row["input_tokens"] < 500 and 10 < row["output_tokens"] <= 96 for row in rows), "by the model's tokenizer"
    assert spent(build)["out"] == 2
    again = open_build(tmp_path / "small.yaml", str(tmp_path / "ws"))
    first = [stage for stage in stages_of(again) if stage.name in books]
    assert all(finished(stage, again) for stage in first)


def test_prose_in_place_of_json_is_a_failure_with_its_reason(tmp_path, in_this_process):
    """Left to itself the model writes prose, and goes on until it is cut off: nothing of it becomes a scene, and it is paid for."""
    with text_model.serving(json_only=False) as url:
        build, books = written(tmp_path, url, max_output_tokens=24, usd_per_million=[1, 1, 1])
    assert (books["writings"].rows_out, books["writings"].failed) == (0, {"truncated_reply": 2})
    assert spent(build)["failed"] == {"failed": 2}
    # About 310 tokens of prompt and 24 of reply, twice, at a dollar a million.
    assert 0.0005 < spent(build)["spent_usd"] < 0.0009
