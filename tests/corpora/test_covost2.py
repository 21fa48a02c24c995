"""CoVoST 2: tables without quotes, texts that look like something else, translations as references."""

import csv

import pandas as pd
import pytest

from contracts.errors import DataError
from corpora import question_miniatures
from tests.corpora import damaged, dummies
from tests.corpora.reading import by_id, read


def test_rows_are_those_that_the_corpus_script_reads(tmp_path):
    """Read with the very arguments of get_covost_splits.py."""
    question_miniatures.covost2(tmp_path, rows=4)
    rows = read("covost2", tmp_path)
    for split in ("train", "dev", "test"):
        file = tmp_path / f"covost_v2.en_de.{split}.tsv"
        expected = pd.read_csv(
            file, sep="\t", header=0, encoding="utf-8", escapechar="\\", quoting=csv.QUOTE_NONE, na_filter=False
        )
        found = [row for row in rows if row["split"] == split]
        columns = [(row["audio_path"], row["text"], *row["references"], row["speaker_id"]) for row in found]
        assert columns == [(f"clips/{path}", *rest) for path, *rest in expected.to_numpy().tolist()]
    assert [row["text"] for row in rows[:4]] == ['She said: "Not today."', "NA", "The path is C:\\temp.", "Grüße from Zürich!"]
    assert (tmp_path / "covost_v2.en_de.train.tsv").read_text().splitlines()[1].split("\t")[1] == r"She said: \"Not today.\""
    assert {(row["language"], row["license"], row["problem"]) for row in rows} == {("en", "CC0-1.0", None)}


def test_escaped_tabs_and_line_ends_belong_to_the_text(tmp_path):
    text = "path\tsentence\ttranslation\tclient_id\na.mp3\tone\\\ttwo\\\nthree\tEins\tc1\nb.mp3\tFour\tVier\tc2\n"
    dummies.put(tmp_path / "covost_v2.en_de.dev.tsv", text)
    for name in "ab":
        dummies.put(tmp_path / f"clips/{name}.mp3", dummies.encode("MP3"))
    first, second = read("covost2", tmp_path)
    assert (first["text"], first["source_ref"]) == ("one\ttwo\nthree", "covost_v2.en_de.dev.tsv:3")
    assert (second["text"], second["references"], second["problem"]) == ("Four", ["Vier"], None)


@pytest.mark.parametrize(
    ("line", "problem", "speaker"), [("x.mp3\tOne\tEins\tc1\\", None, "c1\\"), ("x.mp3\tOne\\", "malformed_row", None)]
)
def test_a_backslash_at_the_end_of_a_row_takes_no_other_row_along(tmp_path, line, problem, speaker):
    """In the first, a middle and the last line of a table."""
    question_miniatures.covost2(tmp_path, rows=3)
    file = tmp_path / "covost_v2.en_de.dev.tsv"
    before = read("covost2", tmp_path)
    dummies.put(tmp_path / "clips/x.mp3", dummies.encode("MP3"))
    header, *rows = file.read_text().splitlines()
    for place in (0, 2, 3):
        file.write_text("\n".join([header, *rows[:place], line, *rows[place:]]) + "\n")
        after = read("covost2", tmp_path)
        (added,) = [row for row in after if row["source_ref"] == f"{file.name}:{place + 2}"]
        assert (added["problem"], added["speaker_id"]) == (problem, speaker)
        others = [row | {"source_ref": None} for row in after if row is not added]
        assert others == [row | {"source_ref": None} for row in before]


def test_a_quote_that_nobody_closes_is_a_character(tmp_path):
    damaged.covost2(tmp_path)
    row = by_id(read("covost2", tmp_path))["f"]
    assert (row["text"], row["speaker_id"]) == ('"Open', None)


def test_tables_that_are_not_there_are_an_error(tmp_path):
    dummies.put(tmp_path / "covost_v2.en_de.tsv", "path\ttranslation\tsplit\n")
    with pytest.raises(DataError, match=r"none of covost_v2\.en_de\.train\.tsv.*get_covost_splits\.py"):
        read("covost2", tmp_path)
    dummies.put(tmp_path / "covost_v2.en_tr.dev.tsv", "path\tsentence\n")
    with pytest.raises(
        DataError, match=r"covost_v2\.en_tr\.dev\.tsv, header: wants path, sentence, translation, client_id, it has"
    ):
        read("covost2", tmp_path, pair="en_tr")
