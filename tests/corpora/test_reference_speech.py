"""Corpora of reference speech: Emilia, L2-ARCTIC, KeSpeech."""

import pytest

from contracts.errors import DataError, RecipeError
from corpora.l2_arctic import FIRST_LANGUAGES
from tests.corpora import prompt_dummies
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
