"""Versions: what is mixed is said, and a demanded one is kept to."""

import pyarrow as pa
import pytest

from contracts.errors import RecipeError, SetupError
from flows.entry.preflight import check_machine
from flows.run.item_tables import PAIRS
from flows.run.kind import stages_of
from flows.run.pipeline import open_build
from flows.run.plugin_versions import mixed_versions, released_mixed, version_rows
from flows.stages.release import recipe_literals
from flows.views.status import status_of
from scoring.metrics.prosody import Prosody
from synth.engines.flite import Flite
from synth.render import RenderJob
from tests.flows.small import corpus, recipe, run

VERSIONED = ("samples", "metrics", "judgments")
FLITE = Flite().installed_version()
PROSODY = Prosody().installed_version()
ESPEAK = {"name": "espeak", "engine": "espeak", "voices": ["en-us"]}
FLITES = {"name": "flite", "engine": "flite", "voices": ["kal16"]}


def opened(folder, **changes):
    return open_build(recipe(folder, **changes), str(folder / "ws"))


def relabel(build, table: str, column: str, version: str, of) -> list[str]:
    """Say that the first two rows that ``of`` chooses were made by another version, and return their ids."""
    rows = build.tables.read(table).to_pylist()
    chosen = [row for row in rows if of(row)][:2]
    for row in chosen:
        row[column] = version
    build.tables.replace(table, pa.Table.from_pylist(rows, schema=build.tables.read(table).schema))
    return [row["sample_id"] for row in chosen]


def test_one_version_each_is_nothing_to_speak_of(tmp_path, paired_copy):
    assert mixed_versions(opened(tmp_path)) == []


def test_a_workspace_without_rows_has_nothing_mixed(tmp_path):
    corpus(tmp_path / "corpus", [])
    build = opened(tmp_path)
    assert version_rows(build) == []
    assert {row["state"] for row in status_of(build)} == {"not begun"}


def test_what_two_versions_made_is_counted(tmp_path, paired_copy):
    """Over the workspace for ``status``, over the released pairs for the card."""
    build = opened(tmp_path)
    lost = relabel(build, "samples", "engine_version", "flite-99.0", lambda row: row["system"] == "flite")
    relabel(build, "metrics", "model_version", "0", lambda row: True)
    made = sum(row["system"] == "flite" for row in build.tables.read("samples").to_pylist())
    measured = build.tables.num_rows("metrics")
    assert version_rows(build) == [
        {"mixed": "system flite", "versions": {FLITE: made - 2, "flite-99.0": 2}},
        {"mixed": "metric prosody", "versions": {"0": 2, PROSODY: measured - 2}},
    ]
    pairs = PAIRS.rows(build)
    without = pairs.filter(pa.array([not {row["sample_a"], row["sample_b"]} & set(lost) for row in pairs.to_pylist()]))
    assert [one.what for one in released_mixed([(build, pairs)], PAIRS.samples, VERSIONED)] == [
        "system flite",
        "metric prosody",
    ]
    assert "system flite" not in [one.what for one in released_mixed([(build, without)], PAIRS.samples, VERSIONED)]


def test_samples_of_another_version_are_refused_before_any_work(tmp_path, paired_copy):
    """Judgments and votes are about them, so they are not replaced in silence; under another name all are made anew."""
    build = opened(tmp_path, systems=[ESPEAK, FLITES | {"version": FLITE}])
    relabel(build, "samples", "engine_version", "flite-99.0", lambda row: row["system"] == "flite")
    with pytest.raises(SetupError, match=r"system flite: 2 of its samples were made by the version 'flite-99.0'") as caught:
        check_machine(build, stages_of(build)[:8])
    assert "give the system another name" in str(caught.value)
    other = opened(tmp_path, systems=[ESPEAK, FLITES | {"name": "flite-2", "version": FLITE}])
    assert "samples" in check_machine(other, stages_of(other)[:8])


def test_an_engine_of_another_version_is_refused_before_any_work(tmp_path):
    """By the machine before anything starts, by a worker before it speaks, and a metric likewise."""
    corpus(tmp_path / "corpus", [])
    build = opened(tmp_path, systems=[ESPEAK, FLITES | {"version": "99.0"}], metrics=[{"name": "prosody", "version": "7"}])
    with pytest.raises(SetupError) as caught:
        check_machine(build, stages_of(build)[:8])
    for line in (
        f"system flite has the version {FLITE!r} here, the recipe demands '99.0': install that one",
        f"metric prosody has the version {PROSODY!r} here, the recipe demands '7': install that one",
    ):
        assert line in str(caught.value)
    job = RenderJob(engine="flite", options="{}", system="flite", audio=None, workspace_url=str(tmp_path), version="99.0")
    with pytest.raises(SetupError, match="system flite has the version"):
        job.open()


def test_what_a_metric_of_another_version_measured_is_measured_again(tmp_path, paired_copy, in_this_process):
    """Only that, under keys of its own: nothing is removed, and without the demand all is as it was."""
    build = opened(tmp_path)
    stale = relabel(build, "metrics", "model_version", "0", lambda row: True)
    before = build.tables.num_rows("metrics")
    demanding = opened(tmp_path, metrics=[{"name": "prosody", "version": PROSODY}])
    books = run(demanding, "metrics")["metrics"]
    assert (books.rows_in, books.rows_out, books.failed) == (before, before, {})
    assert demanding.tables.num_rows("metrics") == before + 2
    assert mixed_versions(demanding) == []
    again = demanding.tables.read("metrics").to_pylist()
    for sample in stale:
        versions = [row for row in again if row["sample_id"] == sample]
        assert sorted(row["model_version"] for row in versions) == ["0", PROSODY]
        assert versions[0]["values"] == versions[1]["values"]
    without = opened(tmp_path)
    run(without, "metrics")
    assert without.tables.num_rows("metrics") == before + 2
    assert [one.what for one in mixed_versions(without)] == ["metric prosody"]


def test_a_recipe_without_the_key_is_the_one_that_it_was(tmp_path):
    """Its digest and the marks of its stages would change otherwise."""
    (tmp_path / "corpus").mkdir()
    literals = recipe_literals(opened(tmp_path))
    assert all("version" not in part for part in [*literals["systems"], *literals["metrics"]])
    demanding = recipe_literals(opened(tmp_path, systems=[FLITES | {"version": "2.2"}]))
    assert demanding["systems"][0]["version"] == "2.2"


def test_a_version_is_written_in_quotes(tmp_path):
    (tmp_path / "corpus").mkdir()
    with pytest.raises(RecipeError, match=r"systems\.0\.version: write it in quotes: without them YAML reads a number, 2\.1$"):
        opened(tmp_path, systems=[FLITES | {"version": 2.10}])
