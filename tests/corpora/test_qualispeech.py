"""QualiSpeech: seven aspects, descriptions as references, and BVCC's clips."""

import csv

import pytest

from contracts.errors import DataError
from corpora import miniatures
from tests.corpora import damaged, dummies
from tests.corpora.reading import by_id, read

DESCRIPTIONS = {
    "Noise Description": "noise_description",
    "Distortion description": "distortion_description",
    "Unnatural pause": "unnatural_pause",
    "Feeling of voice": "feeling_of_voice",
    "Natural language description": "natural_language_description",
}
ASPECTS = ("Speed", "Naturalness", "Background noise", "Distortion", "Listening effort", "Continuity", "Overall quality")


def test_scores_and_descriptions_are_those_of_the_tables(tmp_path):
    miniatures.qualispeech(tmp_path, clips=2)
    rows = by_id(read("qualispeech", tmp_path, license="CC-BY-NC-SA-4.0"))
    found = 0
    for split in ("train", "val", "test"):
        with (tmp_path / f"{split}.csv").open(newline="") as file:
            for line in csv.DictReader(file):
                row = rows[line["id"].removesuffix(".wav")]
                assert [(rating["scale"], rating["score"]) for rating in row["ratings"]] == [
                    (aspect.lower().replace(" ", "_"), float(line[aspect])) for aspect in ASPECTS
                ]
                assert row["references"] == [line["Natural language description"]]
                assert dict(row["descriptions"]) == {
                    name: line[column] for column, name in DESCRIPTIONS.items() if line[column] not in {"", "None"}
                }
                assert (row["split"], row["audio_path"]) == (split, f"wav/{split}/{line['id']}")
                assert row["system"] == line["id"].split("-")[0]
                found += 1
    assert found == len(rows) == 9


def test_clips_of_bvcc_that_were_not_merged_in_say_where_they_come_from(tmp_path):
    damaged.qualispeech(tmp_path)
    missing = [row for row in read("qualispeech", tmp_path, license="MIT") if row["problem"] == "missing_bvcc_clip"]
    assert [row["split"] for row in missing] == ["train", "val", "test"]
    name = missing[0]["source_id"]
    assert (
        missing[0]["problem_detail"]
        == f"{name}.wav is BVCC's and must be merged in: copy it from BVCC's DATA/wav to wav/train/{name}.wav"
    )


def test_the_last_column_may_be_cut_off(tmp_path):
    """Copies of the table have its name cut off; one that is not there is an error."""
    miniatures.qualispeech(tmp_path, clips=1)
    text = (tmp_path / "val.csv").read_text()
    (tmp_path / "val.csv").write_text(text.replace("Natural language description\n", "Natural language desc\n"))
    assert len(read("qualispeech", tmp_path, license="MIT")[2]["references"]) == 1
    (tmp_path / "val.csv").write_text(text.replace("Natural language description\n", "Summary\n"))
    with pytest.raises(DataError, match=r"val\.csv, header: wants one column whose name begins with 'natural language desc'"):
        read("qualispeech", tmp_path)


def test_a_folder_without_tables_is_an_error(tmp_path):
    dummies.put(tmp_path / "wav/train/x.wav", b"")
    with pytest.raises(DataError, match=r"none of train\.csv, val\.csv and test\.csv"):
        read("qualispeech", tmp_path)


@pytest.mark.parametrize("nothing", ["", "  ", "None", "nan", " N/A"])
def test_what_stands_for_no_description_is_no_reference(tmp_path, nothing):
    """A model would learn to answer ``None``."""
    miniatures.qualispeech(tmp_path, clips=1)
    damaged.rewrite(tmp_path / "val.csv", lambda rows: rows[0].update({"Natural language description": nothing}))
    row = next(row for row in read("qualispeech", tmp_path, license="MIT") if row["source_ref"] == "val.csv:2")
    assert (row["references"], row["problem"]) == (None, "missing_reference")


def test_a_table_without_a_description_is_an_error(tmp_path):
    """A column of another name would leave all rows without it, and nobody would see."""
    miniatures.qualispeech(tmp_path, clips=1)
    text = (tmp_path / "val.csv").read_text()
    (tmp_path / "val.csv").write_text(text.replace("Unnatural pause", "Pauses"))
    with pytest.raises(DataError, match=r"val\.csv, header: wants one column whose name begins with 'unnatural pause'"):
        read("qualispeech", tmp_path)
