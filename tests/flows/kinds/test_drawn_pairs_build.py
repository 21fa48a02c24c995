"""A build of drawn pairs over two published corpora in their own layouts: quotas, categories, splits, and labels beside pandas."""

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from contracts.errors import DataError
from corpora import miniatures
from flows.entry.cli import app
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from flows.views.status import status_of
from storage.card import escape
from tests.flows.listeners import listen
from tests.flows.small import run

QUOTAS = {"train": {"somos": 30, "bvcc": 40}, "test": {"somos": 4, "bvcc": 6}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with SOMOS and BVCC; of the latter all splits share five contents, which a file beside it names."""
    made = tmp_path_factory.mktemp("drawn")
    miniatures.somos(made / "somos", contents=9, systems=4, raters=6)
    miniatures.bvcc(made / "bvcc", contents=6, systems=5, raters=6)
    clips = sorted(file.stem for file in (made / "bvcc/DATA/wav").glob("*.wav"))
    lines = [f"{clip},content{place % 5}" for place, clip in enumerate(clips)]
    (made / "bvcc/contents.csv").write_text("\n".join(["id,content_id", *lines, ""]))
    return made


def recipe(folder, **changes):
    literals = {
        "kind": "rated_pairs",
        "name": "drawn",
        "corpora": [
            {"name": "somos", "reader": "somos", "root": str(folder / "somos")},
            {"name": "bvcc", "reader": "bvcc", "root": str(folder / "bvcc"), "options": {"contents": "contents.csv"}},
        ],
        "scale": "mos",
        "pairs": {"categories": {"same_content": 1, "same_speaker_or_system": 1, "neither": 1}},
        "splits": {"sets": {split: {"quota": quota, "where": {"corpus_split": [split]}} for split, quota in QUOTAS.items()}},
    }
    return literals | changes


def built(folder, literals):
    (folder / "r.yaml").write_text(yaml.safe_dump(literals))
    opened = open_build(folder / "r.yaml", str(folder / "ws"))
    with opened.workspace.lock():
        run(opened, "release")
    return opened


def released(build):
    target = build.workspace.local_path(release_of(build).removeprefix(f"{build.workspace.url}/"))
    tables = []
    for file in sorted(target.rglob("*.parquet")):
        rows = pq.read_table(file)
        tables.append(rows.append_column("split", pa.repeat(file.name.partition("-")[0], rows.num_rows)))
    return pa.concat_tables(tables).to_pandas()


@pytest.mark.usefixtures("in_this_process")
def test_quotas_are_met_and_everything_is_told(folder, tmp_path):
    build = built(tmp_path, recipe(folder))
    rows = released(build)
    assert {split: dict(rows[rows["split"] == split]["corpus"].value_counts()) for split in QUOTAS} == QUOTAS
    assert not rows["pair_id"].duplicated().any()
    # A clip is in one split, which is that of its corpus.
    clips = pd.concat(
        [rows[["corpus", f"source_id_{side}", "split"]].set_axis(["corpus", "clip", "split"], axis=1) for side in "ab"]
    )
    assert clips.groupby(["corpus", "clip"])["split"].nunique().max() == 1
    # Categories hold, as written in the released row alone.
    same_content = rows["content_id_a"] == rows["content_id_b"]
    same_system = rows["system_a"] == rows["system_b"]
    assert (rows["category"] == "same_content").equals(same_content)
    assert (rows["category"] == "same_speaker_or_system").equals(~same_content & same_system)
    assert set(rows["category"]) == {"same_content", "same_speaker_or_system", "neither"}
    books = {stage.name: finished(stage, build) for stage in stages_of(build)}
    assert not any(page.missing for page in books.values())
    assert "times as many pairs as the mean of its corpus and split" in books["pairs"].notes[-1]
    notes = [row["state"] for row in status_of(build.as_read_only()) if row["stage"] == "note"]
    assert any("contents of bvcc are in test and in train, as the corpora have them" in note for note in notes)
    card = Path(f"{release_of(build)}/README.md").read_text()
    assert "| bvcc | test | train | 4 |" in card
    row = rows.iloc[0]
    told = CliRunner().invoke(app, ["explain", str(tmp_path / "r.yaml"), row["pair_id"], "--workspace", build.workspace.url])
    assert row["source_ref_a"] in told.output
    _labels_are_those_of_pandas(rows, folder)


def _labels_are_those_of_pandas(rows, folder):
    """Of every pair: the mean of the clip's own lines in the corpus decides."""
    somos = pd.concat([pd.read_csv(file) for file in (folder / "somos/training_files/split1/clean").glob("*SET")])
    somos = somos.assign(clip=somos["utteranceId"].str.removesuffix(".wav"), score=somos["choice"])
    names = ["system", "clip", "score", "listener", "rest"]
    bvcc = pd.concat([pd.read_csv(file, header=None, names=names) for file in (folder / "bvcc/DATA/sets").glob("*SET")])
    bvcc = bvcc.assign(clip=bvcc["clip"].str.removesuffix(".wav"))
    means = pd.concat([frame.groupby("clip")["score"].mean() for frame in (somos, bvcc)])
    a, b = rows["source_id_a"].map(means), rows["source_id_b"].map(means)
    assert (a != b).all()
    assert (rows["label"] == (a > b).map({True: "a", False: "b"})).all()
    assert ((rows["rating_gap"] - (a - b).abs()).abs() < 1e-12).all()


@pytest.mark.usefixtures("in_this_process")
def test_without_splits_of_the_corpora_contents_are_kept_apart(folder, tmp_path):
    """By a hash of the content; a quota is divided evenly over the corpora that have clips there, and what lacks is told."""
    splits = {"quotas": {"train": 200, "test": 100}}
    build = built(tmp_path, recipe(folder, splits=splits, pairs={"categories": {"neither": 1}, "min_gap": 0.5}))
    rows = released(build)
    contents = pd.concat(
        [rows[["corpus", f"content_id_{side}", "split"]].set_axis(["c", "content", "split"], axis=1) for side in "ab"]
    )
    assert contents.groupby(["c", "content"])["split"].nunique().max() == 1
    assert rows["rating_gap"].min() >= 0.5 - 1e-9
    assert set(rows["category"]) == {"neither"}
    notes = " ".join({stage.name: finished(stage, build) for stage in stages_of(build)}["pairs"].notes)
    counted = Counter(zip(rows["corpus"], rows["split"], strict=True))
    corpora = Counter(split for _, split in counted)
    quotas = {cell: {"train": 200, "test": 100}[cell[1]] // corpora[cell[1]] for cell in counted}
    for (corpus, split), quota in quotas.items():
        pairs = counted[corpus, split]
        assert pairs == quota or f"{corpus} {split}: {pairs} of {quota} pairs, as the" in notes
    assert counted != quotas, "one of them has too few clips"


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("pairs", [{"categories": {"neither": 1}}, {}])
def test_a_gap_that_no_pair_has_ends_the_build_at_the_pairs(folder, tmp_path, pairs):
    """Ratings lie between 1 and 5."""
    quotas = {"splits": {"fractions": {"train": 1.0}}} if not pairs else {}
    literals = recipe(folder, pairs=pairs | {"min_gap": 4.5}, **quotas)
    with pytest.raises(DataError, match=r"no two rated clips make a pair.*: lower pairs\.min_gap, which is 4\.5"):
        built(tmp_path, literals)


@pytest.mark.usefixtures("in_this_process")
def test_another_choice_of_pairs_keeps_recordings_and_clips(folder, tmp_path):
    """From all pairs of a content to drawn ones: clips keep their ids, and get other prompts."""
    plain = recipe(folder)
    del plain["pairs"]
    plain["splits"] = {"fractions": {"train": 1.0}}
    build = built(tmp_path, plain)
    before = build.tables.read("samples").to_pylist()
    assert set(released(build)["category"]) == {"same_content"}
    build = built(tmp_path, recipe(folder))
    after = {row["sample_id"]: row for row in build.tables.read("samples").to_pylist()}
    assert after.keys() < {row["sample_id"] for row in before}, (
        "clips of the split that no split of the recipe takes are left out"
    )
    assert all(after[row["sample_id"]]["prompt_id"] != row["prompt_id"] for row in before if row["sample_id"] in after)
    assert Counter(released(build)["split"]) == {split: sum(quota.values()) for split, quota in QUOTAS.items()}


@pytest.mark.usefixtures("in_this_process")
def test_people_check_some_labels_and_change_none(folder, tmp_path):
    """Four listeners on eight pairs, of whom one always disagrees: 24 of 32 votes agree, with an interval, and all pairs stay."""
    listening = {
        "protocol": {"name": "unisrm", "options": {"votes": 4}},
        "of": "check",
        "check_pairs": 8,
        "languages": {"en": "none"},
        "gold_every": 0,
        "qualification": 0,
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe(folder, listening=listening)))
    build = open_build(tmp_path / "r.yaml", str(tmp_path / "ws"))
    with build.workspace.lock():
        waiting = run(build, "release")["label_check"]
        assert str(waiting) == "waiting for votes: 0 of 32"
        labels = {row["item_id"]: row["label"].upper() for row in build.tables.read("labels").to_pylist()}
        for name in ("One", "Two", "Three", "Contrary"):
            listen(
                build, name, lambda pair, name=name: {"A": "B", "B": "A"}[labels[pair]] if name == "Contrary" else labels[pair]
            )
        books = run(build, "release")
    line = "people agree with the label in 75.0 % (95 % interval 75.0 to 75.0) of 32 votes on 8 pairs"
    assert books["label_check"].notes[0].startswith(line)
    assert (
        "their majority in 100.0 % (95 % interval 67.6 to 100.0) of the 8 pairs that have one" in books["label_check"].notes[0]
    )
    rows = released(build)
    assert len(rows) == sum(sum(quota.values()) for quota in QUOTAS.values())
    assert rows["votes"].notna().sum() == 8
    card = Path(f"{release_of(build)}/README.md").read_text()
    assert escape(f"4 listeners cast 32 votes by the protocol unisrm on pairs that were chosen at random: {line}") in card
    done = CliRunner().invoke(app, ["plan", str(tmp_path / "r.yaml"), "--workspace", build.workspace.url, "--json"])
    (planned,) = (row for row in json.loads(done.output) if row["stage"] == "label_check")
    assert (planned["rows"], planned["done"]) == (8, 8)


@pytest.mark.usefixtures("in_this_process")
def test_verified_quotas_are_met_in_every_corpus(folder, tmp_path):
    """Of a verified split more pairs are drawn, and what people confirm is cut to the quota of each corpus."""
    quotas = {"train": {"bvcc": 20}, "test": {"somos": 3, "bvcc": 6}}
    sets = {split: {"quota": quota, "where": {"corpus_split": [split]}} for split, quota in quotas.items()}
    listening = {
        "protocol": "unisrm",
        "of": "splits",
        "splits": ["test"],
        "languages": {"en": "none"},
        "gold_every": 0,
        "qualification": 0,
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe(folder, listening=listening, splits={"sets": sets})))
    build = open_build(tmp_path / "r.yaml", str(tmp_path / "ws"))
    with build.workspace.lock():
        waiting = run(build, "release")["verification"]
        assert waiting.wanted == 3 * (5 + 9), "one and a half times the quota of each corpus, rounded up"
        labels = {row["item_id"]: row["label"].upper() for row in build.tables.read("labels").to_pylist()}
        for name in ("One", "Two", "Three"):
            listen(build, name, labels.__getitem__)
        books = run(build, "release")
    assert books["verification"].dropped == {"over_quota": 2 + 3}
    rows = released(build)
    assert {split: dict(rows[rows["split"] == split]["corpus"].value_counts()) for split in quotas} == quotas
