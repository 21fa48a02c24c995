"""DailyTalk: order of dialogues and turns, and damaged metadata."""

import json

import pytest

from contracts.errors import DataError
from corpora import emotion_miniatures
from synth.dialogues import openings
from tests.corpora.reading import read


def test_dialogues_and_turns_in_the_order_of_their_numbers(tmp_path):
    """Though the file has them in the order of strings: 0, 1, 10, 2."""
    emotion_miniatures.dailytalk(tmp_path, dialogues=11)
    assert list(json.loads((tmp_path / "metadata.json").read_text()))[:4] == ["0", "1", "10", "2"]
    rows = read("dailytalk", tmp_path)
    assert [row["problem"] for row in rows] == [None] * 38
    assert [(int(row["dialogue_id"]), row["turn"]) for row in rows] == [(d, t + 1) for d in range(11) for t in range(3 + d % 2)]
    row = rows[4]
    columns = ("source_id", "text", "speaker_id", "emotion", "audio_path", "license")
    assert tuple(row[column] for column in columns) == (
        "1_1_d1",
        "No, please sit down.",
        "1",
        "happiness",
        "data/1/1_1_d1.wav",
        "CC-BY-SA-4.0",
    )


def test_histories_are_whole(tmp_path):
    """Every turn but the first has those before it as its history."""
    emotion_miniatures.dailytalk(tmp_path)
    rows = read("dailytalk", tmp_path)
    ids = {row["source_id"]: row["utterance_id"] for row in rows}
    assert openings(rows)["dailytalk", "1"] == [ids[name] for name in ("0_0_d1", "1_1_d1", "2_0_d1", "3_1_d1")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "row 1: wants an object, found '\\[\\]'"),
        ('{\n"0": 3}', "row 2: wants an object, found '3}'"),
        ('{"0": {\n"0": {"text": "a"}}', "row 2: Expecting ',' delimiter"),
        ("[" * 100_000, "restore the file"),
    ],
)
def test_damaged_metadata_are_an_error_with_the_row(text, message, tmp_path):
    emotion_miniatures.dailytalk(tmp_path)
    (tmp_path / "metadata.json").write_text(text)
    with pytest.raises(DataError, match=rf"metadata\.json.*{message}"):
        read("dailytalk", tmp_path)


def test_without_metadata(tmp_path):
    with pytest.raises(DataError, match=r"has no metadata\.json; point root at the folder"):
        read("dailytalk", tmp_path)


def test_a_turn_that_is_no_object_leaves_the_others(tmp_path):
    emotion_miniatures.dailytalk(tmp_path, dialogues=1)
    found = json.loads((tmp_path / "metadata.json").read_text())
    found["0"]["1"] = 3
    text = json.dumps(found, indent=1)
    (tmp_path / "metadata.json").write_text(text)
    rows = read("dailytalk", tmp_path)
    (broken,) = [row for row in rows if row["problem"] == "malformed_turn"]
    line = text.split("\n").index('  "1": 3,') + 1
    assert (broken["source_ref"], broken["problem_detail"]) == (f"metadata.json:{line}", "the turn is no object")
    assert [row["turn"] for row in rows if row["problem"] is None] == [1, 3]
