"""Builders of tiny corpora: for each reader a folder in its real layout, with every defect that was seen in the wild."""

import gzip
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile


@dataclass(frozen=True, kw_only=True)
class Dummy:
    """What a reader must find: problem (None = usable) of every source id, in order, and the options that it needs."""

    problems: list[tuple[str, str | None]]
    options: Mapping[str, Any] = field(default_factory=dict)


def encode(kind: str, seconds: float = 0.5, rate: int = 16000) -> bytes:
    """Return half a second of noise as an audio file (WAV, FLAC, MP3)."""
    noise = (np.random.default_rng(7).standard_normal(int(seconds * rate)) * 3000).astype("int16")
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, rate, format=kind)
    return buffer.getvalue()


def put(path: Path, data: bytes | str) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def libritts_r(root: Path) -> Dummy:
    """Two speakers in two parts; macOS files, a latin-1 line, a missing WAV, an untranscribed one, the known bad file."""
    put(root / "SPEAKERS.txt", ";id|sex|subset|minutes|name\n1092 | F | train | 10.0 | A B\n84 | F | dev-clean | 8.1 | C|D\n")
    chapter = root / "train-clean-100" / "1092" / "134562"
    stem = "1092_134562_000013_00000"
    good = f"{stem}0\tMr. Holt said no.\tMister Holt said no.\n".encode()
    latin = f"{stem}1\tCaf\xe9.\tCaf\xe9.\n".encode("latin-1")
    rest = (
        f"{stem}2\tgone\tgone\n{stem}3\t\t  \n{stem}4\tbad\tbad\n{stem}0\tAgain.\tAgain.\nonly one field\n"
        f"{stem}6\tx\t{'word ' * 1000}\n{stem}7\tcut\tcut off\n{stem}8\tnothing\tnothing\n"
    )
    put(chapter / "1092_134562.trans.tsv", b"\xef\xbb\xbf" + good + latin + rest.encode())
    put(chapter / "._1092_134562.trans.tsv", b"\x00\x05\x16\x07")
    put(chapter / "1092_134562.book.tsv", f"{stem}0\ttext\t1.0\n")
    for number in (0, 1, 3, 4, 5, 6):
        put(chapter / f"{stem}{number}.wav", encode("WAV", rate=24000))
    put(chapter / f"{stem}7.wav", encode("WAV", rate=24000)[:-4000])
    put(chapter / f"{stem}8.wav", b"")
    put(chapter / f"._{stem}0.wav", b"\x00\x05\x16\x07")
    other = root / "dev-clean" / "84" / "121123"
    put(other / "84_121123.trans.tsv", "84_121123_000007_000001\tGo!\tGo!\n")
    put(other / "84_121123_000007_000001.wav", encode("MP3"))  # an MP3 named .wav
    stranger = root / "dev-clean" / "9999" / "1"
    put(stranger / "9999_1.trans.tsv", "9999_1_000001_000000\tWho?\tWho?\n")
    put(stranger / "9999_1_000001_000000.wav", encode("WAV"))
    name = "train-clean-100/1092/134562/1092_134562.trans.tsv"
    return Dummy(
        problems=[
            ("84_121123_000007_000001", None),
            ("9999_1_000001_000000", "unknown_speaker"),
            (f"{stem}0", None),
            (f"{stem}0", "duplicate_id"),
            (f"{stem}1", "undecodable_metadata"),
            (f"{stem}2", "missing_audio"),
            (f"{stem}3", "empty_text"),
            (f"{stem}4", "known_bad_file"),
            (f"{stem}5", "missing_transcript"),
            (f"{stem}6", "text_too_long"),
            (f"{stem}7", "truncated_audio"),
            (f"{stem}8", "empty_audio"),
            (f"{name}:7", "malformed_row"),
        ]
    )


def manifest(root: Path) -> Dummy:
    """A CSV with byte order mark, quoted commas, and one row per defect."""
    rows = [
        b'a1,wavs/good.wav,"Hello, world",spk1,en,regular,,CC0-1.0,d,1',
        b"a2,wavs/mp3_named.wav,\xe4\xbd\xa0\xe5\xa5\xbd,spk2,zh,expressive,happy,CC0-1.0,d,2",
        b"a1,wavs/good.wav,Hello again,spk1,en,,,CC0-1.0,,",
        b",wavs/good.flac,No id,spk1,en,,,CC0-1.0,,",
        b"a5,wavs/gone.wav,Not there,spk1,en,,,CC0-1.0,,",
        b"a6,wavs/good.wav,   ,spk1,en,,,CC0-1.0,,",
        b"a7,wavs/good.wav,Caf\xe9,spk1,en,,,CC0-1.0,,",
        b",/etc/private/x.wav,Absolute,spk1,en,,,CC0-1.0,,",
        b"a9,../outside.wav,Climbing,spk1,en,,,CC0-1.0,,",
        b"a10,wavs/good.wav,No licence,spk1,en,,,,,",
        b"a11,wavs/good.wav,No language,spk1,,,,CC0-1.0,,",
        b"a12,wavs/good.wav,Odd style,spk1,en,shouting,,CC0-1.0,,",
        b"a13,wavs/good.wav,too few fields",
        b"a14,wavs/good.wav," + b"word " * 1000 + b",spk1,en,,,CC0-1.0,,",
        b"a15,,No audio,spk1,en,,,CC0-1.0,,",
        b"a16,wavs/cut.wav,Cut off,spk1,en,,,CC0-1.0,,",
        b"a17,wavs/good.wav,Second again,spk2,en,,,CC0-1.0,d,2",
        b"a18,wavs/good.wav,No turn,spk2,en,,,CC0-1.0,d,",
    ]
    put(
        root / "manifest.csv",
        b"\xef\xbb\xbfid,audio,text,speaker,language,style,emotion,license,dialogue,turn\r\n" + b"\r\n".join(rows) + b"\r\n",
    )
    put(root / "wavs" / "good.wav", encode("WAV"))
    put(root / "wavs" / "good.flac", encode("FLAC"))
    put(root / "wavs" / "mp3_named.wav", encode("MP3"))
    put(root / "wavs" / "cut.wav", encode("WAV")[:-1000])
    put(root / "wavs" / "._good.wav", b"\x00\x05\x16\x07")
    return Dummy(
        problems=[
            ("a1", None),
            ("a2", None),
            ("a1", "duplicate_id"),
            ("wavs/good.flac", None),
            ("a5", "missing_audio"),
            ("a6", "empty_text"),
            ("a7", "undecodable_metadata"),
            ("manifest.csv:9", "path_outside_corpus"),
            ("a9", "path_outside_corpus"),
            ("a10", "missing_license"),
            ("a11", "missing_language"),
            ("a12", "unknown_style"),
            ("manifest.csv:14", "malformed_row"),
            ("a14", "text_too_long"),
            ("a15", "missing_audio"),
            ("a16", "truncated_audio"),
            ("a17", "duplicate_turn"),
            ("a18", "malformed_turn"),
        ]
    )


def jsonl(root: Path) -> Dummy:
    """The same kind of corpus as JSON Lines: one broken line, numbers as ids, a line separator inside a text."""
    lines = [
        json.dumps({"audio": "x.wav", "text": "One\u2028two", "id": 1, "speaker": 5}, ensure_ascii=False),
        '{"audio": "x.wav", "text": "cut',
        "[1, 2]",
        json.dumps({"audio": "x.wav", "text": 5, "id": "n"}),
        json.dumps({"audio": "x.wav", "text": None, "id": "t"}),
    ]
    put(root / "manifest.jsonl", "\n".join(lines) + "\n")
    put(root / "x.wav", encode("WAV"))
    return Dummy(
        options={"license": "CC-BY-4.0", "language": "en"},
        problems=[
            ("1", None),
            ("manifest.jsonl:2", "malformed_row"),
            ("manifest.jsonl:3", "malformed_row"),
            ("manifest.jsonl:4", "malformed_row"),
            ("t", "missing_transcript"),
        ],
    )


def asterisk_prompts(root: Path) -> Dummy:
    """A few prompts, two of them notes, one without recording, one recording without text."""
    text = (
        "; Core sounds\n\nactivated: Activated.\nletters/at: at [@]\nsilence/1: (1 second of silence)\ngone: Not recorded.\n"
        "vm-intro: Please leave: your message.\nno colon here\nactivated: Twice.\nvoid: Nothing.\n"
    )
    put(root / "doc/asterisk-core-sounds-en/core-sounds-en.txt.gz", gzip.compress(text.encode(), mtime=0))
    sounds = root / "asterisk/sounds/en_US_f_Allison"
    for name, seconds in {
        "activated": 1.0,
        "letters/at": 0.5,
        "silence/1": 1.0,
        "vm-intro": 2.5,
        "untold": 1.0,
        "void": 0.0,
    }.items():
        put(sounds / f"{name}.g722", b"\x55" * int(8000 * seconds))
    put(sounds / "._activated.g722", b"\x00")
    file = "doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    return Dummy(
        problems=[
            ("activated", None),
            ("activated", "duplicate_id"),
            (f"{file}:8", "malformed_row"),
            ("gone", "missing_audio"),
            ("letters/at", "bracketed_note"),
            ("silence/1", "bracketed_note"),
            ("untold", "missing_transcript"),
            ("vm-intro", None),
            ("void", "empty_audio"),
        ]
    )


def mandarin_sentences(root: Path) -> Dummy:
    """The packaged sentences, and the prompts that are short enough."""
    prompts = asterisk_prompts(root)
    return Dummy(problems=[*((f"mandarin-{number:02d}", None) for number in range(1, 51)), *prompts.problems])


def pocketsphinx_librivox(root: Path) -> Dummy:
    """Three clips, one without audio, one without text, and a broken line."""
    put(root / "transcription", "<s> he was young </s> (sense-01)\n<s> gone </s> (sense-02)\nbroken\n<s>  </s> (sense-03)\n")
    for number in (1, 3, 4):
        put(root / f"sense-0{number}.wav", encode("WAV"))
    return Dummy(
        problems=[
            ("sense-01", None),
            ("sense-02", "missing_audio"),
            ("transcription:3", "malformed_row"),
            ("sense-03", "empty_text"),
            ("sense-04", "missing_transcript"),
        ]
    )


BUILDERS: Mapping[str, Callable[[Path], Dummy]] = {
    "asterisk_prompts": asterisk_prompts,
    "libritts_r": libritts_r,
    "mandarin_sentences": mandarin_sentences,
    "manifest": manifest,
    "pocketsphinx_librivox": pocketsphinx_librivox,
}
"""One builder per corpus plug-in; a new reader adds its own."""
