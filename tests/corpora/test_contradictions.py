"""Files that say something twice: the same is no matter, something else is named by file and line."""

import pytest

from contracts.errors import DataError
from corpora import miniatures
from tests.corpora import dummies
from tests.corpora.damaged import append, rewrite
from tests.corpora.reading import by_id, read

SINGING = "voicemos2024-track2-sys0001-utt0001"


@pytest.mark.parametrize("corpus", ["bvcc", "singmos"])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("{clip},c1\n{clip}.wav,c2\n", r"contents\.csv, row 3, field content_id: 'c2' for '{clip}', which has 'c1' in row 2"),
        ("{clip},c1\n{clip}\n", r"contents\.csv, row 3: too few, too many"),
        ('{clip},"c1" x\n', r"contents\.csv, row 2: too few, too many or badly quoted"),
        (" ,c1\n", r"contents\.csv, row 2, field id: it is empty"),
    ],
)
def test_contents_that_contradict_or_cannot_be_read_are_errors(tmp_path, corpus, rows, message):
    """A clip of another content would be paired with what does not say the same."""
    getattr(miniatures, corpus)(tmp_path)
    clip = read(corpus, tmp_path)[0]["source_id"]
    dummies.put(tmp_path / "contents.csv", "id,content_id\n" + rows.format(clip=clip))
    with pytest.raises(DataError, match=message.format(clip=clip)):
        read(corpus, tmp_path, contents="contents.csv")


@pytest.mark.parametrize("corpus", ["bvcc", "singmos"])
def test_contents_that_repeat_themselves_are_taken_once(tmp_path, corpus):
    getattr(miniatures, corpus)(tmp_path)
    clip = read(corpus, tmp_path)[0]["source_id"]
    dummies.put(tmp_path / "contents.csv", f"id,content_id\r\n{clip},c1\r\n{clip}.wav, c1\r\n")
    assert by_id(read(corpus, tmp_path, contents="contents.csv"))[clip]["content_id"] == "c1"


def test_transcripts_that_contradict_are_errors(tmp_path):
    miniatures.somos(tmp_path, contents=1, systems=1)
    clip = "novel_2007_0046_000"
    dummies.put(tmp_path / "texts.txt", f"{clip}\tHello.\n{clip}.wav\tHello.\n")
    assert by_id(read("somos", tmp_path, transcripts="texts.txt"))[clip]["text"] == "Hello."
    append(tmp_path / "texts.txt", f"{clip}.wav\tGoodbye.")
    with pytest.raises(DataError, match=rf"row 3, field text: 'Goodbye\.' for '{clip}', which has 'Hello\.' in row 1"):
        read("somos", tmp_path, transcripts="texts.txt")


@pytest.mark.parametrize(
    ("corpus", "file", "clip"),
    [
        ("bvcc", "DATA/sets/test_mos_list.txt", "sys64e2f-utt0000005"),
        ("somos", "training_files/split1/clean/test_mos_list.txt", "wiki_0002_015"),
    ],
)
def test_a_second_other_mean_is_a_row_of_its_own(tmp_path, corpus, file, clip):
    """The first one counts; the same number once more is no second one."""
    getattr(miniatures, corpus)(tmp_path)
    before = len(read(corpus, tmp_path))
    append(tmp_path / file, f"{clip}.wav,4.5", f"{clip},4.50", f"{clip},2")
    rows = read(corpus, tmp_path)
    assert [rating["score"] for rating in by_id(rows)[clip]["ratings"]] == [4.5]
    assert len(rows) == before + 2
    (bad,) = [row for row in rows if row["problem"] == "duplicate_rating"]
    number = len((tmp_path / file).read_text().splitlines())
    assert bad["source_ref"] == f"{file}:{number}"
    assert bad["problem_detail"] == f"mos: {clip} has another mean in {file}:{number - 2}"


def test_a_line_of_another_system_does_not_rate_a_clip(tmp_path):
    """TMHINT-QI says in each line what a clip is; one that says something else may be of another clip."""
    miniatures.tmhint_qi(tmp_path, contents=1, raters=2)
    clip = "FCN_babble_snr-2_TMHINT_g4_20_01"
    before = by_id(read("tmhint_qi", tmp_path, license="MIT"))[clip]

    def add(lines):
        of_clip = next(line for line in lines if line["file_name"] == clip)
        lines.append(of_clip | {"method": "DDAE", "quality_score": "1"})
        lines.append(of_clip | {"noise": " babble", "snr": "-5", "quality_score": "1"})

    rewrite(tmp_path / "raw_data.csv", add)
    rows = read("tmhint_qi", tmp_path, license="MIT")
    assert by_id(rows)[clip] == before
    first = before["source_ref"]
    assert [row["problem_detail"] for row in rows if row["problem"] == "contradicting_row"] == [
        f"{clip}: method is 'DDAE', and another one in {first}",
        f"{clip}: snr is '-5', and another one in {first}",
    ]


def test_a_name_in_another_case_is_no_second_clip(tmp_path):
    """Both names find one file: it would be paired with itself."""
    miniatures.tmhint_qi(tmp_path, contents=1, raters=2)
    clip = "FCN_babble_snr-2_TMHINT_g4_20_01"

    def add(lines):
        lines.append(next(line for line in lines if line["file_name"] == clip) | {"file_name": clip.lower()})

    rewrite(tmp_path / "raw_data.csv", add)
    rows = by_id(read("tmhint_qi", tmp_path, license="MIT"))
    assert rows[clip]["problem"] is None
    assert rows[clip.lower()]["problem"] == "duplicate_audio"
    assert rows[clip.lower()]["problem_detail"] == f"test/{clip}.wav is the recording of {clip}, too"


def test_a_row_that_cannot_be_used_leaves_its_recording_to_the_next(tmp_path):
    miniatures.tmhint_qi(tmp_path, contents=1, raters=2)
    clip = "FCN_babble_snr-2_TMHINT_g4_20_01"

    def change(lines):
        of_clip = [line for line in lines if line["file_name"] == clip]
        lines.append(of_clip[0] | {"file_name": clip.lower()})
        for line in of_clip:
            line["method"] = ""

    rewrite(tmp_path / "raw_data.csv", change)
    rows = by_id(read("tmhint_qi", tmp_path, license="MIT"))
    assert (rows[clip]["problem"], rows[clip.lower()]["problem"]) == ("malformed_name", None)
