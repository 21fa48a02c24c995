"""LibriSQA: both parts, paths of recordings, and files of JSON in both forms."""

import json
from hashlib import sha256

import pytest

from contracts.errors import DataError
from corpora import question_miniatures
from tests.corpora import dummies
from tests.corpora.reading import by_id, read


def canonical(*parts):
    return json.dumps(parts, separators=(",", ":")).encode()


def test_part_one_has_open_questions(tmp_path):
    """A row per question; questions about one recording are of one content."""
    question_miniatures.librisqa(tmp_path, recordings=2)
    rows = by_id(read("librisqa", tmp_path))
    begun, against = (sha256(canonical("question", asked)).hexdigest()[:8] for asked in ("What did he begin?", "Against whom?"))
    assert list(rows) == [f"{speaker}-70968-000{n}-{q}" for speaker in (100, 61) for n in (0, 1) for q in (begun, against)]
    row = rows[f"61-70968-0001-{against}"]
    columns = ("question", "references", "text", "speaker_id", "content_id", "split", "audio_path", "license")
    assert tuple(row[column] for column in columns) == (
        "Against whom?",
        ["Against the wizard."],
        "HE BEGAN A CONFUSED COMPLAINT AGAINST THE WIZARD AND EVENING ASLEEP WIND ROSE WIND HILLS LAY CAME WHERE",
        "61",
        "61-70968-0001",
        "test",
        "LibriSpeech/test-clean/61/70968/61-70968-0001.flac",
        "CC-BY-4.0",
    )
    assert row["duration_s"] > 0.5


@pytest.mark.parametrize(
    ("answer", "reference"), [("analysis", "B. The speech says that the complaint was against the wizard."), ("letter", "B")]
)
def test_part_two_has_questions_with_options(tmp_path, answer, reference):
    question_miniatures.librisqa(tmp_path, recordings=1)
    rows = read("librisqa", tmp_path, part=2, answer=answer)
    assert [(row["source_id"][:-9], row["references"], row["text"], row["problem"]) for row in rows] == [
        ("100-70968-0000", [reference], None, None),
        ("61-70968-0000", [reference], None, None),
    ]
    assert rows[0]["question"].endswith("A. The king B. The wizard C. Nobody D. Her")


def test_recordings_may_lie_beside_the_tables(tmp_path):
    """Without the folder LibriSpeech, and as WAV."""
    question_miniatures.librisqa(tmp_path, recordings=1)
    (tmp_path / "LibriSpeech/test-clean").rename(tmp_path / "test-clean")
    wav = "train-clean-360/100/70968/100-70968-0000.wav"
    (tmp_path / f"LibriSpeech/{wav[:-4]}.flac").rename(tmp_path / f"LibriSpeech/{wav}")
    rows = read("librisqa", tmp_path, part=2)
    assert [row["audio_path"] for row in rows] == [f"LibriSpeech/{wav}", "test-clean/61/70968/61-70968-0000.flac"]


def test_json_lines_are_read_like_a_list(tmp_path):
    question_miniatures.librisqa(tmp_path, recordings=1)
    before = read("librisqa", tmp_path)
    for file in (tmp_path / "LibriSQA-PartI").iterdir():
        items = json.loads(file.read_text())
        file.write_text("".join(f"{json.dumps(item)}\n" for item in items))
    assert read("librisqa", tmp_path) == before


@pytest.mark.parametrize("bad", ["nowhere.wav", None, 7])
def test_a_bad_row_changes_no_id_of_another(tmp_path, bad):
    """Nor does a row that is gone, or another order: what is made of a question stays its own."""
    question_miniatures.librisqa(tmp_path, recordings=1)
    file = tmp_path / "LibriSQA-PartI/LibriSQA-PartI-test.json"
    before = {row["source_id"]: row["question"] for row in read("librisqa", tmp_path)}
    items = json.loads(file.read_text())
    for changed in ([items[0] | {"speech_path": bad}, items[1]], items[1:], items[::-1]):
        file.write_text(json.dumps(changed))
        usable = {row["source_id"]: row["question"] for row in read("librisqa", tmp_path) if row["problem"] is None}
        assert usable.items() <= before.items()
        assert len(usable) == 2 + sum(item["speech_path"] != bad for item in changed)


def test_half_a_character_in_a_question_is_one_dropped_row(tmp_path):
    question_miniatures.librisqa(tmp_path, recordings=1)
    file = tmp_path / "LibriSQA-PartI/LibriSQA-PartI-test.json"
    file.write_text(file.read_text().replace("Against whom?", "Against \\ud800?"))
    assert [row["problem"] for row in read("librisqa", tmp_path)] == [None, None, None, "undecodable_metadata"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"question": "x"},\n{"question', r"test\.json, row 2: no JSON value"),
        ("[", r"row 1: no JSON value"),
        ('[{"a": 1, "a": 2}]', r"row 1: no JSON value \(key 'a' stands twice"),
    ],
)
def test_a_broken_file_is_an_error_with_its_line(tmp_path, text, message):
    dummies.put(tmp_path / "LibriSQA-PartI/LibriSQA-PartI-test.json", text)
    with pytest.raises(DataError, match=message):
        read("librisqa", tmp_path)
    with pytest.raises(DataError, match=r"none of LibriSQA-PartII/LibriSQA-PartII-train\.json"):
        read("librisqa", tmp_path, part=2)
