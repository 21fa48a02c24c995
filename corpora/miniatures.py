"""Miniatures of corpora that people have rated, each in the layout of the real one, as its reader describes it.

For tests and demonstrations: sounds are chains of vowels, ratings are computed (see ``corpora.dummies``); names, columns,
numbers and oddities are as in the real corpus. The first system of each is the best. The same arguments give the same files.
"""

import argparse
import csv
import hashlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
from scipy.io import wavfile

from corpora.dummies import scores, spoken, vowels

_RATE: Final = 16000
_TTS_SENTENCES: Final = ("novel_2007_", "booksent_2012_", "wiki_", "gen_2008_")
_ANSWERS: Final = "track{}_answer.txt"


def bvcc(folder: str | Path, *, contents: int = 4, systems: int = 3, raters: int = 4, seed: int = 0) -> Path:
    """Write BVCC: the last content is the test set, the one before the development set. Returns the folder."""
    folder = Path(folder)
    ratings, means = dict[str, list[str]](), dict[str, list[str]]()
    for content in range(contents):
        split = _split_of(content, contents, ("train", "dev", "test"))
        for system in range(systems):
            name = f"sys{_hash('system', system)[:5]}-utt{_hash('clip', content, system)[:7]}"
            quality = _quality(system, systems)
            _write_clip(folder / f"DATA/wav/{name}.wav", content, quality, seed)
            given = scores(quality, raters, name, seed)
            for rater, score in enumerate(given):
                sex = ("Female", "Male")[rater % 2]
                listener = (
                    f"{{}}_{20 + 10 * (rater % 4)}-{29 + 10 * (rater % 4)}_{_hash('listener', rater)[:12]}_{sex}_Valid_1_No"
                )
                line = f"{name.partition('-')[0]},{name}.wav,{score},VDP{_hash('test', content)[:9]}_1,{listener}"
                ratings.setdefault(split, []).append(line)
            means.setdefault(split, []).append(f"{name}.wav,{statistics.fmean(given)}")
    for split, (set_name, list_name) in {
        "train": ("TRAINSET", "train"),
        "dev": ("DEVSET", "val"),
        "test": ("TESTSET", "test"),
    }.items():
        _write_lines(folder / f"DATA/sets/{set_name}", ratings.get(split, ()))
        _write_lines(folder / f"DATA/sets/{list_name}_mos_list.txt", means.get(split, ()))
    return folder


def somos(folder: str | Path, *, contents: int = 4, systems: int = 3, raters: int = 4, seed: int = 0) -> Path:
    """Write SOMOS: the first system is natural speech, and the first listener's ratings are full only. Returns the folder."""
    folder = Path(folder)
    ratings, means = dict[tuple[str, str], list[str]](), dict[tuple[str, str], list[str]]()
    for content in range(contents):
        split = _split_of(content, contents, ("train", "valid", "test"))
        for system in range(systems):
            name = f"{_TTS_SENTENCES[content % len(_TTS_SENTENCES)]}{content + 46:04}_{system:03}"
            quality = _quality(system, systems)
            _write_clip(folder / f"audios/{name}.wav", content, quality, seed, rate=24000)
            given = scores(quality, raters, name, seed)
            for version, first in (("full", 0), ("clean", min(1, raters - 1))):
                lines = [
                    f"{system:03},{name}.wav,{score},{_hash('worker', rater)[:10].upper()}2020611127"
                    for rater, score in enumerate(given)
                    if rater >= first
                ]
                ratings.setdefault((version, split), []).extend(lines)
                means.setdefault((version, split), []).append(f"{name},{statistics.fmean(given[first:])}")
    for version in ("clean", "full"):
        for split, set_name in {"train": "TRAINSET", "valid": "VALIDSET", "test": "TESTSET"}.items():
            where = folder / "training_files/split1" / version
            _write_lines(where / set_name, ["systemId,utteranceId,choice,listenerId", *ratings.get((version, split), ())])
            _write_lines(where / f"{split}_mos_list.txt", ["utteranceId,mean", *means.get((version, split), ())])
    return folder


def nisqa(folder: str | Path, *, contents: int = 2, conditions: int = 2, seed: int = 0) -> Path:
    """Write NISQA's TRAIN_SIM, VAL_SIM, TRAIN_LIVE and TEST_LIVETALK, which is German. Returns the folder."""
    folder = Path(folder)
    dimensions = ("noi", "col", "dis", "loud")
    for part, language in (("TRAIN_SIM", "en"), ("VAL_SIM", "en"), ("TRAIN_LIVE", "en"), ("TEST_LIVETALK", "de")):
        db = f"NISQA_{part}"
        rows = list[dict[str, Any]]()
        for content in range(contents):
            reference = f"s{content + 1:02}_{language}.wav" if part.endswith("SIM") else ""
            if reference:
                _write_clip(folder / db / "ref" / reference, content, 1.0, seed, rate=48000)
            for condition in range(conditions):
                number, quality = content * conditions + condition + 1, _quality(condition, conditions)
                name = f"c{number:05}_{reference or f'live{content + 1}.wav'}"
                _write_clip(folder / db / "deg" / name, content, quality, seed, rate=48000)
                given = scores(quality, 5, f"{part} {name}", seed)
                row: dict[str, Any] = {
                    "db": db,
                    "con": number,
                    "file": 1,
                    "con_description": f"bgn {15 + 10 * condition} dB, arb_filt" if reference else "",
                    "filename_deg": name,
                    "filename_ref": reference,
                    "source": "AusTalk" if reference else "LIVE",
                    "lang": language,
                    "votes": len(given),
                    "mos": statistics.fmean(given),
                }
                row |= dict.fromkeys(dimensions, statistics.fmean(given))
                row |= {f"{scale}_std": statistics.stdev(given) for scale in (*dimensions, "mos")}
                row |= {"filepath_deg": f"{db}/deg/{name}", "filepath_ref": reference and f"{db}/ref/{reference}"}
                rows.append(row | ({"filter": "arb_filt", "bgn": "x", "clipping": ""} if reference else {}))
        _write_table(folder / db / f"{db}_file.csv", rows)
    return folder


def singmos(folder: str | Path, *, clips: int = 4, systems: int = 3, seed: int = 0) -> Path:
    """Write SingMOS: the last clip of each system is in ``eval``, the one before in ``val``. Returns the folder."""
    folder = Path(folder)
    lists: dict[str, list[str]] = {"train": [], "val": [], "eval": []}
    for clip in range(clips):
        for system in range(systems):
            name = f"voicemos2024-track2-sys{system + 1:04}-utt{clip * systems + system + 1:04}"
            quality = _quality(system, systems)
            _write_clip(folder / f"wav/{name}.wav", clip, quality, seed)
            mean = statistics.fmean(scores(quality, 5, name, seed))
            lists[_split_of(clip, clips, ("train", "val", "eval"))].append(f"{name},{mean:.6f}")
    for split, lines in lists.items():
        _write_lines(folder / f"sets/{split}_mos_list.txt", lines)
    return folder


def tmhint_qi(folder: str | Path, *, contents: int = 3, raters: int = 3, seed: int = 0) -> Path:
    """Write TMHINT-QI: clean speech, and noisy speech as it is and enhanced; the last sentence is the test. Returns the folder.

    As in the real table, a rating of the last clip is empty, and one is 0.
    """
    folder = Path(folder)
    methods = ("clean", "FCN", "Trans", "Noisy")
    rows = list[dict[str, Any]]()
    for content in range(contents):
        said = f"{('g4', 'b2')[content % 2]}_{content + 20:02}_{content + 1:02}"
        split = "test" if content == contents - 1 else "train"
        for place, method in enumerate(methods):
            noise, snr = (
                ("", "")
                if method == "clean"
                else (("babble", "street", "pink", "white")[content % 4], (-2, 0, 2, 5)[content % 4])
            )
            name = f"{method}_TMHINT_{said}" if method == "clean" else f"{method}_{noise}_snr{snr}_TMHINT_{said}"
            quality = _quality(place, len(methods))
            _write_clip(folder / split / f"{name}.wav", content, quality, seed, floats=True)
            for score in scores(quality, raters, name, seed):
                given = {"method": method, "uttr": f"TMHINT_{said}", "snr": snr, "noise": noise, "quality_score": score}
                rows.append({"idx": len(rows), **given, "intelligibility_score": 2 * score, "file_name": name})
    rows.append(rows[-1] | {"idx": len(rows), "quality_score": ""})
    rows.append(rows[-1] | {"idx": len(rows), "quality_score": 0})
    _write_table(folder / "raw_data.csv", rows)
    return folder


def vmc23(folder: str | Path, *, contents: int = 2, systems: int = 2, seed: int = 0) -> Path:
    """Write the three tracks of VMC'23, with one row of track 3 that is foreign to it. Returns the folder."""
    folder = Path(folder)
    for track in (1, 2, 3):
        answers = list[str]()
        for content in range(contents):
            for place, name in enumerate(_vmc23_names(track, content, systems)):
                quality = _quality(min(place, systems - 1), systems)
                _write_clip(folder / f"track{track}" / f"{name}.wav", content, quality, seed)
                answers.append(f"{name},{statistics.fmean(scores(quality, 7, name, seed))}")
        if track == 3:
            answers.append("VoiceMOS2023Track3-TMHINT_b3_19_01,3.857142857142857")
        _write_lines(folder / _ANSWERS.format(track), answers)
    return folder


def _vmc23_names(track: int, content: int, systems: int) -> list[str]:
    if track == 1:
        return [f"VoiceMOS2023Track1-{'ABCDEF'[system]}-AD_test_{content + 26:04}" for system in range(systems)]
    if track == 2:
        own = f"VoiceMOS2023Track2-SOU-SF1-SF1-{30001 + content}"
        return [own, *(f"VoiceMOS2023Track2-T{system + 2:02}-SF1-CDF1-{30001 + content}" for system in range(systems))]
    said = f"TMHINT_g4_{32 - content:02}_{content + 3:02}"
    methods = ("FCN", "Trans", "DEMUCS", "MMSE")[:systems]
    clean = f"VoiceMOS2023Track3-clean_{said}"
    return [clean, *(f"VoiceMOS2023Track3-{method}_snr-2_white_{said}" for method in (*methods, "Noisy"))]


def qualispeech(folder: str | Path, *, clips: int = 2, merged: bool = True, seed: int = 0) -> Path:
    """Write QualiSpeech: each split has clips of its own and one of BVCC's. Returns the folder.

    Args:
        folder: where to write.
        clips: how many clips of its own a split has.
        merged: whether BVCC's clips are there, as after the corpus's merging script.
        seed: decides sounds and scores.
    """
    folder = Path(folder)
    aspects = ("Speed", "Naturalness", "Background noise", "Distortion", "Listening effort", "Continuity", "Overall quality")
    for place, split in enumerate(("train", "val", "test")):
        rows = list[Mapping[str, Any]]()
        names = [f"sys{number + 1:02}tts-{place * clips + number:07}.wav" for number in range(clips)]
        of_bvcc = f"sys{_hash('system', place)[:5]}-utt{_hash('clip', place)[:7]}.wav"
        for number, name in enumerate([*names, of_bvcc]):
            quality = _quality(number, clips + 1)
            if merged or name != of_bvcc:
                _write_clip(folder / "wav" / split / name, number, quality, seed)
            given = scores(quality, len(aspects), name, seed)
            noisy = given[2] < 4
            rows.append(
                {
                    "id": name,
                    **dict(zip(aspects, given, strict=True)),
                    "Feeling of voice": 'a calm, "radio" voice' if number == 0 else "",
                    "Noise Description": "hiss, 0.0-1.2 s" if noisy else "None",
                    "Distortion description": "None",
                    "Unnatural pause": "0.4 s, in a word" if noisy else "None",
                    "Natural language description": f'The speech is {"noisy, and dull" if noisy else "clean"}: "{given[-1]}".',
                }
            )
        _write_table(folder / f"{split}.csv", rows)
    return folder


def _hash(*of: object) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()


def _quality(place: int, of: int) -> float:
    return 1 - place / of


def _split_of(place: int, of: int, names: Sequence[str]) -> str:
    """Return the last of three names for the last place, the second one for the place before it, else the first."""
    train, dev, test = names
    return {of - 1: test, of - 2: dev}.get(place, train)


def _write_clip(path: Path, content: int, quality: float, seed: int, *, rate: int = _RATE, floats: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = spoken(vowels(content, seed), quality, path.name, seed)
    length = len(sound) * rate // _RATE
    if length != len(sound):
        sound = np.fft.irfft(np.fft.rfft(sound), length) * (length / len(sound))
    if floats:
        # libsndfile writes the time of day into such files.
        wavfile.write(path, rate, sound.clip(-1.0, 1.0).astype(np.float32))
    else:
        soundfile.write(path, sound.clip(-1.0, 1.0), rate, subtype="PCM_16")


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    _WRITERS = {write.__name__: write for write in (bvcc, nisqa, qualispeech, singmos, somos, tmhint_qi, vmc23)}
    _PARSER = argparse.ArgumentParser(prog="python -m corpora.miniatures", description=(__doc__ or "").partition("\n")[0])
    _PARSER.add_argument("corpus", choices=sorted(_WRITERS))
    _PARSER.add_argument("folder", help="where to write; it is made if it is not there")
    _NAMED = _PARSER.parse_args()
    print(_WRITERS[_NAMED.corpus](_NAMED.folder))
