"""ESD: encodings, contents, copies with other folders."""

import pytest

from contracts.errors import DataError
from corpora import emotion_miniatures
from corpora.esd import EMOTIONS
from tests.corpora.reading import by_id, read


def test_every_encoding_gives_the_same_sentences(tmp_path):
    """Each speaker of the miniature has a transcript in an encoding of its own; ten recordings each."""
    emotion_miniatures.esd(tmp_path)
    rows = read("esd", tmp_path)
    assert [row["problem"] for row in rows] == [None] * 50
    texts = {language: {row["text"] for row in rows if row["language"] == language} for language in ("zh", "en")}
    assert texts == {
        "zh": {"桌上放着三个苹果和一把小刀。", "他对谁都是那么友好。"},
        "en": {"The nine the eggs, I keep.", "I did go, and made many prisoners."},
    }
    assert {row["speaker_id"]: row["language"] for row in rows} == {
        "0001": "zh",
        "0003": "zh",
        "0011": "en",
        "0012": "en",
        "0016": "en",
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb2312"])
def test_mandarin_in_any_encoding(encoding, tmp_path):
    root = emotion_miniatures.esd(tmp_path, speakers=["0002"], sentences=1)
    file = root / "Emotion Speech Dataset/0002/0002.txt"
    file.write_bytes(file.read_bytes().decode("utf-16").encode(encoding))
    assert {(row["text"], row["problem"]) for row in read("esd", root)} == {("桌上放着三个苹果和一把小刀。", None)}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "cp1252", "utf-16-le"])
def test_english_in_any_encoding(encoding, tmp_path):
    root = emotion_miniatures.esd(tmp_path, speakers=["0017"], sentences=1)
    file = root / "Emotion Speech Dataset/0017/0017.txt"
    file.write_bytes(file.read_bytes().decode("utf-16").replace("eggs", "café").encode(encoding))
    assert {(row["text"], row["problem"]) for row in read("esd", root)} == {("The nine the café, I keep.", None)}


def test_one_sentence_in_five_emotions(tmp_path):
    """The same content, speaker by speaker; emotions are those of the folders, also where the words are Chinese."""
    emotion_miniatures.esd(tmp_path, speakers=["0001", "0011"])
    rows = read("esd", tmp_path, languages=["zh"])
    by_content = {
        content: [(row["emotion"], row["text"]) for row in rows if row["content_id"] == content]
        for content in ("zh-001", "zh-002")
    }
    assert [emotion for emotion, _ in by_content["zh-001"]] == list(EMOTIONS)
    assert {content: len({text for _, text in said}) for content, said in by_content.items()} == {"zh-001": 1, "zh-002": 1}
    assert {row["split"] for row in rows} == {"train", "test"}


def test_copies_without_outer_folder_and_without_splits(tmp_path):
    """The same rows, but for paths and splits."""
    emotion_miniatures.esd(tmp_path / "whole", speakers=["0011"])
    inside = emotion_miniatures.esd(tmp_path / "flat", speakers=["0011"], splits=False) / "Emotion Speech Dataset"
    whole, flat = by_id(read("esd", tmp_path / "whole")), by_id(read("esd", inside))
    assert flat.keys() == whole.keys()
    assert flat["0011_000001"]["audio_path"] == "0011/Neutral/0011_000001.wav"
    assert {row["split"] for row in flat.values()} == {None}
    same = ("text", "emotion", "content_id", "speaker_id", "problem", "utterance_id")
    assert all(row[name] == whole[key][name] for key, row in flat.items() for name in same)


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"no folder of a speaker, 0001 to 0020: point root at"):
        read("esd", tmp_path)
    root = emotion_miniatures.esd(tmp_path, speakers=["0011"], sentences=1)
    with pytest.raises(DataError, match=r"speakers 0011, none of whom speaks zh: correct the option languages"):
        read("esd", root, languages=["zh"])
    (root / "Emotion Speech Dataset/0011/0011.txt").unlink()
    with pytest.raises(DataError, match=r"0011/0011\.txt is missing: restore it"):
        read("esd", root)
