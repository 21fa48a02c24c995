"""The fan-out that turns prompts into samples."""

import json
import pickle
import shutil

import numpy as np
import pyarrow as pa
import pytest

from contracts.conformance import conform
from contracts.errors import RecipeError
from contracts.jobs import Failure
from contracts.text_identity import LONGEST_TEXT
from storage.blobs import BlobStore
from storage.workspace import Workspace
from synth.dsp import AudioFormat
from synth.engine import Waveform
from synth.render import RenderJob

pytestmark = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="apt-get install espeak-ng")

SCHEMA = pa.schema([
    ("row_id", pa.string()), ("subject_id", pa.string()), ("group_id", pa.string()), ("text", pa.string()), ("language", pa.string()),
    ("spoken_text", pa.string()), ("voice", pa.string()), ("seed", pa.int64()), ("reference_audio_id", pa.string()),
    ("reference_text", pa.string()),
])  # fmt: skip


def job(path, **changes) -> RenderJob:
    """ESpeak into a workspace."""
    fields = {
        "engine": "espeak",
        "options": '{"pitch":40}',
        "system": "formant",
        "audio": AudioFormat(),
        "workspace_url": str(path),
    }
    return RenderJob(**{**fields, **changes})


def batch(*texts: str, **changes) -> pa.Table:
    """One request per text."""
    rows = [
        {"row_id": f"s{n}", "subject_id": f"p{n}", "group_id": f"g{n}", "text": text, "spoken_text": None, "language": "en",
         "voice": "en-us", "seed": n, "reference_audio_id": None, "reference_text": None} | changes
        for n, text in enumerate(texts)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def test_rows_conform_and_clips_are_standard(tmp_path):
    """The row says how the clip was made; the clip has the job's rate and the loudness that the row states."""
    session = job(tmp_path).open()
    outcome = session.run(batch("Hello there.", "How are you today?"))
    assert outcome.failures.num_rows == 0
    rows = conform(outcome.rows, "samples").to_pylist()
    assert [row["sample_id"] for row in rows] == ["s0", "s1"]
    first = rows[0]
    assert (first["prompt_id"], first["group_id"], first["system"], first["engine"], first["voice"]) == (
        "p0", "g0", "formant", "espeak", "en-us")  # fmt: skip
    assert json.loads(first["params"]) == {"pitch": 40, "voice": "en-us", "words_per_minute": 175}
    assert first["engine_version"].startswith("espeak-ng ")
    assert first["license"] == "GPL-3.0-or-later"
    assert first["native_sample_rate_hz"] == 22050
    assert first["is_synthetic"] is True
    samples, rate = BlobStore(Workspace(str(tmp_path))).waveform(first["audio_id"])
    assert rate == first["sample_rate_hz"] == 16000
    assert len(samples) / rate == first["duration_s"]
    assert first["loudness_lufs"] == pytest.approx(AudioFormat().loudness_lufs, abs=0.1)


def test_every_request_is_in_exactly_one_table(tmp_path):
    """Empty, endless and untranslatable texts fail with their reason; the rest is spoken."""
    requests = pa.concat_tables(
        [
            batch("", " \n", "x" * (LONGEST_TEXT + 1), "Good."),
            batch("Gut.", language="de").set_column(0, "row_id", [["s8"]]),
            batch("Good.", voice="nobody").set_column(0, "row_id", [["s9"]]),
        ]
    )
    outcome = job(tmp_path).open().run(requests)
    failures = conform(outcome.failures, "failures").to_pylist()
    assert {row["row_id"]: row["reason"] for row in failures} == {
        "s0": "empty_text", "s1": "empty_text", "s2": "text_too_long", "s8": "unsupported_language", "s9": "unknown_voice",
    }  # fmt: skip
    assert outcome.rows["sample_id"].to_pylist() == ["s3"]
    assert all("formant" in row["message"] for row in failures)


def test_what_was_said_instead_of_the_text_is_told(tmp_path):
    """A sample names the text that it speaks where that is not its prompt's."""
    requests = pa.concat_tables([batch("Hello there."), batch("Bye.", spoken_text="Bye.").set_column(0, "row_id", [["s8"]])])
    rows = conform(job(tmp_path).open().run(requests).rows, "samples").to_pylist()
    assert {row["sample_id"]: row["spoken_text"] for row in rows} == {"s0": None, "s8": "Bye."}
    assert rows[1]["duration_s"] < rows[0]["duration_s"]


def test_a_language_that_the_engine_does_not_speak_is_a_failure(tmp_path):
    """Code-switched text is refused by an engine of one language, and the message says which it has."""
    outcome = job(tmp_path).open().run(batch("我们 use Python 吗", language="mixed"))
    (row,) = outcome.failures.to_pylist()
    assert (row["reason"], outcome.rows.num_rows) == ("unsupported_language", 0)
    assert "language 'mixed'; it speaks en" in row["message"]


def test_a_text_of_the_longest_length_is_spoken(tmp_path):
    """The limit itself is allowed."""
    text = ("The quick brown fox jumps over the lazy dog. " * 50)[:LONGEST_TEXT]
    outcome = job(tmp_path).open().run(batch(text))
    assert outcome.rows["duration_s"][0].as_py() > 60


def test_a_second_run_gives_the_same_rows(tmp_path):
    """Resume after a kill may render a batch twice: same rows, same blobs."""
    first, second = job(tmp_path).open().run(batch("Again.")), job(tmp_path).open().run(batch("Again."))
    assert first.rows.equals(second.rows)


@pytest.mark.parametrize(
    ("waveform", "reason"),
    [
        (Waveform(np.zeros(44100, np.float32), 22050), "silent"),
        (Waveform(np.zeros(0, np.float32), 22050), "empty"),
        (Waveform(np.full(44100, np.nan, np.float32), 22050), "not_finite"),
        (Waveform(np.sin(np.arange(44100, dtype=np.float32)) / 2, 44100), "wrong_rate"),
        (Waveform(np.sin(np.arange(2205, dtype=np.float32)) / 2, 22050), "too_short"),
        (Failure("engine_crash", "killed by signal 11"), "engine_crash"),
    ],
)
def test_an_insane_clip_is_a_failure(tmp_path, monkeypatch, waveform, reason):
    """Whatever an engine delivers is inspected; the clip after it is still made."""
    session = job(tmp_path).open()
    good = next(iter(session._session.render([session._request(batch("A whole sentence to say.").to_pylist()[0], {})])))
    monkeypatch.setattr(session._session, "render", lambda requests: iter([waveform, good]))
    outcome = session.run(batch("A whole sentence to say.", "A whole sentence to say."))
    assert outcome.failures["reason"].to_pylist() == [reason]
    assert outcome.rows["sample_id"].to_pylist() == ["s1"]


def test_the_reference_reaches_a_cloning_engine(tmp_path, monkeypatch):
    """Blob and transcript become the request's reference; engines that do not clone get none."""
    blob = BlobStore(Workspace(str(tmp_path))).put((np.sin(np.arange(16000)) * 9000).astype(np.int16), 16000)
    session = job(tmp_path).open()
    row = batch("Hello.", reference_audio_id=blob, reference_text="Hi.").to_pylist()[0]
    assert session._request(row, {}).reference is None
    monkeypatch.setattr(type(session._engine), "clones_voice", True)
    reference = session._request(row, {}).reference
    assert reference.text == "Hi."
    assert reference.sample_rate_hz == 16000
    assert np.abs(reference.waveform).max() == pytest.approx(9000 / 32768, rel=1e-3)


def test_the_job_is_a_value(tmp_path):
    """It travels to workers by pickle, and asks for what its engine needs."""
    original = job(tmp_path)
    assert pickle.loads(pickle.dumps(original)) == original
    assert hash(original) == hash(job(tmp_path))
    assert original.resources.gpus == 0
    assert job(tmp_path, engine="f5tts", options="{}").resources.gpus == 1
    with pytest.raises(RecipeError, match="Did you mean 'espeak'"):
        job(tmp_path, engine="espaek").open()


def test_a_damaged_reference_fails_its_rows_alone(tmp_path, monkeypatch):
    """The failure is of the kind that ends when the file is restored, and names it; whoever needs no reference is spoken."""
    blobs = BlobStore(Workspace(str(tmp_path)))
    blob = blobs.put((np.sin(np.arange(16000)) * 9000).astype(np.int16), 16000)
    (tmp_path / blobs.name(blob)).write_bytes(b"fLaC")
    session = job(tmp_path).open()
    monkeypatch.setattr(type(session._engine), "clones_voice", True)
    rows = pa.concat_tables([batch("Hello.", reference_audio_id=blob), batch("Hello you.", reference_audio_id=None)])
    outcome = session.run(rows)
    assert outcome.failures["reason"].to_pylist() == ["damaged_audio", "no_reference"]
    assert f"{blob}.flac does not decode" in outcome.failures["message"][0].as_py()
