"""The miniatures of rated corpora and of questions, with every damage that these corpora are known for."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from corpora import emotion_miniatures, miniatures, question_miniatures
from tests.corpora.dummies import Dummy, encode, put


def append(path: Path, *lines: str | bytes) -> None:
    """Add lines to a file."""
    with path.open("ab") as file:
        for line in lines:
            file.write((line.encode() if isinstance(line, str) else line) + b"\n")


def rewrite(path: Path, change: Callable[[list[dict[str, str]]], None]) -> None:
    """Change the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def bvcc(root: Path) -> Dummy:
    """One good clip in the test set; then bad lines, a clip that only a list of means has, and a file that no list has."""
    miniatures.bvcc(root, contents=1, systems=1, raters=2)
    (good,) = (path.stem for path in (root / "DATA/wav").iterdir())
    file = "DATA/sets/TESTSET"
    listener = "{}_30-39_bZPQE7w4Zl3g_Female_Valid_1_No"
    clip = "sys64e2f,sys64e2f-utt0000001.wav"
    append(
        root / file,
        f"{clip},0,VDP1_1,{listener}",
        f"{clip},,VDP1_1,{listener}",
        f"{clip},good,VDP1_1,{listener}",
        f"{clip},4,VDP1_1,{listener}",
        f"{clip},5,VDP1_1,{listener}",
        f"{clip},5,VDP1_1,somebody",
        f"{clip},5,VDP1_1",
        f"sys64e2f,sys00000-utt0000001.wav,5,VDP1_1,{listener}",
        f"sys64e2f,../sys64e2f-utt0000001.wav,5,VDP1_1,{listener}",
        f"sys64e2f,sys64e2f-utt0000002.wav,5,VDP1_1,{listener}",
        f"sys64e2f,sys64e2f-utt0000003.wav,7,VDP1_1,{listener}",
        f"sys64e2f,sys64e2f-utt0000004.wav,3,VDP1_1,{listener}",
    )
    append(root / "DATA/sets/test_mos_list.txt", "sys64e2f-utt0000005.wav,3.5", "sys64e2f-utt0000006.wav,0", "x.wav,3", "x.wav")
    for number in (1, 3, 5, 6, 9):
        put(root / f"DATA/wav/sys64e2f-utt000000{number}.wav", encode("WAV"))
    put(root / "DATA/wav/sys64e2f-utt0000004.wav", encode("WAV")[:-1000])
    put(root / "DATA/wav/._sys64e2f-utt0000001.wav", b"\x00\x05\x16\x07")
    means = "DATA/sets/test_mos_list.txt"
    return Dummy(
        problems=[
            (good, None),
            ("sys64e2f-utt0000001", None),
            ("sys64e2f-utt0000002", "missing_audio"),
            ("sys64e2f-utt0000003", "missing_rating"),
            ("sys64e2f-utt0000004", "truncated_audio"),
            ("sys64e2f-utt0000005", None),
            ("sys64e2f-utt0000006", "rating_out_of_range"),
            (f"{file}:3", "rating_out_of_range"),
            (f"{file}:4", "missing_rating"),
            (f"{file}:5", "malformed_rating"),
            (f"{file}:7", "duplicate_rating"),
            (f"{file}:8", "malformed_rating"),
            (f"{file}:9", "malformed_row"),
            (f"{file}:10", "malformed_name"),
            (f"{file}:11", "malformed_name"),
            (f"{file}:13", "rating_out_of_range"),
            (f"{means}:4", "malformed_name"),
            (f"{means}:5", "malformed_row"),
            ("DATA/wav/sys64e2f-utt0000009.wav", "missing_rating"),
        ]
    )


def somos(root: Path) -> Dummy:
    """Ids with ``.wav`` in one file and without in another; a clip in two splits; bad lines."""
    miniatures.somos(root, contents=1, systems=2, raters=2)
    folder = "training_files/split1/clean"
    append(
        root / folder / "TRAINSET",
        "015,wiki_0001_015,4,A1",
        "015,wiki_0001_015.wav,5,A2",
        "015,wiki_0001_015.wav,6,A3",
        "015,wiki_0001_015.wav,,A4",
        "015,wiki_0001_015.wav,3,",
        "015,wiki_0001_016.wav,3,A1",
        "15,wiki_0001_15.wav,3,A1",
        "015,wiki_0001_015.wav,3",
        "016,wiki_0001_016.wav,3,A1",
    )
    append(root / folder / "test_mos_list.txt", "wiki_0001_015.wav,4.5", "wiki_0002_015,4.25", "wiki,4.25")
    for name in ("wiki_0001_015", "wiki_0002_015"):
        put(root / f"audios/{name}.wav", encode("WAV", rate=24000))
    put(root / "audios/wiki_0009_015.wav", encode("WAV"))  # of no clean page: no part of this version
    return Dummy(
        problems=[
            ("wiki_0001_015", None),
            ("wiki_0001_016", "missing_audio"),
            (f"{folder}/TRAINSET:4", "rating_out_of_range"),
            (f"{folder}/TRAINSET:5", "missing_rating"),
            (f"{folder}/TRAINSET:6", "malformed_rating"),
            (f"{folder}/TRAINSET:7", "malformed_name"),
            (f"{folder}/TRAINSET:8", "malformed_name"),
            (f"{folder}/TRAINSET:9", "malformed_row"),
            ("novel_2007_0046_000", None),
            ("novel_2007_0046_001", None),
            ("wiki_0001_015", "duplicate_id"),
            ("wiki_0002_015", None),
            (f"{folder}/test_mos_list.txt:6", "malformed_name"),
        ]
    )


def nisqa(root: Path) -> Dummy:
    """A live part without references; a simulated one with bad rows."""
    miniatures.nisqa(root, contents=1, conditions=1)

    def damage(rows: list[dict[str, str]]) -> None:
        (good,) = rows
        rows += [
            good | {"filename_deg": "gone.wav"},
            good | {"mos": ""},
            good | {"filename_deg": "c2.wav", "mos": "0.5"},
            good | {"filename_deg": "c3.wav", "mos": "high"},
            good | {"filename_deg": "../ref/s01_en.wav"},
            good | {"filename_deg": "c4.wav", "filepath_deg": f"{deg}/c4.wav", "noi": "", "lang": ""},
            good | {"filename_deg": "c5.wav", "votes": "0"},
        ]

    file, deg = "NISQA_TRAIN_SIM/NISQA_TRAIN_SIM_file.csv", "NISQA_TRAIN_SIM/deg"
    rewrite(root / file, damage)
    append(root / file, "too,few")
    for number in (2, 3, 4, 5, 9):
        put(root / f"NISQA_TRAIN_SIM/deg/c{number}.wav", encode("WAV", rate=48000))
    return Dummy(
        problems=[
            ("NISQA_TEST_LIVETALK/deg/c00001_live1.wav", None),
            ("NISQA_TRAIN_LIVE/deg/c00001_live1.wav", None),
            (f"{deg}/c00001_s01_en.wav", None),
            (f"{deg}/gone.wav", "missing_audio"),
            (f"{deg}/c00001_s01_en.wav", "missing_rating"),
            (f"{deg}/c2.wav", "rating_out_of_range"),
            (f"{deg}/c3.wav", "malformed_rating"),
            (f"{file}:7", "malformed_name"),
            (f"{deg}/c4.wav", None),
            (f"{deg}/c5.wav", "malformed_rating"),
            (f"{file}:10", "malformed_row"),
            (f"{deg}/c9.wav", "missing_rating"),
            ("NISQA_VAL_SIM/deg/c00001_s01_en.wav", None),
        ]
    )


def singmos(root: Path) -> Dummy:
    """Two systems, of which the options name the language of one."""
    miniatures.singmos(root, clips=1, systems=2)
    name = "voicemos2024-track2-sys0001-utt000"
    append(
        root / "sets/eval_mos_list.txt",
        f"{name}7,3.0",
        f"{name}8,0",
        f"{name}9,",
        f"{name}1,2.0",
        "voicemos2024-track2-utt0003,3.0",
        f"{name}5",
    )
    for number in (4, 8, 9):
        put(root / f"wav/{name}{number}.wav", encode("WAV"))
    return Dummy(
        options={"languages": {"sys0001": "ja"}},
        problems=[
            (f"{name}1", None),
            ("voicemos2024-track2-sys0002-utt0002", "missing_language"),
            (f"{name}7", "missing_audio"),
            (f"{name}8", "rating_out_of_range"),
            (f"{name}9", "missing_rating"),
            (f"{name}1", "duplicate_id"),
            ("sets/eval_mos_list.txt:7", "malformed_name"),
            ("sets/eval_mos_list.txt:8", "malformed_row"),
            (f"wav/{name}4.wav", "missing_rating"),
        ],
    )


def tmhint_qi(root: Path) -> Dummy:
    """The empty score and the score 0 of the real table, a clip in both folders, one in none, one without a method."""
    miniatures.tmhint_qi(root, contents=1, raters=2)
    row = "9,FCN,TMHINT_g4_20_01,-2,babble"
    append(
        root / "raw_data.csv",
        f"{row},3,6,gone",
        f"{row},3,6,both",
        f"{row},3,11,both",
        "9,,TMHINT_g4_20_01,-2,babble,3,6,nobody",
        f"{row},3,6,../both",
        f"{row},3",
        "9,FCN,odd,-2,babble,3,6,odd",
        f"{row},0,6,zero",
    )
    for name in ("train/both", "test/both", "train/nobody", "train/odd", "train/zero", "train/more"):
        put(root / f"{name}.wav", encode("WAV"))
    return Dummy(
        options={"license": "MIT"},
        problems=[
            ("clean_TMHINT_g4_20_01", None),
            ("FCN_babble_snr-2_TMHINT_g4_20_01", None),
            ("Trans_babble_snr-2_TMHINT_g4_20_01", None),
            ("Noisy_babble_snr-2_TMHINT_g4_20_01", None),
            ("gone", "missing_audio"),
            ("both", "ambiguous_audio"),
            ("nobody", "malformed_name"),
            ("odd", None),
            ("zero", None),
            ("raw_data.csv:10", "missing_rating"),
            ("raw_data.csv:11", "rating_out_of_range"),
            ("raw_data.csv:14", "rating_out_of_range"),
            ("raw_data.csv:16", "malformed_name"),
            ("raw_data.csv:17", "malformed_row"),
            ("raw_data.csv:19", "rating_out_of_range"),
            ("train/more.wav", "missing_rating"),
            ("test/both.wav", "missing_rating"),
        ],
    )


def vmc23(root: Path) -> Dummy:
    """Answers in their own folder, a track unpacked into a folder below its own, a foreign row with its clip, bad names."""
    miniatures.vmc23(root, contents=1, systems=1)
    put(root / "answers/track1_answer.txt", (root / "track1_answer.txt").read_bytes())
    (root / "track1_answer.txt").unlink()
    french = "VoiceMOS2023Track1-A-AD_test_0026"
    below = root / "track1/VoiceMOS2023Track1"
    below.mkdir()
    (root / f"track1/{french}.wav").rename(below / f"{french}.wav")
    append(
        root / "answers/track1_answer.txt",
        "VoiceMOS2023Track1-B-NEB_test_0073,4.5",
        "VoiceMOS2023Track2-B01-SF1-CDF1-30001,3",
        f"{french}",
    )
    foreign = "VoiceMOS2023Track3-TMHINT_b3_19_01"
    append(
        root / "track3_answer.txt", "VoiceMOS2023Track3-FCN_snr5_white_TMHINT_x4_32_03,3", f"{foreign.replace('19', '20')},2.5"
    )
    put(root / f"track3/{foreign}.wav", encode("WAV"))
    put(root / "track3/other.wav", encode("WAV"))
    said = "TMHINT_g4_32_03"
    return Dummy(
        options={"license": "MIT"},
        problems=[
            (french, None),
            ("VoiceMOS2023Track1-B-NEB_test_0073", "missing_audio"),
            ("answers/track1_answer.txt:3", "malformed_name"),
            ("answers/track1_answer.txt:4", "malformed_row"),
            ("VoiceMOS2023Track2-SOU-SF1-SF1-30001", None),
            ("VoiceMOS2023Track2-T02-SF1-CDF1-30001", None),
            (f"VoiceMOS2023Track3-clean_{said}", None),
            (f"VoiceMOS2023Track3-FCN_snr-2_white_{said}", None),
            (f"VoiceMOS2023Track3-Noisy_snr-2_white_{said}", None),
            (foreign, "foreign_clip"),
            ("track3_answer.txt:5", "malformed_name"),
            (foreign.replace("19", "20"), "foreign_clip"),
            ("track3/other.wav", "missing_rating"),
        ],
    )


def qualispeech(root: Path) -> Dummy:
    """BVCC's clips were not merged in; a score out of range, an empty one, a row without its description, a bad id."""
    miniatures.qualispeech(root, clips=1, merged=False)

    def damage(rows: list[dict[str, str]]) -> None:
        good = rows[0]
        rows += [
            good | {"id": "sys02tts-0000007.wav", "Speed": "0"},
            good | {"id": "sys02tts-0000008.wav", "Overall quality": ""},
            good | {"id": "sys02tts-0000009.wav", "Natural language description": " "},
            good | {"id": "../sys02tts-0000009.wav"},
            good | {"id": "sys02tts.wav"},
            good | {"id": "sys02tts-0000010.wav"},
        ]

    rewrite(root / "test.csv", damage)
    append(root / "test.csv", "too,few")
    for number in (7, 8, 9, 11):
        put(root / f"wav/test/sys02tts-{number:07}.wav", encode("WAV"))
    with (root / "train.csv").open(newline="") as file:
        of_bvcc = [list(csv.reader(file))[-1][0]]
    for split in ("val", "test"):
        with (root / f"{split}.csv").open(newline="") as file:
            of_bvcc.append(list(csv.reader(file))[2][0])
    train, val, test = (name.removesuffix(".wav") for name in of_bvcc)
    return Dummy(
        options={"license": "CC-BY-NC-SA-4.0"},
        problems=[
            ("sys01tts-0000000", None),
            (train, "missing_bvcc_clip"),
            ("sys01tts-0000001", None),
            (val, "missing_bvcc_clip"),
            ("sys01tts-0000002", None),
            (test, "missing_bvcc_clip"),
            ("sys02tts-0000007", "rating_out_of_range"),
            ("sys02tts-0000008", "missing_rating"),
            ("sys02tts-0000009", "missing_reference"),
            ("test.csv:7", "malformed_name"),
            ("test.csv:8", "malformed_name"),
            ("sys02tts-0000010", "missing_audio"),
            ("test.csv:10", "malformed_row"),
            ("wav/test/sys02tts-0000011.wav", "missing_rating"),
        ],
    )


def covost2(root: Path) -> Dummy:
    """Quotes, backslashes and ``NA`` that are texts; rows with too few fields, no translation, no text, a path."""
    question_miniatures.covost2(root, rows=3)
    file = "covost_v2.en_de.test.tsv"
    append(
        root / file,
        "gone.mp3\tGone\tWeg\tc1",
        "common_voice_en_18540003.mp3\tTwice\tZweimal\tc1",
        "a.mp3\tNo translation\t\tc1",
        "b.mp3\t\tLeer\tc1",
        "../c.mp3\tOut\tHinaus\tc1",
        "d.mp3\tToo few",
        b"e.mp3\tCaf\xe9\tCaf\xe9\tc1",
        'f.mp3\t"Open\tOffen\t',
    )
    for name in "abdef":
        put(root / f"clips/{name}.mp3", encode("MP3"))
    first = 18540003
    return Dummy(
        problems=[
            *((f"common_voice_en_{first + number}", None) for number in range(9)),
            ("gone", "missing_audio"),
            (f"common_voice_en_{first}", "duplicate_id"),
            ("a", "missing_reference"),
            ("b", "empty_text"),
            (f"{file}:9", "malformed_name"),
            (f"{file}:10", "malformed_row"),
            ("e", "undecodable_metadata"),
            ("f", None),
        ]
    )


def librisqa(root: Path) -> Dummy:
    """A list of objects, one per line: an empty answer, no question, a path of nothing, and what is no object."""
    question_miniatures.librisqa(root, recordings=1)
    file = "LibriSQA-PartI/LibriSQA-PartI-test.json"
    good = json.loads((root / file).read_text())[0]
    prefixed = "/private/LibriSpeech/test-clean/61/70968/61-70968-0000.flac"
    more = [
        good | {"question": "Why?", "answer": ""},
        good | {"question": None},
        good | {"speech_path": "x.wav"},
        good | {"speech_path": good["speech_path"].replace("0000", "0009")},
        good | {"question": "Where?", "speech_path": prefixed},
        good | {"question": "When?", "text": " "},
        [],
        good | {"answer": "Another one."},
    ]
    text = (root / file).read_text().rstrip("]\n")
    put(root / file, text + "".join(f",\n{json.dumps(item)}" for item in more) + "]\n")
    # First digits of the sha256 of ["question","What did he begin?"], and so on.
    begun, against, why, where, when = "6278d8a5", "aeb36377", "4031d103", "fc65dc24", "e5f605f2"
    return Dummy(
        problems=[
            (f"100-70968-0000-{begun}", None),
            (f"100-70968-0000-{against}", None),
            (f"61-70968-0000-{begun}", None),
            (f"61-70968-0000-{against}", None),
            (f"61-70968-0000-{why}", "missing_reference"),
            (f"{file}:4", "missing_question"),
            (f"{file}:5", "malformed_name"),
            (f"61-70968-0009-{begun}", "missing_audio"),
            (f"61-70968-0000-{where}", None),
            (f"61-70968-0000-{when}", "missing_transcript"),
            (f"{file}:9", "malformed_row"),
            (f"61-70968-0000-{begun}", "duplicate_id"),
        ]
    )


def esd(root: Path) -> Dummy:
    """One sentence in five emotions; then lines without tabs, text or recording, and recordings that no line has."""
    emotion_miniatures.esd(root, speakers=["0001", "0011"], sentences=1)
    speakers = root / "Emotion Speech Dataset"
    file = "Emotion Speech Dataset/0011/0011.txt"
    append(
        root / file,
        "0011_000002 The nine the eggs. Neutral",
        "0011_000003\tNo emotion.",
        "0011_000004\tGone.\tNeutral",
        "0011_000005\t \tNeutral",
        "0011_000006\tNot as it lies.\tHappy",
        "0011_000007\tAn emotion of another name.\tneutral",
        "",
        "0011_000001\tTwice.\tNeutral",
    )
    for name in ("0011_000002", "0011_000005", "0011_000006", "0011_000007", "0011_000351", "0012_000002", "0011_000008"):
        put(speakers / f"0011/Neutral/{name}.wav", encode("WAV"))
    put(speakers / "0011/Neutral/._0011_000002.wav", b"\x00\x05\x16\x07")
    put(speakers / "0011/Sad/train/0011_001051.wav", encode("WAV"))
    put(speakers / "0011/notes.txt", "no transcript")
    emotions = (1, 351, 701, 1051, 1401)
    return Dummy(
        problems=[
            *((f"0001_{number:06}", None) for number in emotions),
            ("0011_000001", None),
            ("0011_000002", None),
            ("0011_000005", "empty_text"),
            ("0011_000006", "contradicting_row"),
            ("0011_000007", None),
            ("0011_000008", "missing_transcript"),
            ("0011_000351", None),
            ("0011_000351", "malformed_name"),
            ("0011_000701", None),
            ("0011_001051", None),
            ("0011_001051", "duplicate_id"),
            ("0011_001401", None),
            ("0012_000002", "malformed_name"),
            ("0011_000004", "missing_audio"),
            (f"{file}:7", "malformed_row"),
            ("0011_000001", "duplicate_id"),
        ]
    )


def dailytalk(root: Path) -> Dummy:
    """Two good dialogues; then turns by nobody, without recording or words, keys that are no numbers or stand twice."""
    emotion_miniatures.dailytalk(root)
    for name in ("10/0_1_d10", "10/1_0_d10", "1/9_0_d1", "1/notes", "10/3_0_d10", "2/0_0_d2"):
        put(root / f"data/{name}.wav", encode("WAV"))
    text = (root / "metadata.json").read_text().rstrip("}\n ")
    more = (
        '"2": {"0": {"text": "A.",\n "speaker": 2, "emotion": "none"}, "x": {"text": "B.", "speaker": 0}}',
        '"10": {"1": {"text": "Second.", "speaker": 0},\n "0": {"text": "First.", "speaker": 1, "emotion": null},',
        '"2": {"text": "Gone.", "speaker": 1}, "3": {"text": null, "speaker": 0},',
        '"1": {"text": "Again.", "speaker": 0}, "4": {"text": "a", "text": "b", "speaker": 0}}}',
    )
    put(root / "metadata.json", text + "}},\n" + more[0] + ",\n" + "\n".join(more[1:]))
    good = ("0_0_d0", "1_1_d0", "2_0_d0", "0_0_d1", "1_1_d1", "2_0_d1", "3_1_d1", "0_1_d10", "1_0_d10")
    unlisted = (("9_0_d1", "missing_transcript"), ("notes", "malformed_name"), ("0_0_d2", "missing_transcript"))
    return Dummy(
        problems=[
            ("metadata.json:67", "malformed_turn"),
            ("metadata.json:68", "malformed_turn"),
            ("metadata.json:72", "malformed_turn"),
            *((name, None) for name in good),
            ("1_0_d10", "duplicate_id"),
            ("2_1_d10", "missing_audio"),
            ("3_0_d10", "missing_transcript"),
            *unlisted,
        ]
    )


BUILDERS: Mapping[str, Callable[[Path], Dummy]] = {
    "bvcc": bvcc,
    "covost2": covost2,
    "dailytalk": dailytalk,
    "esd": esd,
    "librisqa": librisqa,
    "nisqa": nisqa,
    "qualispeech": qualispeech,
    "singmos": singmos,
    "somos": somos,
    "tmhint_qi": tmhint_qi,
    "vmc23": vmc23,
}
"""One builder per corpus plug-in; a new reader adds its own here or in ``tests/corpora/dummies.py``."""
