"""Builders of tiny corpora of reference speech, in their real layouts (see ``tests.corpora.dummies``)."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.corpora.dummies import Dummy, encode, put


def emilia(root: Path) -> Dummy:
    """Two languages; a missing recording, a line that is no object, another language than the folder's, a path out."""
    folder = root / "raw/EN"
    lines = [
        {
            "id": "EN_1",
            "wav": "EN_B00000/mp3/EN_1.mp3",
            "text": " So it goes.",
            "speaker": "EN_s",
            "language": "en",
            "dnsmos": 3.3,
        },
        {"id": "EN_2", "wav": "EN_B00000/mp3/EN_2.mp3", "text": " Gone.", "speaker": "EN_s", "language": "en"},
        ["no object"],
        {"id": "EN_3", "wav": "EN_B00000/mp3/EN_3.mp3", "text": " Bonjour.", "language": "fr"},
        {"id": "EN_4", "wav": "../../secret.mp3", "text": " Hm."},
        {"id": "EN_5", "wav": "EN_B00000/mp3/EN_5.mp3", "text": "  "},
        {"id": "EN_1", "wav": "EN_B00000/mp3/EN_1.mp3", "text": " Twice."},
        {"id": 7, "wav": "x.mp3", "text": "x"},
    ]
    put(folder / "EN_B00000.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    for name in ("EN_1", "EN_3", "EN_5"):
        put(folder / f"EN_B00000/mp3/{name}.mp3", encode("MP3"))
    other = {"id": "ZH_1", "wav": "ZH_B00000/ZH_1.mp3", "text": " 你好。", "speaker": "ZH_s", "language": "zh"}
    put(root / "raw/ZH/ZH_B00000.jsonl", json.dumps(other, ensure_ascii=False) + "\n")
    put(root / "raw/ZH/ZH_B00000/ZH_1.mp3", encode("MP3"))
    return Dummy(
        problems=[
            ("EN_1", None),
            ("EN_2", "missing_audio"),
            ("raw/EN/EN_B00000.jsonl:3", "malformed_row"),
            ("EN_3", "contradicting_row"),
            ("EN_4", "path_outside_corpus"),
            ("EN_5", "empty_text"),
            ("EN_1", "duplicate_id"),
            ("raw/EN/EN_B00000.jsonl:8", "malformed_row"),
            ("ZH_1", None),
        ]
    )


def l2_arctic(root: Path) -> Dummy:
    """Two speakers; a recording without transcript, one without audio, an empty transcript, files of macOS, other folders."""
    for speaker in ("HKK", "ABA"):
        put(root / speaker / "wav/arctic_a0001.wav", encode("WAV", rate=44100))
        put(root / speaker / "transcript/arctic_a0001.txt", "Author of the danger trail\n")
        put(root / speaker / "annotation/arctic_a0001.TextGrid", "x")
    put(root / "ABA/wav/arctic_a0002.wav", encode("WAV"))
    put(root / "ABA/transcript/arctic_a0003.txt", "Not recorded")
    put(root / "ABA/wav/arctic_a0004.wav", encode("WAV"))
    put(root / "ABA/transcript/arctic_a0004.txt", "")
    put(root / "ABA/wav/._arctic_a0001.wav", b"\x00\x05\x16\x07")
    put(root / "suitcase_corpus/wav/aba.wav", encode("WAV"))
    return Dummy(
        problems=[
            ("ABA_arctic_a0001", None),
            ("ABA_arctic_a0002", "missing_transcript"),
            ("ABA_arctic_a0003", "missing_audio"),
            ("ABA_arctic_a0004", "empty_text"),
            ("HKK_arctic_a0001", None),
        ]
    )


def kespeech(root: Path) -> Dummy:
    """Two parts; a noise tag, a line without a recording, a recording without a line, a path out, a text of noise alone."""
    folder = root / "Tasks/ASR/train_phase1"
    put(folder / "text", "1_a 今天<SPOKEN_NOISE>天气好\n1_b 没有录音\n1_c\n1_d <SPOKEN_NOISE>\n1_e 外面\n\n1_a 两次\n")
    paths = "1_a Audio/1/a.wav\n1_c Audio/1/c.wav\n1_d Audio/1/d.wav\n1_e ../e.wav\n1_f Audio/1/f.wav\n"
    put(folder / "wav.scp", paths)
    put(folder / "utt2spk", "1_a 1\n1_d 1\n")
    put(folder / "utt2subdialect", "1_a Beijing\n1_d Beijing\n")
    for name in "acdf":
        put(root / f"Audio/1/{name}.wav", encode("WAV"))
    put(root / "Tasks/ASR/test/text", "9_a 你好\n")
    put(root / "Tasks/ASR/test/wav.scp", "9_a Audio/1/f.wav\n")
    return Dummy(
        problems=[
            ("1_a", None),
            ("1_b", "missing_audio"),
            ("1_c", "empty_text"),
            ("1_d", "empty_text"),
            ("1_e", "path_outside_corpus"),
            ("1_a", "duplicate_id"),
            ("1_f", "missing_transcript"),
            ("9_a", None),
        ]
    )


BUILDERS: Mapping[str, Callable[[Path], Dummy]] = {"emilia": emilia, "l2_arctic": l2_arctic, "kespeech": kespeech}
