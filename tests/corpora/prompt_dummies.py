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


def paraspeechcaps(root: Path) -> Dummy:
    """Two splits of two sources; missing audio, speakers and texts, a path out, a row without a path, an unknown source."""
    put(root / "ears/p001/a.wav", encode("WAV", rate=48000))
    put(root / "vox/b_voicefixer.wav", encode("WAV"))
    rows = [
        {"source": "ears", "relative_audio_path": "p001/a.wav", "transcription": "Be quiet!", "speakerid": "p001",
         "situational_tags": ["whispered", "scared"], "intrinsic_tags": None, "accent": None, "duration": 0.5},
        {"source": "voxceleb", "relative_audio_path": "b_voicefixer.wav", "transcription": "Good morning.", "speakerid": "id2",
         "situational_tags": None, "intrinsic_tags": ["deep"], "accent": "Scottish"},
        {"source": "ears", "relative_audio_path": "p001/gone.wav", "transcription": "Gone.", "speakerid": "p001"},
        {"source": "ears", "relative_audio_path": "p001/a.wav", "transcription": "Twice.", "speakerid": "p001"},
        {"source": "voxceleb", "relative_audio_path": "../secret.wav", "transcription": "Out.", "speakerid": "id2"},
        {"source": "voxceleb", "transcription": "No path.", "speakerid": "id2"},
        {"source": "emilia", "relative_audio_path": "EN/x.mp3", "transcription": "No such source here.", "speakerid": "x"},
        ["no object"],
    ]  # fmt: skip
    put(root / "train_base.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    put(root / "ears/p002/c.wav", encode("WAV"))
    put(root / "ears/p002/d.wav", encode("WAV"))
    held = [
        {"source": "ears", "relative_audio_path": "p002/c.wav", "transcription": "Nobody.", "speakerid": None},
        {"source": "ears", "relative_audio_path": "p002/d.wav", "transcription": " ", "speakerid": "p002"},
    ]
    put(root / "holdout.jsonl", "".join(json.dumps(row) + "\n" for row in held))
    put(root / "notes.txt", "x")
    return Dummy(
        options={"sources": {"voxceleb": "vox"}},
        problems=[
            ("ears/p001/a.wav", None),
            ("voxceleb/b_voicefixer.wav", None),
            ("ears/p001/gone.wav", "missing_audio"),
            ("ears/p001/a.wav", "duplicate_id"),
            ("train_base.jsonl:5", "path_outside_corpus"),
            ("train_base.jsonl:6", "malformed_row"),
            ("emilia/EN/x.mp3", "missing_audio"),
            ("train_base.jsonl:8", "malformed_row"),
            ("ears/p002/c.wav", "missing_speaker"),
            ("ears/p002/d.wav", "empty_text"),
        ],
    )


def genshin_voice(root: Path) -> Dummy:
    """Lines in three languages; no speaker, no text, a placeholder, missing audio, a path out, a row without a file."""
    for name in ("a", "b", "c", "d", "e", "f"):
        put(root / f"audio/{name}.wav", encode("WAV", rate=48000))

    def row(name: str, text: str, language: str = "English(US)", speaker: str = "Paimon") -> dict[str, str]:
        return {"file_name": name, "transcription": text, "language": language, "speaker": speaker, "type": "Dialog"}

    rows = [
        row("audio/a.wav", "Let us go!"),
        row("audio/b.wav", "我们走吧!", "Chinese", "派蒙"),
        row("audio/c.wav", "行こう!", "Japanese"),
        row("audio/d.wav", "Who is there?", speaker=" "),
        row("audio/e.wav", ""),
        row("audio/f.wav", "Hello, {NICKNAME}."),
        row("audio/gone.wav", "Gone."),
        row("/etc/x.wav", "Out."),
        {"transcription": "No file.", "language": "English(US)", "speaker": "Paimon"},
        row("audio/a.wav", "Twice."),
    ]
    put(root / "metadata.jsonl", "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows))
    return Dummy(
        problems=[
            ("audio/a.wav", None),
            ("audio/b.wav", None),
            ("audio/c.wav", "other_language"),
            ("audio/d.wav", "missing_speaker"),
            ("audio/e.wav", "empty_text"),
            ("audio/f.wav", "bracketed_note"),
            ("audio/gone.wav", "missing_audio"),
            ("metadata.jsonl:8", "path_outside_corpus"),
            ("metadata.jsonl:9", "malformed_row"),
            ("audio/a.wav", "duplicate_id"),
        ]
    )


BUILDERS: Mapping[str, Callable[[Path], Dummy]] = {
    "emilia": emilia,
    "l2_arctic": l2_arctic,
    "kespeech": kespeech,
    "paraspeechcaps": paraspeechcaps,
    "genshin_voice": genshin_voice,
}
