"""TMHINT-QI: means over lines without raters, lines without a usable score, folders as splits."""

import pandas as pd
import pytest

from contracts.errors import DataError
from corpora import miniatures
from tests.corpora import damaged, dummies
from tests.corpora.reading import by_id, read


def test_means_are_those_of_pandas(tmp_path):
    """Means, numbers and sample deviations of all lines of a clip but those without a score or with the score 0."""
    miniatures.tmhint_qi(tmp_path, contents=3, raters=4)
    table = pd.read_csv(tmp_path / "raw_data.csv")
    usable = table[table["quality_score"].between(1, 5)]
    assert len(table) - len(usable) == 2
    rows = [row for row in read("tmhint_qi", tmp_path, license="MIT") if row["problem"] is None]
    scales = {
        "mos": usable.groupby("file_name")["quality_score"],
        "intelligibility": table.groupby("file_name")["intelligibility_score"],
    }
    for row in rows:
        for rating in row["ratings"]:
            of_clip = scales[rating["scale"]].get_group(row["source_id"])
            assert rating["score"] == pytest.approx(of_clip.mean())
            assert (rating["raters"], rating["rater"]) == (len(of_clip), None)
            assert rating["std"] == pytest.approx(of_clip.std())
    assert [row["source_id"] for row in rows] == list(table["file_name"].unique())


def test_names_are_read_from_the_columns(tmp_path):
    miniatures.tmhint_qi(tmp_path, contents=3)
    rows = by_id(read("tmhint_qi", tmp_path, license="MIT"))
    named = ("system", "condition", "speaker_id", "content_id", "split", "audio_path", "language")
    expected = {
        "clean_TMHINT_g4_20_01": (None, None, "g4", "TMHINT_20_01", "train", "train/clean_TMHINT_g4_20_01.wav", "zh"),
        "FCN_street_snr0_TMHINT_b2_21_02": (
            *("FCN", "street 0 dB", "b2", "TMHINT_21_02", "train"),
            *("train/FCN_street_snr0_TMHINT_b2_21_02.wav", "zh"),
        ),
        "Noisy_pink_snr2_TMHINT_g4_22_03": (
            *(None, "pink 2 dB", "g4", "TMHINT_22_03", "test"),
            *("test/Noisy_pink_snr2_TMHINT_g4_22_03.wav", "zh"),
        ),
    }
    assert {name: tuple(rows[name][column] for column in named) for name in expected} == expected


def test_a_line_without_a_usable_score_is_a_row_of_its_own(tmp_path):
    damaged.tmhint_qi(tmp_path)
    rows = by_id(read("tmhint_qi", tmp_path, license="MIT"))
    assert rows["raw_data.csv:10"]["problem_detail"] == "mos: no score"
    assert rows["raw_data.csv:11"]["problem_detail"] == "mos: 0 is not from 1 to 5"
    assert rows["raw_data.csv:14"]["problem_detail"] == "intelligibility: 11 is not from 0 to 10"
    assert [rating["scale"] for rating in rows["zero"]["ratings"]] == ["intelligibility"]
    assert (rows["odd"]["content_id"], rows["odd"]["speaker_id"]) == (None, None)
    assert rows["both"]["problem_detail"] == "both.wav lies in both train and test"
    assert rows["gone"]["problem_detail"] == "gone.wav lies in neither train nor test"


def test_a_licence_is_the_users_to_say(tmp_path):
    miniatures.tmhint_qi(tmp_path, contents=1)
    row = read("tmhint_qi", tmp_path)[0]
    assert (row["license"], row["problem"]) == ("NOASSERTION", "missing_license")
    assert row["problem_detail"] == "the corpus states no licence that SPDX has: set the option license"


def test_a_folder_without_the_table_is_an_error(tmp_path):
    dummies.put(tmp_path / "train/x.wav", b"")
    with pytest.raises(DataError, match=r"raw_data\.csv is missing; point root at the folder that holds it, train and test"):
        read("tmhint_qi", tmp_path)
    dummies.put(tmp_path / "raw_data.csv", "idx,method\n")
    with pytest.raises(DataError, match=r"no column 'uttr'"):
        read("tmhint_qi", tmp_path)
