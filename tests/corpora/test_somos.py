"""SOMOS: clean and full, ids with and without ``.wav``, natural speech, transcripts."""

import csv

import pytest

from contracts.errors import DataError
from corpora import miniatures
from tests.corpora import damaged, dummies
from tests.corpora.reading import by_id, read, scores_of


@pytest.mark.parametrize(("version", "raters"), [("clean", 4), ("full", 5)])
def test_ratings_are_those_of_the_version(tmp_path, version, raters):
    """Each line is one rating; the sentence is the content, and system 000 is a person."""
    miniatures.somos(tmp_path, contents=4, systems=3, raters=5)
    rows = by_id(read("somos", tmp_path, version=version))
    assert [row["split"] for row in rows.values()] == ["train"] * 6 + ["valid"] * 3 + ["test"] * 3
    lines = 0
    for name in ("TRAINSET", "VALIDSET", "TESTSET"):
        with (tmp_path / "training_files/split1" / version / name).open() as file:
            for line in csv.DictReader(file):
                row = rows[line["utteranceId"].removesuffix(".wav")]
                assert scores_of(row, "mos")[line["listenerId"]] == float(line["choice"])
                assert row["system"] == {"000": None}.get(line["systemId"], line["systemId"])
                lines += 1
    assert lines == 12 * raters == sum(len(row["ratings"]) for row in rows.values())
    assert rows["booksent_2012_0047_002"]["content_id"] == "booksent_2012_0047"
    assert rows["booksent_2012_0047_002"]["audio_path"] == "audios/booksent_2012_0047_002.wav"
    assert {row["license"] for row in rows.values()} == {"CC-BY-NC-SA-4.0"}


def test_means_stand_in_where_single_ratings_are_not_there(tmp_path):
    """Their list has ids without ``.wav``."""
    miniatures.somos(tmp_path)
    folder = tmp_path / "training_files/split1/clean"
    (folder / "VALIDSET").unlink()
    rows = [row for row in read("somos", tmp_path) if row["split"] == "valid"]
    lines = (folder / "valid_mos_list.txt").read_text().splitlines()[1:]
    assert [f"{row['source_id']},{row['ratings'][0]['score']}" for row in rows] == lines
    assert {row["problem"] for row in rows} == {None}


def test_both_spellings_of_an_id_are_one_clip(tmp_path):
    damaged.somos(tmp_path)
    row = by_id(read("somos", tmp_path))["wiki_0001_015"]
    assert scores_of(row, "mos") == {"A1": 4.0, "A2": 5.0}
    assert (row["system"], row["content_id"], row["split"]) == ("015", "wiki_0001", "train")


def test_transcripts_are_a_file_of_their_own(tmp_path):
    """The corpus brings a script that gathers them, not the texts."""
    miniatures.somos(tmp_path, contents=1, systems=2)
    dummies.put(
        tmp_path / "all_transcripts.txt", "novel_2007_0046_000.wav\tHello, there.\nnovel_2007_0046_001\tHello, there.\n"
    )
    rows = read("somos", tmp_path, transcripts="all_transcripts.txt")
    assert [row["text"] for row in rows] == ["Hello, there."] * 2
    dummies.put(tmp_path / "all_transcripts.txt", "novel_2007_0046_000 Hello\n")
    with pytest.raises(DataError, match=r"all_transcripts\.txt, row 1: wants an id, a tab and a text, found 'novel"):
        read("somos", tmp_path, transcripts="all_transcripts.txt")


def test_another_header_is_an_error(tmp_path):
    miniatures.somos(tmp_path, contents=1)
    dummies.put(tmp_path / "training_files/split1/clean/TESTSET", "utteranceId,choice\n")
    with pytest.raises(DataError, match=r"clean/TESTSET, header: wants systemId,utteranceId,choice,listenerId, found 'utt"):
        read("somos", tmp_path)


def test_a_folder_without_lists_is_an_error(tmp_path):
    dummies.put(tmp_path / "audios/x.wav", b"")
    with pytest.raises(DataError, match=r"neither TRAINSET.* in training_files/split1/full; point root at the folder"):
        read("somos", tmp_path, version="full")
