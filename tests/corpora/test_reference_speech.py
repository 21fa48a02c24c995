"""Corpora of reference speech: Emilia, L2-ARCTIC, KeSpeech, ParaSpeechCaps, Genshin Voice."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import DataError, RecipeError
from corpora.l2_arctic import FIRST_LANGUAGES
from tests.corpora import prompt_dummies
from tests.corpora.dummies import encode
from tests.corpora.reading import by_id, read


def test_emilia(tmp_path):
    """Texts lose their leading blank; languages are chosen; the folder ``raw`` may be the root."""
    prompt_dummies.emilia(tmp_path)
    rows = by_id([row for row in read("emilia", tmp_path) if row["problem"] is None])
    assert {key: (row["text"], row["language"], row["speaker_id"], row["style"]) for key, row in rows.items()} == {
        "EN_1": ("So it goes.", "en", "EN_s", "regular"),
        "ZH_1": ("你好。", "zh", "ZH_s", "regular"),
    }
    assert rows["EN_1"]["license"] == "CC-BY-NC-4.0"
    assert [row["source_id"] for row in read("emilia", tmp_path / "raw", languages=["zh"])] == ["ZH_1"]
    good = by_id(read("emilia", tmp_path, min_dnsmos=3.0, languages=["en"]))
    assert (good["EN_1"]["problem"], good["EN_2"]["problem"]) == (None, "poor_quality")
    with pytest.raises(DataError, match="none of the folders KO"):
        read("emilia", tmp_path, languages=["ko"])
    with pytest.raises(RecipeError, match="Emilia has no 'xx'"):
        read("emilia", tmp_path, languages=["xx"])


def test_l2_arctic(tmp_path):
    """One sentence by all speakers is one content; the condition is the first language."""
    prompt_dummies.l2_arctic(tmp_path)
    rows = by_id([row for row in read("l2_arctic", tmp_path) if row["problem"] is None])
    assert {key: (row["content_id"], row["condition"], row["speaker_id"]) for key, row in rows.items()} == {
        "ABA_arctic_a0001": ("arctic_a0001", "Arabic", "ABA"),
        "HKK_arctic_a0001": ("arctic_a0001", "Korean", "HKK"),
    }
    speakers = [speaker for spoken in FIRST_LANGUAGES.values() for speaker in spoken]
    assert len(speakers) == len(set(speakers)) == 24
    with pytest.raises(DataError, match="no folder of a speaker, such as ABA"):
        read("l2_arctic", tmp_path / "suitcase_corpus")


def test_kespeech(tmp_path):
    """Tags of noise are no words; parts are splits, and can be chosen."""
    prompt_dummies.kespeech(tmp_path)
    rows = by_id([row for row in read("kespeech", tmp_path) if row["problem"] is None])
    assert (rows["1_a"]["text"], rows["1_a"]["condition"], rows["1_a"]["speaker_id"]) == ("今天 天气好", "Beijing", "1")
    assert {key: row["split"] for key, row in rows.items()} == {"1_a": "train_phase1", "9_a": "test"}
    assert [row["source_id"] for row in read("kespeech", tmp_path, parts=["test"])] == ["9_a"]
    with pytest.raises(DataError, match="has no part dev_phase1"):
        read("kespeech", tmp_path, parts=["dev_phase1"])
    (tmp_path / "Tasks/ASR/test/text").unlink()
    with pytest.raises(DataError, match="test/text is missing: restore it"):
        read("kespeech", tmp_path)


def test_paraspeechcaps(tmp_path):
    """A whisper is one by its tag; a row without a tag of its own is accented where its speaker is; sources have folders."""
    options = prompt_dummies.paraspeechcaps(tmp_path).options
    rows = by_id([row for row in read("paraspeechcaps", tmp_path, **options) if row["problem"] is None])
    columns = ("style", "category", "audio_path", "condition", "split", "license", "descriptions")
    assert {key: tuple(row[name] for name in columns) for key, row in rows.items()} == {
        "ears/p001/a.wav": (
            "expressive", "whisper", "ears/p001/a.wav", None, "train_base", "CC-BY-NC-SA-4.0", [("tags", "whispered, scared")],
        ),
        "voxceleb/b_voicefixer.wav": (
            "expressive", "accented", "vox/b_voicefixer.wav", "Scottish", "train_base", "CC-BY-NC-SA-4.0", [("tags", "deep")],
        ),
    }  # fmt: skip
    held = read("paraspeechcaps", tmp_path, splits=["holdout"])
    assert [row["source_id"] for row in held] == ["ears/p002/c.wav", "ears/p002/d.wav"]
    with pytest.raises(DataError, match="no table of dev"):
        read("paraspeechcaps", tmp_path, splits=["dev"])
    with pytest.raises(RecipeError, match=r"sources: '\.\./vox' is no folder below the root"):
        read("paraspeechcaps", tmp_path, sources={"voxceleb": "../vox"})


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_paraspeechcaps_of_the_hub_and_saved_to_disk(form, tmp_path):
    """Parquet of the Hub, in several files, and a folder of datasets say what JSON Lines say, but for the place."""
    options = prompt_dummies.paraspeechcaps(tmp_path).options
    expected = [row | {"source_ref": None} for row in read("paraspeechcaps", tmp_path, **options, splits=["holdout"])]
    lines = [json.loads(line) for line in (tmp_path / "holdout.jsonl").read_text().splitlines()]
    (tmp_path / "holdout.jsonl").unlink()
    (tmp_path / "train_base.jsonl").unlink()
    for number, line in enumerate(lines):
        table = pa.Table.from_pylist([line])
        name = f"{number:05}-of-{len(lines):05}"
        if form == "parquet":
            (tmp_path / "data").mkdir(exist_ok=True)
            pq.write_table(table, tmp_path / f"data/holdout-{name}.parquet")
        else:
            (tmp_path / "holdout").mkdir(exist_ok=True)
            with (
                pa.OSFile(str(tmp_path / f"holdout/data-{name}.arrow"), "wb") as file,
                pa.ipc.new_stream(file, table.schema) as out,
            ):
                out.write_table(table)
    found = read("paraspeechcaps", tmp_path, **options)
    assert [row | {"source_ref": None} for row in found] == expected
    assert found[1]["source_ref"].endswith(f"00001-of-00002.{form}:1")
    cut = next(tmp_path.rglob(f"*00000-of-00002.{form}"))
    cut.write_bytes(cut.read_bytes()[:50])
    with pytest.raises(DataError, match=f"{form} cannot be read"):
        read("paraspeechcaps", tmp_path, **options)


def test_genshin_voice(tmp_path):
    """A character is another speaker in each language; other languages are drops unless they are asked for."""
    prompt_dummies.genshin_voice(tmp_path)
    rows = by_id([row for row in read("genshin_voice", tmp_path) if row["problem"] is None])
    assert {key: (row["text"], row["language"], row["speaker_id"], row["category"]) for key, row in rows.items()} == {
        "audio/a.wav": ("Let us go!", "en", "Paimon (en)", "game"),
        "audio/b.wav": ("我们走吧!", "zh", "派蒙 (zh)", "game"),
    }
    japanese = by_id(read("genshin_voice", tmp_path, languages=["ja"]))
    assert (japanese["audio/c.wav"]["problem"], japanese["audio/a.wav"]["problem"]) == (None, "other_language")
    (tmp_path / "metadata.jsonl").unlink()
    with pytest.raises(DataError, match=r"no table such as metadata\.jsonl: point root at the unpacked corpus"):
        read("genshin_voice", tmp_path)
    pq.write_table(pa.table({"audio": ["x"], "transcription": ["x"]}), tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(DataError, match="no column 'file_name'; it has audio, transcription"):
        read("genshin_voice", tmp_path)


def test_categories_of_the_others(tmp_path):
    """The sort of speech is a property of the corpus; a manifest may say it of each row."""
    for name, category in {"emilia": "regular", "l2_arctic": "accented", "kespeech": "accented"}.items():
        prompt_dummies.BUILDERS[name](tmp_path / name)
        assert {row["category"] for row in read(name, tmp_path / name)} == {category}
    (tmp_path / "m").mkdir()
    (tmp_path / "m/x.wav").write_bytes(encode("WAV"))
    rows = [{"audio": "x.wav", "text": "a", "id": "1", "category": "whisper"}, {"audio": "x.wav", "text": "b", "id": "2"},
            {"audio": "x.wav", "text": "c", "id": "3", "category": "shouted"}]  # fmt: skip
    (tmp_path / "m/manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read("manifest", tmp_path / "m", license="CC0-1.0", language="en", category="game")
    assert [(row["category"], row["problem"]) for row in found] == [
        ("whisper", None),
        ("game", None),
        ("shouted", "unknown_category"),
    ]
