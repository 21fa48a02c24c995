"""SingMOS: means, systems, and languages that only options say."""

import pytest

from contracts.errors import DataError
from corpora import miniatures
from tests.corpora import damaged, dummies
from tests.corpora.reading import by_id, read


def test_means_are_those_of_the_lists(tmp_path):
    miniatures.singmos(tmp_path, clips=4, systems=2)
    rows = read("singmos", tmp_path, language="zh", languages={"sys0002": "ja"})
    lines = [
        (split, line.split(","))
        for split in ("train", "val", "eval")
        for line in (tmp_path / f"sets/{split}_mos_list.txt").read_text().splitlines()
    ]
    assert [(row["split"], row["source_id"], row["ratings"][0]["score"]) for row in rows] == [
        (split, name, float(mean)) for split, (name, mean) in lines
    ]
    assert [row["system"] for row in rows] == [name.split("-")[2] for _, (name, _) in lines]
    assert [row["language"] for row in rows] == ["zh", "ja"] * 4
    assert {(row["content_id"], row["speaker_id"], row["style"], row["license"]) for row in rows} == {
        (None, None, "expressive", "CC-BY-4.0")
    }


def test_a_language_that_nobody_states_is_a_problem_that_says_what_to_do(tmp_path):
    damaged.singmos(tmp_path)
    rows = by_id(read("singmos", tmp_path))
    row = rows["voicemos2024-track2-sys0002-utt0002"]
    assert (row["language"], row["problem"]) == ("und", "missing_language")
    assert row["problem_detail"] == "the corpus does not say the language: set the option language"


def test_contents_come_from_a_file_of_their_own(tmp_path):
    miniatures.singmos(tmp_path, clips=1, systems=2)
    names = [f"voicemos2024-track2-sys000{n}-utt000{n}" for n in (1, 2)]
    dummies.put(tmp_path / "songs.csv", "".join(f"{line}\n" for line in ("id,content_id", *(f"{name},song" for name in names))))
    assert [row["content_id"] for row in read("singmos", tmp_path, language="ja", contents="songs.csv")] == ["song", "song"]


def test_a_folder_without_lists_is_an_error(tmp_path):
    dummies.put(tmp_path / "wav/x.wav", b"")
    with pytest.raises(
        DataError, match=r"sets has none of train_mos_list\.txt, val_mos_list\.txt, eval_mos_list\.txt; point root"
    ):
        read("singmos", tmp_path)
