"""A system that is a speech service, by recipe and through the stages, against a local server that speaks OpenAI's form."""

import io
import json
import re
from collections import Counter

import numpy as np
import pytest
import soundfile
from threadpoolctl import threadpool_info

from contracts.errors import SetupError
from flows.entry.doctor import examine
from flows.entry.preflight import check_machine
from flows.kinds.preference_plan import plan_of
from flows.run import services
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import forget_failures, open_build, up_to
from flows.run.plugin_versions import mixed_versions
from flows.run.question import key_variables
from flows.views.explain import story_of
from flows.views.status import status_of
from tests.annotate import openai_asking, openai_server
from tests.annotate.openai_server import Options
from tests.flows.small import corpus, recipe, run

api_key = openai_asking.api_key


@pytest.fixture
def server():
    with openai_server.serving(Options(usd_per_million_characters=15.0, model_served="tts-1-1106")) as serving_one:
        yield serving_one


def far(server, **changes):
    """A system of two voices, of which one speaks each prompt."""
    options = {"model": "tts-1", "base_url": server.url, "backoff_s": 0.01} | changes.pop("options", {})
    return {"name": "far", "engine": "openai_speech", "voices": ["nova", "onyx"], "options": options} | changes


def build_of(tmp_path, server, **changes):
    if not (tmp_path / "corpus").exists():
        corpus(tmp_path / "corpus", [])
    system = changes.pop("system", None) or far(server)
    systems = [{"name": "flite", "engine": "flite", "voices": ["kal16"]}, system]
    return open_build(recipe(tmp_path, systems=systems, **changes), str(tmp_path / "ws"))


def test_a_service_is_one_system_beside_the_others(tmp_path, in_this_process, server):
    """Planned, bought, told in the status by system, explained, and never asked again."""
    build = build_of(tmp_path, server)
    planned = {line["stage"]: line for line in plan_of(build)}
    books = run(build)
    assert books["samples"].rows_out == books["samples"].rows_in == 15
    samples = [row for row in build.tables.read("samples").to_pylist() if row["system"] == "far"]
    assert {row["engine_version"] for row in samples} == {"tts-1-1106"}
    assert {(body["input"], body["voice"]) for body in server.bodies} == {
        (row["text"], row["voice"])
        for sample in samples
        for row in [sample | {p["prompt_id"]: p for p in build.tables.read("prompts").to_pylist()}[sample["prompt_id"]]]
    }
    assert len(server.bodies) == 5

    line = planned["samples far"]
    assert (line["rows"], line["done"], line["calls"]) == (5, 0, 5)
    assert line["usd_at_most"] == round(server.bill_usd, 2), "characters are known before"
    assert planned["money"]["calls"] == 5 + sum(line["calls"] for name, line in planned.items() if "gemini" in name)
    assert planned["samples flite"]["calls"] == 0
    again = {line["stage"]: line for line in plan_of(build)}
    assert (again["samples far"]["done"], again["samples far"]["calls"]) == (5, 0)

    [spent] = [row for row in status_of(build) if str(row["stage"]).startswith("ledger")]
    assert (spent["stage"], spent["out"]) == ("ledger samples far openai_speech/tts-1", 5)
    assert spent["spent_usd"] == pytest.approx(server.bill_usd, abs=1e-4)

    story = story_of(build, samples[0]["sample_id"])
    [bought] = story[f"ledger of {samples[0]['sample_id']}"]
    assert (bought["state"], bought["attempts"]) == ("replied", 1)
    assert bought["cost_usd"] > 0
    pairs = build.tables.read("pairs").to_pylist()
    pair = next(row for row in pairs if samples[0]["sample_id"] in (row["sample_a"], row["sample_b"]))
    assert f"ledger of {samples[0]['sample_id']}" in story_of(build, pair["pair_id"])

    fresh = build_of(tmp_path, server)
    assert all(finished(stage, fresh) for stage in up_to(stages_of(fresh), "pairs"))
    assert len(server.bodies) == 5


def test_failures_are_retried_on_demand_and_only_they(tmp_path, in_this_process, server):
    """A refused text is a failure row of the stage; the books balance."""
    server.script = lambda _number, body: (
        openai_server.error(400, "content_policy_violation", "not this one") if body["voice"] == "nova" else None
    )
    build = build_of(tmp_path, server)
    books = run(build)["samples"]
    refused = books.failed["blocked"]
    assert books.rows_out == 15 - refused
    assert 0 < refused < 5
    server.script = None
    forget_failures(build, stages_of(build))
    assert run(build_of(tmp_path, server))["samples"].rows_out == 15
    assert len(server.bodies) == 5 + refused


def test_another_try_is_bought_only_where_the_recipe_says_so(tmp_path, in_this_process, server):
    """A silent clip is a failure at once; with tries another request is sent, booked beside the first, and never more of them."""
    spoken = server.spoken
    quiet = Counter()

    def half_silent(_number, body):
        quiet[body["input"]] += 1
        if quiet[body["input"]] > 1:
            return None
        buffer = io.BytesIO()
        soundfile.write(buffer, np.zeros(24000 * 3, np.int16), 24000, format="WAV", subtype="PCM_16")
        return openai_server.replace(spoken(body), body=buffer.getvalue())

    server.script = half_silent
    build = build_of(tmp_path, server, system=far(server, options={"response_format": "wav"}))
    assert run(build, "samples")["samples"].failed == {"silent": 5}
    assert len(server.bodies) == 5
    build = build_of(tmp_path, server, system=far(server, tries=2, options={"response_format": "wav"}))
    books = run(build, "samples")["samples"]
    assert books.failed == {}
    assert len(server.bodies) == 10
    made = [row for row in build.tables.read("samples").to_pylist() if row["system"] == "far"]
    assert [[one["reason"] for one in json.loads(row["failed_tries"])] for row in made] == [["silent"]] * 5
    [spent] = [row for row in status_of(build) if str(row["stage"]).startswith("ledger")]
    assert spent["out"] == 10
    run(build_of(tmp_path, server, system=far(server, tries=2, options={"response_format": "wav"})), "samples")
    assert len(server.bodies) == 10


def test_another_model_that_answers_is_seen(tmp_path, in_this_process, server):
    """The provider changed what is behind the name: the status says so, and the samples say which is which."""
    server.script = lambda number, body: (
        None if number else openai_server.replace(server.spoken(body), headers={"openai-model": "tts-1-older"})
    )
    build = build_of(tmp_path, server)
    run(build)
    assert [(one.what, sorted(one.versions.items())) for one in mixed_versions(build)] == [
        ("system far", [("tts-1-1106", 4), ("tts-1-older", 1)])
    ]


def test_what_is_missing_is_said_before_any_work(tmp_path, server, monkeypatch):
    """The key, by name and system; a refused one, too; and neither where the user says not to look."""
    build = build_of(tmp_path, server)
    stages = up_to(stages_of(build), "samples")
    assert check_machine(build, stages) == {stage.name for stage in stages}
    server.options = Options(models_route=lambda _key: openai_server.error(401, "invalid_api_key", "Incorrect API key"))
    with pytest.raises(SetupError, match="system far: the API key in OPENAI_API_KEY is refused"):
        check_machine(build, stages)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(SetupError, match="system far: no API key: set the environment variable OPENAI_API_KEY"):
        check_machine(build, stages)
    monkeypatch.setenv("UNISRM_KEY_CHECK", "false")
    check_machine(build_of(tmp_path, server), stages)
    assert not server.bodies


def test_a_cluster_elsewhere_needs_no_key_but_this_process_does(tmp_path, server, monkeypatch):
    """Services are asked from here, wherever engines run."""
    monkeypatch.delenv("OPENAI_API_KEY")
    corpus(tmp_path / "corpus", [])
    path = recipe(tmp_path, systems=[far(server)])
    build = open_build(path, str(tmp_path / "ws"), "auto")
    with pytest.raises(SetupError, match="system far: no API key"):
        check_machine(build, up_to(stages_of(build), "samples"))


def test_workers_get_no_key_of_a_service(tmp_path, server):
    """Whatever the recipe calls its variable."""
    build = build_of(tmp_path, server, system=far(server, options={"key_variable": "OUR_TTS_KEY"}))
    assert "OUR_TTS_KEY" in build.secrets
    assert {"OUR_TTS_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"} <= key_variables(build.recipe)


def test_the_doctor_says_how_to_get_a_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    found = {row["name"]: row for row in examine() if row["kind"] == "engine"}
    assert not found["openai_speech"]["ready"]
    assert found["openai_speech"]["what to do"] == "no API key: set the environment variable OPENAI_API_KEY"
    assert re.search("GEMINI_API_KEY or GOOGLE_API_KEY", found["gemini_speech"]["what to do"])


def test_texts_that_are_not_written_yet_are_planned_as_long_as_the_target(tmp_path, server):
    """A role will write what this system says; nobody knows it yet, but it is no novel."""
    dear = {"model": "tts-1", "base_url": server.url, "usd_per_million_characters": 10_000}
    writer = {"name": "openai", "options": {"model": "gpt-4.1", "base_url": server.url}}
    roles = [writer | {"task": "scenario"}, writer | {"task": "negative_text"}]
    wrong = {"system": far(server, options=dear, speaks="negative_text"), "roles": roles}
    unwritten, known = (
        next(line for line in plan_of(build_of(tmp_path, server, **changes)) if line["stage"] == "samples far")
        for changes in (wrong, {"system": far(server, options=dear)})
    )
    assert unwritten["calls"] == known["calls"] == 5
    assert known["usd_at_most"] / 2 < unwritten["usd_at_most"] < 2 * known["usd_at_most"]


def test_clips_of_services_are_made_on_one_thread(tmp_path, in_this_process, server, monkeypatch):
    """While engines speak beside them: numpy's threads would take the cores of the workers."""
    threads, spoken = [], services.spoken_rows

    def watched(*arguments, **options):
        for outcome in spoken(*arguments, **options):
            threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
            yield outcome

    monkeypatch.setattr(services, "spoken_rows", watched)
    run(build_of(tmp_path, server), until="samples")
    assert set(threads) == {1}
