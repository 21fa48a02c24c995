"""Metrics are measured while clips are made, if the build comes to them, and the stage ``metrics`` finds them done."""

import threading
from dataclasses import replace

import pytest

from contracts.errors import BudgetExceeded, SetupError
from flows.run import work_ahead
from flows.run.kind import stages_of
from flows.run.marks import execute
from flows.run.pipeline import open_build
from flows.run.progress import Lines
from flows.stages import samples
from scoring.measure import MeasureJob, MeasureSession
from tests.annotate import openai_asking, openai_server
from tests.annotate.openai_server import Options
from tests.flows.small import corpus, recipe, run

api_key = openai_asking.api_key
pytestmark = pytest.mark.usefixtures("in_this_process")

COMING = frozenset({"metrics", "pairs"})


@pytest.fixture
def build(tmp_path):
    corpus(tmp_path / "corpus", [])
    return open_build(recipe(tmp_path), str(tmp_path / "ws"))


@pytest.fixture
def measured(monkeypatch):
    """The samples that a metric measured, in order."""
    found = []
    plain = MeasureSession.run
    monkeypatch.setattr(
        MeasureSession, "run", lambda self, batch: found.extend(batch["subject_id"].to_pylist()) or plain(self, batch)
    )
    return found


def up_to_samples(build, to_come=COMING):
    run(build, "recordings")
    stage = next(stage for stage in stages_of(build) if stage.name == "samples")
    return execute(stage, replace(build, to_come=to_come))


def rows(build, name):
    key = {"metrics": "metric_key", "samples": "sample_id"}[name]
    return sorted(build.tables.read(name).to_pylist(), key=lambda row: row[key])


def test_the_stage_finds_what_was_measured_ahead(build, measured, tmp_path):
    """Each clip is measured once, and the tables are those of one stage after the other."""
    assert up_to_samples(build).rows_out == 15
    assert sorted(measured) == sorted(row["sample_id"] for row in rows(build, "samples"))
    books = run(build)
    assert books["metrics"].rows_out == books["metrics"].rows_in == len(measured) == 15
    other = open_build(tmp_path / "small.yaml", str(tmp_path / "other"))
    run(other)
    assert rows(build, "metrics") == rows(other, "metrics")
    assert build.tables.read("pairs").equals(other.tables.read("pairs"))


@pytest.mark.parametrize("to_come", [frozenset(), {"pairs"}])
def test_a_build_that_ends_before_the_metrics_measures_nothing(build, measured, to_come):
    up_to_samples(build, frozenset(to_come))
    assert measured == []
    assert not build.tables.parts("metrics")


def test_clips_of_a_build_that_was_killed_are_measured_while_the_others_are_made(build, measured, monkeypatch):
    """Once, although the first run measured some of them."""
    plain = samples.RenderJob.open

    def killed(job):
        if job.system == "flite":
            raise KeyboardInterrupt
        return plain(job)

    monkeypatch.setattr(samples.RenderJob, "open", killed)
    with pytest.raises(KeyboardInterrupt):
        up_to_samples(build)
    monkeypatch.setattr(samples.RenderJob, "open", plain)
    assert up_to_samples(build).rows_out == 15
    assert sorted(measured) == sorted(row["sample_id"] for row in rows(build, "samples"))
    assert run(build)["metrics"].rows_out == 15 == len(measured)


def test_too_many_are_left_to_the_stage(build, measured, monkeypatch):
    monkeypatch.setattr(work_ahead, "_MOST_ROWS", 3)
    up_to_samples(build)
    assert 0 < len(measured) < 15
    assert run(build)["metrics"].rows_out == 15 == len(measured)


def test_another_metric_leaves_the_clips_as_they_are(build, tmp_path):
    """The stage ``samples`` reads the metrics of the recipe, but none of its rows hangs on them."""
    up_to_samples(build)
    changed = open_build(recipe(tmp_path, metrics=[{"name": "prosody"}, {"name": "dnsmos"}]), str(tmp_path / "ws"))
    stage = next(stage for stage in stages_of(changed) if stage.name == "samples")
    assert samples.STAGE.settings(changed) == samples.STAGE.settings(build)
    assert execute(stage, changed) == execute(stage, build)


def test_a_metric_that_cannot_be_opened_ends_the_build_early(build, monkeypatch):
    """It would end it after hours of synthesis; the clips that are there stay."""

    def lost(job):
        raise SetupError(f"metric {job.metric}: the model file is gone")

    monkeypatch.setattr(MeasureJob, "open", lost)
    with pytest.raises(SetupError, match="metric prosody: the model file is gone"):
        up_to_samples(build)
    assert rows(build, "samples")


def far_build(tmp_path, server, **options):
    options = {"model": "tts-1", "base_url": server.url, "backoff_s": 0.01} | options
    corpus(tmp_path / "corpus", [])
    systems = [{"name": "far", "engine": "openai_speech", "voices": ["nova"], "options": options}]
    return open_build(recipe(tmp_path, systems=systems), str(tmp_path / "ws"))


def test_clips_of_a_service_are_measured_while_it_is_waited_for(tmp_path, measured, monkeypatch):
    """There is no engine beside it: the workers have nothing else to do."""
    with openai_server.serving(Options(usd_per_million_characters=15.0)) as server:
        build = far_build(tmp_path, server)
        threads = set()
        plain = MeasureSession.run
        monkeypatch.setattr(
            MeasureSession, "run", lambda self, batch: threads.add(threading.current_thread().name) or plain(self, batch)
        )
        assert up_to_samples(build).rows_out == 10
    assert threads == {"meanwhile"}
    assert len(measured) == 10


def test_a_used_up_budget_ends_with_what_is_there_measured(tmp_path, measured):
    with openai_server.serving(Options(usd_per_million_characters=15.0)) as server:
        build = far_build(tmp_path, server, usd_per_million_characters=200_000.0, concurrency=1)
        with pytest.raises(BudgetExceeded):
            up_to_samples(build)
    assert sorted(measured) == [row["sample_id"] for row in rows(build, "samples")]


def test_progress_tells_what_was_done_ahead(build, capsys):
    up_to_samples(build.watched_by(Lines()))
    lines = capsys.readouterr().err.splitlines()
    last = [line for line in lines if line.startswith("samples:")][-1]
    assert [line.split(":")[0] for line in lines[lines.index(last) + 1 :]] == ["  espeak", "  flite", "  prosody"]
    assert last.startswith("samples: 10 done, 0 failed, in ")
    assert last.endswith("; metrics: 15/15 already")
