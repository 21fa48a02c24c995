"""A build of rated pairs, from a manifest of rated clips to a release, beside what pandas makes of the same files."""

import csv
import json
import shutil
from itertools import combinations
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from contracts.errors import RecipeError
from corpora.dummies import rated_manifest
from flows.entry.cli import app
from flows.run.books import in_words
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from flows.views.status import status_of
from tests.flows.small import run

SPLITS = {
    "train": {"fraction": 1.0, "where": {"corpus_split": ["train"]}},
    "test": {"quota": 50, "where": {"corpus_split": ["test"]}},
}


@pytest.fixture
def build(tmp_path, in_this_process):
    """Return a finished build: eight contents by three systems, of which the last content is the corpus's test."""
    rated_manifest(tmp_path / "mos", contents=8, systems=3, raters=4)
    return built(tmp_path)


def built(tmp_path, splits=SPLITS):
    """Return the finished build of the corpus that is there."""
    recipe = {
        "kind": "rated_pairs",
        "name": "rated",
        "corpora": [{"name": "mos", "reader": "manifest", "root": "mos", "options": {"text": "optional"}}],
        "scale": "mos",
        "splits": {"sets": splits},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    opened = open_build(tmp_path / "r.yaml", str(tmp_path / "ws"))
    with opened.workspace.lock():
        run(opened, "release")
    return opened


def released(build):
    """Return the released rows, with their split."""
    folder = build.workspace.local_path(release_of(build).removeprefix(f"{build.workspace.url}/"))
    tables = []
    for file in sorted(folder.rglob("*.parquet")):
        rows = pq.read_table(file)
        tables.append(rows.append_column("split", pa.repeat(file.name.partition("-")[0], rows.num_rows)))
    return pa.concat_tables(tables).to_pandas()


def test_labels_are_those_of_an_independent_script(build, tmp_path):
    """Mean per clip from the single ratings, every two clips of a content, the higher mean is better; equal ones are no row."""
    means = pd.read_csv(tmp_path / "mos" / "ratings.csv").groupby("id")["score"].mean()
    clips = pd.read_csv(tmp_path / "mos" / "manifest.csv").set_index("id")
    expected = {
        frozenset(pair): (max(pair, key=means.get), clips.loc[pair[0], "split"])
        for _, group in clips[clips["split"] != "dev"].groupby("content_id")
        for pair in combinations(group.index, 2)
        if means[pair[0]] != means[pair[1]]
    }
    rows = released(build)
    found = {
        frozenset({row.source_id_a, row.source_id_b}): (row[f"source_id_{row.label}"], row.split) for _, row in rows.iterrows()
    }
    assert found == expected
    gaps = (rows["source_id_a"].map(means) - rows["source_id_b"].map(means)).abs()
    assert (rows["rating_gap"] - gaps).abs().max() < 1e-12
    assert set(rows["raters_a"]) == {4}
    assert set(rows["label_source"]) == {"ratings"}


def test_a_clip_under_two_ids_is_no_pair(tmp_path, in_this_process):
    """One recording as two rows with other ratings: both stand against the third clip, never against each other."""
    folder = rated_manifest(tmp_path / "mos", contents=2, systems=2, raters=2)
    with (folder / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    one = next(row for row in rows if row["split"] == "test")
    shutil.copy(folder / one["audio"], folder / "clips/again.wav")
    rows.append(one | {"id": "again", "audio": "clips/again.wav", "rating.mos": "1.5"})
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    build = built(tmp_path, {"train": {"fraction": 1.0}})
    books = books_of(build)
    assert books["pairs"].dropped == {"same_audio": 1}
    (drop,) = build.tables.read("drops@pairs").to_pylist()
    audio = dict(zip(*(build.tables.read("samples")[name].to_pylist() for name in ("sample_id", "audio_id")), strict=True))
    pairs = build.tables.read("pairs").to_pylist()
    assert len(pairs) == 1 + 2
    assert all(audio[row["sample_a"]] != audio[row["sample_b"]] for row in pairs)
    told = CliRunner().invoke(app, ["explain", str(tmp_path / "r.yaml"), "again", "--workspace", build.workspace.url])
    assert "same_audio" in told.output
    assert json.loads(drop["evidence"])["audio_id"] in audio.values()


def test_every_clip_is_accounted_for_and_nothing_is_done_twice(build):
    books = books_of(build)
    assert all(books.values())
    assert not any(page.missing for page in books.values())
    assert books["release"].rows_out == len(released(build))
    again = open_build(build.workspace.local_path("..") / "r.yaml", build.workspace.url)
    assert all(finished(stage, again) for stage in stages_of(again))


def test_the_story_of_a_row_goes_back_to_the_line_of_the_corpus(build, tmp_path):
    row = released(build).iloc[0]
    told = CliRunner().invoke(
        app, ["explain", str(tmp_path / "r.yaml"), row["pair_id"], "--workspace", build.workspace.url, "--json"]
    )
    assert told.exit_code == 0, told.output
    assert row["source_ref_a"] in json.dumps(json.loads(told.output))


def test_a_split_whose_condition_nothing_meets_is_an_error(tmp_path, in_this_process):
    """A misspelt value ends the build before the release, and says which values there are."""
    rated_manifest(tmp_path / "mos", contents=4, systems=2, raters=2)
    wrong = SPLITS | {"bench": {"quota": 5, "where": {"corpus_split": ["tset", "Test"]}}}
    with pytest.raises(RecipeError) as caught:
        built(tmp_path, wrong)
    assert str(caught.value) == (
        "splits.sets.bench.where: none of 4 labelled pairs has corpus_split tset or Test; corpus_split is dev, test, train: "
        "correct the condition, or set splits.sets.bench.allow_empty to true"
    )


def test_an_empty_split_is_told_where_people_look(tmp_path, in_this_process, monkeypatch):
    """At the end of a build, also of one that has nothing to do, in the books and in the card."""
    monkeypatch.chdir(tmp_path)
    rated_manifest(tmp_path / "mos", contents=4, systems=2, raters=2)
    empty = SPLITS | {
        "bench": {"quota": 5, "where": {"corpus_split": ["bench"]}, "allow_empty": True},
        "more": {"quota": 1, "where": {"corpus_split": ["test"]}},
    }
    build = built(tmp_path, empty)
    note = "split bench is empty (where: corpus_split bench)"
    (other,) = {split for split in ("more", "test") if f"split {split} is empty" in in_words([books_of(build)["splits"]])[0]}
    told = CliRunner().invoke(app, ["build", "r.yaml", "--workspace", "ws"])
    assert told.exit_code == 0, told.output
    assert f"unisrm-data: {note}\n" in told.stderr
    assert told.stderr.count("bench is empty") == 1
    assert books_of(build)["release"].notes == books_of(build)["splits"].notes
    assert note in [row["state"] for row in status_of(build.as_read_only()) if row["stage"] == "note"]
    card = Path(f"{release_of(build)}/README.md").read_text()
    assert "Without rows: rated\\_pairs" in card
    assert all(f"rated\\_pairs {split}" in card for split in ("bench", other))


def books_of(build):
    return {stage.name: finished(stage, build) for stage in stages_of(build)}


def planned(tmp_path, **changes):
    """Return the outcome of ``plan`` of the recipe with changes, and its lines by stage."""
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load((tmp_path / "r.yaml").read_text()) | changes))
    done = CliRunner().invoke(app, ["plan", str(path), "--workspace", str(tmp_path / "ws"), "--json"])
    return done, {line["stage"]: line for line in json.loads(done.output)} if done.exit_code == 0 else {}


def test_a_plan_counts_what_is_done(build, tmp_path):
    """All of it after a build; another seed needs no recording anew."""
    _, lines = planned(tmp_path)
    assert {stage: (line["rows"], line["done"]) for stage, line in lines.items()} == {
        "utterances": (24, 24),
        "contents": (24, 24),
        "recordings": (24, 24),
        "pairs": (24, 24),
        "release": (len(released(build)),) * 2,
    }
    assert {line["disk_mb"] for line in lines.values()} == {0.0}
    _, lines = planned(tmp_path, seed=7, metrics=[{"name": "prosody"}])
    counted = {stage: (line["rows"], line["done"]) for stage, line in lines.items()}
    assert counted["recordings"] == (24, 24)
    assert counted["metrics prosody"] == (24, 0)
    assert counted["pairs"] == (24, 0)


def test_a_plan_ends_as_a_build_would_where_no_clip_can_be_used(build, tmp_path):
    done, _ = planned(tmp_path, scale="naturalness")
    assert done.exit_code != 0
    assert "can stand in a pair (no_rating 24)" in str(done.exception)
    assert "scale 'naturalness'" in str(done.exception)
    assert "the corpora have ratings on mos: correct" in str(done.exception)


@pytest.mark.parametrize("command", [["plan"], ["status"], ["report"]])
def test_commands_that_look_know_the_kind(build, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [*command, str(tmp_path / "r.yaml"), "--workspace", build.workspace.url])
    assert done.exit_code == 0, done.output
