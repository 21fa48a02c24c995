"""The fan-out that brings human recordings into the workspace."""

import hashlib
import io
import json
import pickle

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from contracts.conformance import conform
from contracts.errors import RecipeError
from storage.blobs import BlobStore
from storage.workspace import Workspace
from synth.dsp import AudioFormat, OriginalFormat
from synth.record import RecordJob

RATE = 24000
TEXT = "A sentence of the corpus."
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("row_id", "subject_id", "corpus", "audio_path", "text")] + [("is_reference", pa.bool_())]
)


def speech() -> np.ndarray:
    """Two seconds of syllables."""
    t = np.arange(2 * RATE) / RATE
    return np.random.default_rng(2).standard_normal(len(t)) * np.sin(2 * np.pi * 2 * t) ** 2 * 0.1


def encoded(**options) -> bytes:
    """The speech as a file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, speech(), RATE, **({"format": "WAV", "subtype": "PCM_16"} | options))
    return buffer.getvalue()


@pytest.fixture
def corpus(tmp_path):
    """A corpus with whole, broken and misnamed files, and a file beside it."""
    root = tmp_path / "corpus"
    (root / "a").mkdir(parents=True)
    whole = encoded()
    files = {
        "a/whole.wav": whole,
        "a/music.wav": encoded(format="MP3", subtype=None),
        "a/cut.wav": whole[: len(whole) // 2],
        "a/text.wav": b"this is not audio",
        "a/empty.wav": b"",
        "a/phone.wav": None,
    }
    for name, data in files.items():
        if data is not None:
            (root / name).write_bytes(data)
    soundfile.write(root / "a/phone.wav", speech()[::3], RATE // 3)
    (tmp_path / "secret.wav").write_bytes(whole)
    return root


def run(corpus, *paths, text=TEXT, root=None, audio=None):
    """Record paths of the corpus; returns rows and failures by utterance."""
    requests = [
        {"row_id": f"r{n}", "subject_id": f"u{n}", "corpus": "c", "audio_path": path, "text": text, "is_reference": True}
        for n, path in enumerate(paths)
    ]
    workspace = str(corpus.parent / "workspace")
    job = RecordJob(roots=json.dumps({"c": root or str(corpus)}), audio=audio or AudioFormat(), workspace_url=workspace)
    assert pickle.loads(pickle.dumps(job)) == job
    outcome = job.open().run(pa.Table.from_pylist(requests, schema=SCHEMA))
    rows = {row["utterance_id"]: row for row in conform(outcome.rows, "recordings").to_pylist()}
    failures = {row["subject_id"]: row for row in conform(outcome.failures, "failures").to_pylist()}
    assert rows.keys() | failures.keys() == {request["subject_id"] for request in requests}
    assert not rows.keys() & failures.keys()
    return rows, failures


def test_a_recording_becomes_a_standard_clip(corpus):
    """Rate, loudness and hash of the source are those of the file."""
    rows, failures = run(corpus, "a/whole.wav", "a/music.wav")
    assert failures == {}
    assert rows["u0"]["source_sha256"] == hashlib.sha256((corpus / "a/whole.wav").read_bytes()).hexdigest()
    assert rows["u0"]["recording_id"] == "r0"
    for row in rows.values():
        assert (row["sample_rate_hz"], row["native_sample_rate_hz"]) == (16000, RATE)
        assert row["loudness_lufs"] == pytest.approx(AudioFormat().loudness_lufs, abs=0.1)
        samples, _ = BlobStore(Workspace(str(corpus.parent / "workspace"))).waveform(row["audio_id"])
        assert len(samples) / 16000 == row["duration_s"] == pytest.approx(2.2, abs=0.2)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a/cut.wav", "truncated"),
        ("a/text.wav", "undecodable"),
        ("a/empty.wav", "undecodable"),
        ("a/phone.wav", "narrow_band"),
        ("a/nothing.wav", "missing_audio"),
        ("a", "missing_audio"),
        (None, "missing_audio"),
        ("../secret.wav", "path_outside_corpus"),
        ("a/../../secret.wav", "path_outside_corpus"),
        ("/etc/hostname", "path_outside_corpus"),
    ],
)
def test_a_bad_file_is_a_failure_that_names_it_and_stops_nothing(corpus, path, reason):
    """The good file after it is recorded."""
    rows, failures = run(corpus, path, "a/whole.wav")
    assert failures["u0"]["reason"] == reason
    assert path is None or path in failures["u0"]["message"]
    assert list(rows) == ["u1"]


def test_length_is_checked_against_the_transcript_if_there_is_one(corpus):
    """Two seconds cannot hold a thousand letters; without a transcript nobody knows."""
    _, failures = run(corpus, "a/whole.wav", text="word " * 200)
    assert failures["u0"]["reason"] == "too_short"
    rows, _ = run(corpus, "a/whole.wav", text=None)
    assert list(rows) == ["u0"]


def test_a_rated_clip_is_kept_as_it_was_heard(corpus):
    """Silence, noise, clipping and narrow bands were rated as such; channels are averaged, nothing else is done."""
    left, right = (np.random.default_rng(seed).integers(-9000, 9000, 32000).astype(np.int16) * 2 for seed in (1, 2))
    sounds = {
        "a/stereo.wav": np.stack([left, right], axis=1),
        "a/silent.wav": np.zeros(8000, np.int16),
        "a/clipped.wav": np.repeat(np.array([32767, -32768], np.int16), 8000),
        "a/offset.wav": np.full(8000, 9000, np.int16),
    }
    for name, pcm in sounds.items():
        soundfile.write(corpus / name, pcm, 16000)
    rows, failures = run(corpus, *sounds, "a/phone.wav", text="word " * 200, audio=OriginalFormat())
    assert failures == {}
    blobs = BlobStore(Workspace(str(corpus.parent / "workspace")))
    for row, pcm in zip(rows.values(), sounds.values(), strict=False):
        kept, _ = blobs.waveform(row["audio_id"])
        heard = pcm if pcm.ndim == 1 else pcm.mean(axis=1)
        assert np.array_equal(np.round(kept * 32768), heard)
        assert row["duration_s"] == len(pcm) / 16000
    assert rows["u1"]["loudness_lufs"] == -70
    assert (rows["u4"]["native_sample_rate_hz"], rows["u4"]["duration_s"]) == (8000, 2.0)


def test_what_does_not_decode_is_no_rated_clip(corpus):
    """Nor is what has no samples, or samples that are no numbers."""
    soundfile.write(corpus / "a/none.wav", np.zeros(0, np.int16), 16000)
    soundfile.write(corpus / "a/nan.wav", np.full(800, np.nan, np.float32), 16000, subtype="FLOAT")
    paths = ("a/text.wav", "a/cut.wav", "a/none.wav", "a/nan.wav", "a/nothing.wav")
    rows, failures = run(corpus, *paths, audio=OriginalFormat())
    assert rows == {}
    assert [failures[f"u{n}"]["reason"] for n in range(5)] == [
        "undecodable",
        "truncated",
        "empty",
        "not_finite",
        "missing_audio",
    ]


def test_any_fsspec_url_is_a_root(corpus):
    """A corpus may lie in a bucket; here in fsspec's memory."""
    import fsspec

    fsspec.filesystem("memory").pipe_file("/bucket/corpus/a/whole.wav", (corpus / "a/whole.wav").read_bytes())
    rows, failures = run(corpus, "a/whole.wav", root="memory://bucket/corpus/")
    assert failures == {}
    assert rows["u0"]["native_sample_rate_hz"] == RATE


def test_a_corpus_without_a_root_is_an_error_of_the_recipe(corpus):
    """Not a failure of its thousand utterances."""
    job = RecordJob(roots="{}", audio=AudioFormat(), workspace_url=str(corpus.parent / "workspace"))
    row = {"row_id": "u", "subject_id": "u", "corpus": "other", "audio_path": "x.wav", "text": None, "is_reference": True}
    with pytest.raises(RecipeError, match="other"):
        job.open().run(pa.Table.from_pylist([row], schema=SCHEMA))
