"""VMC'23: what the names of the three tracks say, and rows that are none of theirs."""

import pytest

from contracts.errors import DataError
from corpora import miniatures
from tests.corpora import damaged, dummies
from tests.corpora.reading import by_id, read

# Names and means of the published answers.
PUBLISHED = {
    1: ("VoiceMOS2023Track1-A-AD_test_0026,4.42105263157895", "VoiceMOS2023Track1-BF-NEB_test_0073,2.25"),
    2: ("VoiceMOS2023Track2-B01-SF1-CDF1-30001,2.857142857142857", "VoiceMOS2023Track2-TAR-IDM1-IDM1-30022,5.0"),
    3: (
        "VoiceMOS2023Track3-Noisy_snr5_white_TMHINT_g4_32_03,4.0",
        "VoiceMOS2023Track3-CMGAN_snr-2_babble_TMHINT_b2_21_02,1.1428571428571428",
    ),
}


def test_names_say_system_speaker_and_content(tmp_path):
    """Also of a clip whose audio is not there."""
    for track, lines in PUBLISHED.items():
        dummies.put(tmp_path / f"track{track}_answer.txt", "".join(f"{line}\n" for line in lines))
    dummies.put(
        tmp_path / "track2_answer.txt",
        (tmp_path / "track2_answer.txt").read_text() + "VoiceMOS2023Track2-SOU-SM1-SM1-30007,4.2\n",
    )
    dummies.put(
        tmp_path / "track3_answer.txt",
        (tmp_path / "track3_answer.txt").read_text() + "VoiceMOS2023Track3-clean_TMHINT_b1_01_03,5.0\n",
    )
    rows = read("vmc23", tmp_path, license="MIT")
    named = [tuple(row[column] for column in ("system", "speaker_id", "content_id", "condition", "language")) for row in rows]
    assert named == [
        ("A-AD", "AD", "AD_test_0026", None, "fr"),
        ("BF-NEB", "NEB", "NEB_test_0073", None, "fr"),
        ("B01", "CDF1", "30001", None, "en"),
        (None, "IDM1", None, None, "en"),
        (None, "SM1", "30007", None, "en"),
        (None, "g4", "TMHINT_32_03", "white 5 dB", "zh"),
        ("CMGAN", "b2", "TMHINT_21_02", "babble -2 dB", "zh"),
        (None, "b1", "TMHINT_01_03", None, "zh"),
    ]
    assert [row["ratings"][0]["score"] for row in rows][:3] == [4.42105263157895, 2.25, 2.857142857142857]
    assert {row["problem"] for row in rows} == {"missing_audio"}
    assert {row["split"] for row in rows} == {"test"}


def test_tracks_are_read_in_order_and_foreign_rows_dropped(tmp_path):
    miniatures.vmc23(tmp_path, contents=2, systems=2)
    rows = read("vmc23", tmp_path, license="MIT")
    assert [row["source_id"][:18] for row in rows] == sorted(row["source_id"][:18] for row in rows)
    assert [row["source_id"] for row in rows if row["problem"]] == ["VoiceMOS2023Track3-TMHINT_b3_19_01"]
    assert rows[-1]["problem_detail"] == "its name has no system: it is none of the track's clips"
    assert {row["language"] for row in read("vmc23", tmp_path, license="MIT", tracks=[1])} == {"fr"}


def test_clips_lie_in_the_folder_of_a_track_or_directly_below(tmp_path):
    damaged.vmc23(tmp_path)
    rows = by_id(read("vmc23", tmp_path, license="MIT"))
    french = "VoiceMOS2023Track1-A-AD_test_0026"
    assert rows[french]["audio_path"] == f"track1/VoiceMOS2023Track1/{french}.wav"
    assert rows[french]["source_ref"] == "answers/track1_answer.txt:1"


def test_missing_answers_are_an_error(tmp_path):
    dummies.put(tmp_path / "track1/x.wav", b"")
    with pytest.raises(DataError, match=r"has no track1_answer\.txt, and none in answers"):
        read("vmc23", tmp_path)
    dummies.put(tmp_path / "track1_answer.txt", f"{PUBLISHED[1][0]}\n")
    with pytest.raises(DataError, match=r"has no track3_answer\.txt"):
        read("vmc23", tmp_path, tracks=[1, 3])
