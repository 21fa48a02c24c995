"""The NISQA Corpus: parts, scales, conditions, and recordings without a reference."""

import csv

import pytest

from contracts.errors import DataError
from corpora import miniatures
from tests.corpora import damaged, dummies
from tests.corpora.reading import by_id, read

SCALES = {"mos": "mos", "noisiness": "noi", "coloration": "col", "discontinuity": "dis", "loudness": "loud"}


def test_means_are_those_of_the_tables(tmp_path):
    """All five scales, with the number of votes and the deviation."""
    miniatures.nisqa(tmp_path, contents=2, conditions=3)
    rows = by_id(read("nisqa", tmp_path))
    found = 0
    for file in tmp_path.glob("*/*_file.csv"):
        with file.open() as table:
            for line in csv.DictReader(table):
                row = rows[line["filepath_deg"]]
                ratings = {rating["scale"]: rating for rating in row["ratings"]}
                assert {(scale, r["score"], r["std"], r["raters"], r["rater"]) for scale, r in ratings.items()} == {
                    (scale, float(line[column]), float(line[f"{column}_std"]), int(line["votes"]), None)
                    for scale, column in SCALES.items()
                }
                assert (row["language"], row["split"]) == (line["lang"], line["db"].removeprefix("NISQA_").lower())
                assert row["content_id"] == (line["filepath_ref"] or None)
                assert row["condition"] == (line["con_description"] or line["con"])
                assert row["system"] is None
                found += 1
    assert found == len(rows) == 24
    assert {row["split"] for row in rows.values() if row["content_id"] is None} == {"train_live", "test_livetalk"}


def test_parts_are_chosen_with_or_without_the_prefix(tmp_path):
    miniatures.nisqa(tmp_path)
    rows = read("nisqa", tmp_path, parts=["VAL_SIM", "NISQA_TRAIN_LIVE"])
    assert [row["split"] for row in rows] == ["val_sim"] * 4 + ["train_live"] * 4
    with pytest.raises(DataError, match=r"has no part NISQA_TEST_FOR; it holds NISQA_TEST_LIVETALK, NISQA_TRAIN_LIVE"):
        read("nisqa", tmp_path, parts=["TEST_FOR"])


def test_a_scale_may_be_missing_but_for_the_overall_one(tmp_path):
    damaged.nisqa(tmp_path)
    rows = by_id(read("nisqa", tmp_path))
    good = rows["NISQA_TRAIN_SIM/deg/c4.wav"]
    assert [rating["scale"] for rating in good["ratings"]] == ["mos", "coloration", "discontinuity", "loudness"]
    assert good["language"] == "en"
    assert rows["NISQA_TRAIN_SIM/deg/c2.wav"]["problem_detail"] == "mos: 0.5 is not from 1 to 5"
    assert rows["NISQA_TRAIN_SIM/deg/c5.wav"]["problem_detail"] == "rating.mos.raters: '0' is no number of raters"


def test_a_part_without_its_table_is_an_error(tmp_path):
    dummies.put(tmp_path / "NISQA_VAL_SIM/deg/x.wav", b"")
    with pytest.raises(DataError, match=r"NISQA_VAL_SIM_file\.csv is missing; restore it"):
        read("nisqa", tmp_path)
    with pytest.raises(DataError, match=r"no part at all; it holds no folder NISQA_\*"):
        read("nisqa", tmp_path / "NISQA_VAL_SIM")
    dummies.put(tmp_path / "NISQA_VAL_SIM/NISQA_VAL_SIM_file.csv", "con,filename_deg\n1,x.wav\n")
    with pytest.raises(DataError, match=r"no column 'filename_ref'"):
        read("nisqa", tmp_path)


@pytest.mark.parametrize("reference", ["../x.wav", "/etc/passwd", "a/b.wav", "a\0.wav"])
def test_a_reference_that_is_a_path_is_a_problem(tmp_path, reference):
    """Without it the clip would seem to be of no content, as live recordings are."""
    miniatures.nisqa(tmp_path, contents=1, conditions=1)
    file = "NISQA_VAL_SIM/NISQA_VAL_SIM_file.csv"
    damaged.rewrite(tmp_path / file, lambda rows: rows[0].update(filename_ref=reference))
    row = next(row for row in read("nisqa", tmp_path) if row["source_ref"] == f"{file}:2")
    assert (row["problem"], row["problem_detail"]) == ("malformed_name", f"filename_ref: {reference!r}")
