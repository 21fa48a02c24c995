"""BVCC: ratings per listener, means beside them, names and contents."""

import statistics

import pytest

from contracts.errors import DataError
from corpora import miniatures
from tests.corpora import damaged, dummies
from tests.corpora.reading import by_id, read, scores_of


def test_ratings_are_those_of_the_sets(tmp_path):
    """Every line of the three sets is one rating; system, split and rater are what it says."""
    miniatures.bvcc(tmp_path, contents=4, systems=3, raters=5)
    rows = by_id(read("bvcc", tmp_path))
    assert [row["split"] for row in rows.values()] == ["train"] * 6 + ["dev"] * 3 + ["test"] * 3
    expected = dict[str, dict[str, float]]()
    for name in ("TRAINSET", "DEVSET", "TESTSET"):
        for line in (tmp_path / "DATA/sets" / name).read_text().splitlines():
            system, clip, score, _, listener = line.split(",")
            assert rows[clip[:-4]]["system"] == system
            expected.setdefault(clip[:-4], {})[listener.split("_")[2]] = float(score)
    assert {name: scores_of(row, "mos") for name, row in rows.items()} == expected
    assert {(row["speaker_id"], row["content_id"], row["text"]) for row in rows.values()} == {(None, None, None)}
    assert {row["license"] for row in rows.values()} == {"LicenseRef-BVCC"}
    for name, row in rows.items():
        means = (tmp_path / f"DATA/sets/{'val' if row['split'] == 'dev' else row['split']}_mos_list.txt").read_text()
        assert f"{name}.wav,{statistics.fmean(expected[name].values())}\n" in means


def test_means_stand_in_where_single_ratings_are_not_there(tmp_path):
    """As before the challenge published its test set."""
    miniatures.bvcc(tmp_path)
    (tmp_path / "DATA/sets/TESTSET").unlink()
    rows = [row for row in read("bvcc", tmp_path) if row["split"] == "test"]
    lines = (tmp_path / "DATA/sets/test_mos_list.txt").read_text().splitlines()
    assert [f"{row['source_id']}.wav,{row['ratings'][0]['score']}" for row in rows] == lines
    assert {(len(row["ratings"]), row["ratings"][0]["rater"], row["ratings"][0]["raters"]) for row in rows} == {(1, None, None)}


def test_damage_leaves_the_other_ratings_of_a_clip(tmp_path):
    """A listener's first rating counts; bad lines say what is wrong with them."""
    damaged.bvcc(tmp_path)
    rows = by_id(read("bvcc", tmp_path))
    assert scores_of(rows["sys64e2f-utt0000001"], "mos") == {"bZPQE7w4Zl3g": 4.0}
    details = {
        key.rpartition(":")[2]: row["problem_detail"] for key, row in rows.items() if key.startswith("DATA/sets/TESTSET:")
    }
    assert details == {
        "3": "mos: 0 is not from 1 to 5",
        "4": "mos: no score",
        "5": "mos: 'good' is no finite number",
        "7": "mos: bZPQE7w4Zl3g has rated sys64e2f-utt0000001 before",
        "8": "'somebody' names no listener",
        "9": "4 fields, not system, clip, rating, test and listener",
        "10": "'sys00000-utt0000001.wav' of 'sys64e2f' is no sysXXXXX-uttYYYYYYY.wav",
        "11": "'../sys64e2f-utt0000001.wav' of 'sys64e2f' is no sysXXXXX-uttYYYYYYY.wav",
        "13": "mos: 7 is not from 1 to 5",
    }


def test_contents_come_from_a_file_of_their_own(tmp_path):
    """Names do not say which clips speak one text."""
    miniatures.bvcc(tmp_path, contents=2, systems=2)
    first, second, *_ = (row["source_id"] for row in read("bvcc", tmp_path))
    dummies.put(tmp_path / "contents.csv", f"id,content_id\n{first},c1\n{second}.wav,c1\n")
    rows = by_id(read("bvcc", tmp_path, contents="contents.csv"))
    assert {name: row["content_id"] for name, row in rows.items() if row["content_id"]} == {first: "c1", second: "c1"}
    # An empty name is none: two clips without one say nothing of each other.
    dummies.put(tmp_path / "contents.csv", f"id,content_id\n{first},\n{second}.wav,\n")
    rows = by_id(read("bvcc", tmp_path, contents="contents.csv"))
    assert [rows[name]["content_id"] for name in (first, second)] == [None, None]
    with pytest.raises(DataError, match=r"other\.csv is missing; correct the option contents"):
        read("bvcc", tmp_path, contents="other.csv")


def test_a_folder_without_sets_is_an_error(tmp_path):
    dummies.put(tmp_path / "wav/x.wav", b"")
    with pytest.raises(DataError, match=r"has none of DATA/sets/TRAINSET.* point root at the folder that holds DATA"):
        read("bvcc", tmp_path)
