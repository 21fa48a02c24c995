"""Lists of scores: scales, what counts as no score, names of files, and how lists are encoded."""

import pytest

from corpora.clip_ratings import BadRating, ClipRating
from corpora.corpus_files import is_file_name
from corpora.score_lists import MOS, MissingRating, OutOfRange, Scale, problem_of
from tests.corpora import dummies
from tests.corpora.reading import read


@pytest.mark.parametrize("score", ["1", "5", "5.0", " 3 ", "4.42105263157895", "1e0"])
def test_the_ends_of_a_scale_belong_to_it(score):
    assert MOS.rating(score, "r1") == ClipRating(scale="mos", rater="r1", score=float(score))
    assert MOS.mean(score) == ClipRating(scale="mos", score=float(score))


@pytest.mark.parametrize(
    ("score", "kind", "problem"),
    [
        ("", MissingRating, "missing_rating"),
        (" NaN", MissingRating, "missing_rating"),
        ("0", OutOfRange, "rating_out_of_range"),
        ("5.01", OutOfRange, "rating_out_of_range"),
        ("85", OutOfRange, "rating_out_of_range"),
        ("-1", OutOfRange, "rating_out_of_range"),
        ("inf", BadRating, "malformed_rating"),
        ("4,5", BadRating, "malformed_rating"),
        ("1_0", BadRating, "malformed_rating"),
    ],
)
def test_other_scores_have_a_problem(score, kind, problem):
    for read_score in (MOS.rating, MOS.mean):
        with pytest.raises(kind) as raised:
            read_score(score)
        assert problem_of(raised.value) == problem


def test_a_mean_has_what_the_corpus_says_of_it():
    scale = Scale(name="loudness")
    assert scale.mean("3.5", "6", "0.8") == ClipRating(scale="loudness", score=3.5, raters=6, std=0.8)
    assert scale.mean("3.5", "6.0", "nan") == ClipRating(scale="loudness", score=3.5, raters=6)
    with pytest.raises(BadRating, match="negative"):
        scale.mean("3.5", "6", "-1")


@pytest.mark.parametrize("name", ["a.wav", "sys01tts-0000000.wav", "c00001 (2).wav", "ü.mp3"])
def test_names_of_files(name):
    assert is_file_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "../a.wav", "a/b.wav", "a\\b.wav", "/etc/passwd", ".hidden", "a\0.wav", 'a".wav']
)
def test_paths_are_no_names_of_files(name):
    assert not is_file_name(name)


@pytest.mark.parametrize(("before", "end"), [(b"\xef\xbb\xbf", b"\n"), (b"", b"\r\n"), (b"", b"")])
def test_a_byte_order_mark_and_line_ends_of_windows_are_no_damage(tmp_path, before, end):
    names = [f"voicemos2024-track2-sys0001-utt000{n}" for n in (1, 2)]
    text = (end or b"\n").join(name.encode() + b",4.000000" for name in names) + end
    dummies.put(tmp_path / "sets/train_mos_list.txt", before + text)
    for name in names:
        dummies.put(tmp_path / f"wav/{name}.wav", dummies.encode("MP3"))  # an MP3 named .wav
        dummies.put(tmp_path / f"wav/._{name}.wav", b"\x00\x05\x16\x07")
    rows = read("singmos", tmp_path, language="ja")
    assert [(row["source_id"], row["problem"]) for row in rows] == [(name, None) for name in names]
