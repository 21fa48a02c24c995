"""Builds of rated pairs over published corpora in their own layouts, beside what pandas makes of their files."""

from itertools import combinations

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from corpora import miniatures
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from tests.flows.small import run


@pytest.fixture
def build(tmp_path, in_this_process):
    """Return a finished build of SOMOS (clean) and VMC'23, of which the latter is a test set alone."""
    miniatures.somos(tmp_path / "somos", contents=5, systems=3, raters=5)
    miniatures.vmc23(tmp_path / "vmc23", contents=2, systems=2)
    recipe = {
        "kind": "rated_pairs",
        "name": "rated",
        "corpora": [
            {"name": "somos", "reader": "somos", "root": "somos"},
            {"name": "vmc23", "reader": "vmc23", "root": "vmc23", "options": {"license": "LicenseRef-VMC23"}},
        ],
        "scale": "mos",
        "splits": {
            "sets": {
                "train": {"fraction": 1.0, "where": {"corpus_split": ["train", "valid"]}},
                "test": {"quota": 100, "where": {"corpus_split": ["test"]}},
            }
        },
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    opened = open_build(tmp_path / "r.yaml", str(tmp_path / "ws"))
    with opened.workspace.lock():
        run(opened, "release")
    return opened


def test_pairs_of_a_sentence_are_labelled_by_listeners_means(build, tmp_path):
    """Of every two clips of one sentence the one with the higher mean of its clean ratings is better; equal ones are no row."""
    lists = {
        split: pd.read_csv(tmp_path / f"somos/training_files/split1/clean/{split}SET") for split in ("TRAIN", "VALID", "TEST")
    }
    expected = set()
    for split, ratings in lists.items():
        means = ratings.groupby("utteranceId")["choice"].mean()
        for pair in combinations(means.index, 2):
            same = len({name.rpartition("_")[0] for name in pair}) == 1
            if same and means[pair[0]] != means[pair[1]]:
                better = max(pair, key=means.get).removesuffix(".wav")
                expected.add(
                    (frozenset(name.removesuffix(".wav") for name in pair), better, {"TEST": "test"}.get(split, "train"))
                )
    folder = build.workspace.local_path(release_of(build).removeprefix(f"{build.workspace.url}/"))
    tables = [pq.read_table(file) for file in sorted(folder.rglob("*.parquet"))]
    splits = [
        pa.repeat(file.name.partition("-")[0], table.num_rows)
        for file, table in zip(sorted(folder.rglob("*.parquet")), tables, strict=True)
    ]
    rows = pa.concat_tables(
        [table.append_column("split", split) for table, split in zip(tables, splits, strict=True)]
    ).to_pylist()
    somos = [row for row in rows if "VoiceMOS" not in row["source_id_a"]]
    found = {
        (frozenset({row["source_id_a"], row["source_id_b"]}), row[f"source_id_{row['label']}"], row["split"]) for row in somos
    }
    assert found == expected
    assert {row["raters_a"] for row in somos} == {4}
    others = [row for row in rows if "VoiceMOS" in row["source_id_a"]]
    assert {row["split"] for row in others} == {"test"}
    assert {row["source_id_a"][:18] for row in others} == {f"VoiceMOS2023Track{track}" for track in (1, 2, 3)}


def test_every_clip_is_accounted_for(build):
    books = {stage.name: finished(stage, build) for stage in stages_of(build)}
    assert all(books.values())
    assert books["utterances"].dropped == {"foreign_clip": 1}
    assert not any(page.missing for page in books.values())


def _bvcc(folder):
    means = pd.read_csv(next(folder.glob("DATA/sets/train_mos_list.txt")), header=None, index_col=0)[1]
    return means.rename(index=lambda name: name.removesuffix(".wav"))


def _nisqa(folder):
    table = pd.concat(pd.read_csv(file) for file in sorted(folder.glob("*/*_file.csv")))
    return table.set_index(table["db"] + "/deg/" + table["filename_deg"])["mos"]


def _singmos(folder):
    return pd.concat(pd.read_csv(file, header=None, index_col=0)[1] for file in sorted(folder.glob("sets/*_mos_list.txt")))


def _tmhint_qi(folder):
    table = pd.read_csv(folder / "raw_data.csv")
    return table[table["quality_score"] > 0].groupby("file_name")["quality_score"].mean()


@pytest.mark.parametrize(
    ("name", "means", "options"),
    [
        ("bvcc", _bvcc, {"contents": "contents.csv"}),
        ("nisqa", _nisqa, {}),
        ("singmos", _singmos, {"contents": "contents.csv", "language": "zh"}),
        ("tmhint_qi", _tmhint_qi, {"license": "LicenseRef-TMHINT"}),
    ],
)
def test_each_corpus_goes_to_a_release(name, means, options, tmp_path, in_this_process):
    """Ratings are those that pandas reads in the corpus's own files, the higher one is the label, and each clip is released."""
    folder = tmp_path / name
    getattr(miniatures, name)(folder)
    expected = means(folder)
    if "contents" in options:
        lines = [f"{clip},c{number // 3}" for number, clip in enumerate(expected.index)]
        (folder / "contents.csv").write_text("\n".join(["id,content_id", *lines]))
    recipe = {
        "kind": "rated_pairs",
        "name": "rated",
        "corpora": [{"name": name, "reader": name, "root": name, "options": options}],
        "scale": "mos",
        "splits": {"fractions": {"train": 1.0}},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    opened = open_build(tmp_path / "r.yaml", str(tmp_path / "ws"))
    with opened.workspace.lock():
        run(opened, "release")
    root = opened.workspace.local_path(release_of(opened).removeprefix(f"{opened.workspace.url}/"))
    rows = [row for file in sorted(root.rglob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    assert rows
    for row in rows:
        ratings = [expected[row[f"source_id_{side}"]] for side in "ab"]
        assert [row["rating_a"], row["rating_b"]] == pytest.approx(ratings)
        assert row["label"] == ("a" if ratings[0] > ratings[1] else "b")
