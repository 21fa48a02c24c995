"""What a build cannot do is said before any work."""

import json
import shutil
from dataclasses import replace

import pytest

from contracts.errors import SetupError
from flows.entry import doctor
from flows.entry.doctor import examine
from flows.entry.preflight import check_machine
from flows.run.kind import stages_of
from flows.run.pipeline import open_build, up_to
from scoring.metrics.utmos import Utmos
from storage import downloads
from storage.environments.environment_cache import FOLDER
from tests.annotate import openai_server
from tests.annotate.replies import answer
from tests.flows.recipe.test_load import changed
from tests.flows.small import corpus, recipe, run

PLACE = r"workspace {}.* is not on a local disk: set UNISRM_LEDGER to a local file or a postgresql:// URL"
STORE = r"set listening\.store to a \$VARIABLE that holds a postgresql:// URL"


def problems(build, until=None) -> str:
    """Return what is said; nothing where all is well."""
    try:
        check_machine(build, up_to(stages_of(build), until))
    except SetupError as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def _nothing_is_configured(monkeypatch):
    monkeypatch.delenv("UNISRM_LEDGER", raising=False)


@pytest.mark.parametrize("ray", [None, "auto"])
def test_a_bucket_without_a_ledger_is_refused_before_synthesis(tmp_path, monkeypatch, ray):
    """Hours of it would end there; until the judges' turn nothing is missing."""
    build = open_build(changed(tmp_path, lambda _: None), "memory://bucket/preflight", ray)
    with pytest.raises(SetupError, match=PLACE.format("memory://bucket/preflight")):
        check_machine(build, stages_of(build))
    assert "UNISRM_LEDGER" not in problems(build, "pairs")
    monkeypatch.setenv("UNISRM_LEDGER", str(tmp_path / "ledger.sqlite"))
    assert "UNISRM_LEDGER" not in problems(build)
    assert not (tmp_path / "ledger.sqlite").exists(), "looking made it"


def test_a_bucket_without_a_store_of_votes_is_refused_with_it(tmp_path, monkeypatch):
    """Both are named at once, as one needs both."""
    listening = {"protocol": "unisrm", "rules": []}
    build = open_build(changed(tmp_path, lambda r: r.update(listening=listening)), "memory://bucket/preflight")
    with pytest.raises(SetupError, match=f"UNISRM_LEDGER.*; .*{STORE}"):
        check_machine(build, stages_of(build))
    monkeypatch.setenv("LISTENING_DB", "postgresql://me@host/db")
    monkeypatch.setenv("UNISRM_LEDGER", "postgresql://me@host/db")
    named = open_build(
        changed(tmp_path, lambda r: r.update(listening=listening | {"store": "$LISTENING_DB"})), "memory://bucket/preflight"
    )
    assert "LISTENING_DB" not in problems(named)
    assert "listening.store" not in problems(named)


def test_a_folder_needs_neither(tmp_path):
    """They lie in it."""
    build = open_build(changed(tmp_path, lambda _: None), str(tmp_path / "ws"))
    assert "not on a local disk" not in problems(build)


def _uncached(tmp_path, monkeypatch):
    """Empty caches, and no network behind a proxy that is not there."""
    for variable in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "cache"))
    for variable in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    downloads._web_refusal.cache_clear()


def test_weights_that_cannot_be_had_are_said_before_synthesis(tmp_path, monkeypatch):
    """A metric whose session would fetch them: the build would end after hours of it. With them in the cache all is well."""
    _uncached(tmp_path, monkeypatch)
    metric = {"name": "utmos", "options": {"device": "cpu"}}
    build = open_build(changed(tmp_path, lambda r: r["metrics"].append(metric)), str(tmp_path / "ws"))
    assert "metric utmos: its weights are not on this machine and cannot be fetched: https://github.com/" in problems(build)
    assert "utmos" not in problems(build, "samples"), "until its turn nothing is missing"
    for file in Utmos().downloads():
        file.path.parent.mkdir(parents=True)
        file.path.touch()
    assert "utmos" not in problems(build)


def test_the_doctor_says_what_it_says(tmp_path, monkeypatch):
    """Not ready without weights or a GPU; ready, with a note, where the server offers the weights."""
    _uncached(tmp_path, monkeypatch)

    def told():
        return next((row["ready"], row["what to do"]) for row in examine() if row["name"] == "utmos")

    monkeypatch.setattr(doctor, "gpus_here", lambda: 0)
    assert told() == (False, "needs a GPU by default: set device to cpu in the recipe, or run where there is one (--ray)")
    monkeypatch.setattr(doctor, "gpus_here", lambda: 1)
    ready, what = told()
    assert not ready
    assert "cannot be fetched" in what
    monkeypatch.setattr(downloads, "_web_refusal", lambda url: None)
    ready, what = told()
    assert ready
    assert what.startswith("nothing: it fetches https://github.com/")
    assert what.endswith(" on first use")


def test_the_doctor_lists_environments(tmp_path, monkeypatch):
    """An engine whose environment is yet to be built is not called broken for that; one that is there is a row."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(doctor, "gpus_here", lambda: 1)
    monkeypatch.setattr(doctor, "unobtainable", lambda plugin: None)
    rows = {row["name"]: row for row in examine()}
    assert rows["xtts"]["ready"]
    assert rows["xtts"]["what to do"].startswith("nothing: the first build makes its environment (coqui-tts==")
    assert not [row for row in rows.values() if row["kind"] == "environment"]
    (tmp_path / "a" / "bin").mkdir(parents=True)
    record = {"made_of": {"requirements": ["one==1"]}, "packages": ["one==1"], "python_version": "3.12.1", "size_mb": 7.0}
    (tmp_path / "a" / "unisrm-environment.json").write_text(json.dumps(record))
    (found,) = [row for row in examine() if row["kind"] == "environment"]
    assert found["name"] == "one==1"
    assert found["what to do"] == f"nothing: Python 3.12.1, 1 packages, 7 MB in {tmp_path / 'a'}"


# Keys

KEY = "sk-proj-CanaryCanaryCanary0123456789"


@pytest.fixture(params=["accepts", "refuses"])
def server(request, monkeypatch):
    """A server with a list of models, for one key; the environment holds it or another."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with openai_server.serving(
        openai_server.Options(key=KEY if request.param == "accepts" else "sk-other", models=("m",))
    ) as opened:
        yield opened


def asking(tmp_path, server, **changes):
    """A build whose judge, and a second opinion, are asked there."""
    judge = {"name": "openai", "task": "task1", "options": {"model": "m", "base_url": server.url}}
    path = changed(tmp_path, lambda r: r.update(judge=judge, judges=[judge | {"task": "teacher"}], budget_usd=1))
    return replace(open_build(path, str(tmp_path / "ws")), **changes)


def test_a_refused_key_is_said_before_synthesis(tmp_path, server):
    """One line that names the variable and not the key; nothing is asked while the stages to build ask no judge."""
    build = asking(tmp_path, server)
    said = problems(build)
    if server.options.key == KEY:
        assert said == ""
        return
    assert said.startswith("judge openai (task1): the API key in OPENAI_API_KEY is refused: HTTP 401")
    assert "judge openai (teacher)" in said
    assert "Canary" not in said
    assert problems(build, "pairs") == ""
    assert problems(asking(tmp_path, server, check_keys=False)) == ""


def test_a_missing_key_is_said_unless_told_not_to_look(tmp_path, server, monkeypatch):
    """A setting and an option of the command say so: who is sure that the ledger holds all replies needs none."""
    monkeypatch.delenv("OPENAI_API_KEY")
    assert "no API key: set the environment variable OPENAI_API_KEY" in problems(asking(tmp_path, server))
    assert problems(asking(tmp_path, server, check_keys=False)) == ""
    monkeypatch.setenv("UNISRM_KEY_CHECK", "false")
    assert problems(asking(tmp_path, server)) == ""


def test_a_ledger_that_holds_all_replies_needs_no_key(tmp_path, monkeypatch):
    """The stage that is next knows its questions: with a reply to each of them nobody is asked, and no key is wanted."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    corpus(tmp_path / "corpus", [])
    with openai_server.serving(answer=answer) as server:
        role = {
            "task": "clean_text",
            "name": "openai",
            "options": {"model": "gpt-4.1", "base_url": server.url, "backoff_s": 0.01},
        }
        path = recipe(tmp_path, roles=[role])
        run(open_build(path, str(tmp_path / "ws")), "texts")
        asked = len(server.bodies)
    shutil.rmtree(tmp_path / "ws" / "tables" / "writings@texts")
    shutil.rmtree(tmp_path / "ws" / "stages")
    monkeypatch.delenv("OPENAI_API_KEY")
    build = open_build(path, str(tmp_path / "ws"))
    assert "no API key" in problems(build, "texts"), "what comes before is still to be done, so the questions are not known"
    run(build, "prompts")
    assert problems(build, "texts") == ""
    run(build, "texts")
    assert build.tables.num_rows("writings@texts") == asked > 0
    (tmp_path / "ws" / "ledger.sqlite").unlink()
    shutil.rmtree(tmp_path / "ws" / "tables" / "writings@texts")
    assert "no API key" in problems(build, "texts")
