"""The fan-out over a real workspace."""

import pickle

import numpy as np
import pyarrow as pa
import pytest

from contracts.conformance import conform
from contracts.errors import RecipeError, SetupError
from contracts.schemas import METRICS
from scoring.measure import MeasureJob, metric_key
from scoring.metric import Measurement
from scoring.metrics.prosody import ProsodySession
from storage.blobs import BlobStore
from storage.tables import TableStore
from storage.workspace import Workspace

COLUMNS = ("row_id", "subject_id", "audio_id", "text", "language", "reference_audio_id", "spoken_text")


def job(url, metric="prosody", options="{}"):
    return MeasureJob(metric=metric, options=options, workspace_url=str(url))


def batch(*rows):
    return pa.table({column: pa.array([row[i] for row in rows], pa.string()) for i, column in enumerate(COLUMNS)})


@pytest.fixture
def clip(tmp_path):
    t = np.arange(16000) / 16000
    pcm = (8000 * np.sign(np.sin(2 * np.pi * 120 * t))).astype(np.int16)
    return BlobStore(Workspace(tmp_path)).put(pcm, 16000)


def request(sample, audio, reference=None, said=None):
    return (metric_key(sample, "prosody", {}), sample, audio, "hello there", "en", reference, said)


def test_rows_fit_the_table_and_come_back(tmp_path, clip):
    """Measured rows conform to the schema, survive the table store, and carry key, metric, model and values."""
    outcome = job(tmp_path).open().run(batch(request("s1", clip), request("s2", clip)))
    assert outcome.failures.num_rows == 0
    store = TableStore(Workspace(tmp_path))
    store.append("metrics", outcome.rows)
    rows = store.read("metrics").to_pylist()
    assert [row["metric_key"] for row in rows] == [metric_key("s1", "prosody", {}), metric_key("s2", "prosody", {})]
    assert [row["sample_id"] for row in rows] == ["s1", "s2"]
    assert dict(rows[0]["values"])["f0_median_hz"] == pytest.approx(120, abs=1)
    assert (rows[0]["metric"], rows[0]["model"]) == ("prosody", "prosody")


def test_speaking_rate_counts_what_was_said(tmp_path, clip):
    """A clip that speaks twice as many words as the text in their place is twice as fast."""
    outcome = job(tmp_path).open().run(batch(request("s1", clip), request("s2", clip, said="and now for something")))
    plain, other = (dict(values)["speaking_rate_wps"] for values in outcome.rows["values"].to_pylist())
    assert other == pytest.approx(2 * plain, rel=1e-4)


def test_every_request_has_one_outcome(tmp_path, clip):
    """A clip that storage lost fails alone, with a reason."""
    outcome = job(tmp_path).open().run(batch(request("s1", clip), request("s2", "0" * 32), request("s3", clip)))
    assert outcome.rows["sample_id"].to_pylist() == ["s1", "s3"]
    (failed,) = conform(outcome.failures, "failures").to_pylist()
    assert (failed["stage"], failed["subject_id"], failed["reason"]) == ("metrics", "s2", "damaged_audio")
    assert failed["row_id"] == metric_key("s2", "prosody", {})
    assert "restore" in failed["message"]


def test_a_null_value_is_kept(tmp_path):
    """Silence: the row is there, its values are null."""
    silent = BlobStore(Workspace(tmp_path)).put(np.zeros(16000, np.int16), 16000)
    outcome = job(tmp_path).open().run(batch(request("s1", silent)))
    assert set(dict(outcome.rows["values"][0].as_py()).values()) == {None}
    assert conform(outcome.rows, "metrics").schema == METRICS


@pytest.mark.parametrize("values", [{"f0_median_hz": 1.0}, {"surprise": 1.0}, {}])
def test_values_that_were_not_declared(tmp_path, clip, monkeypatch, values):
    """A metric that invents or forgets value names yields a failure row."""
    monkeypatch.setattr(ProsodySession, "measure", lambda self, requests: (Measurement(values=values) for _ in requests))
    outcome = job(tmp_path).open().run(batch(request("s1", clip)))
    assert outcome.rows.num_rows == 0
    assert outcome.failures["reason"].to_pylist() == ["invalid_value"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_nan_never_reaches_the_table(tmp_path, clip, monkeypatch, number):
    """A metric that answers NaN or infinity yields a failure row that names the value."""
    from scoring.metrics.prosody import Prosody

    values = dict.fromkeys(Prosody.value_names, 1.0) | {"hnr_db": number}
    monkeypatch.setattr(ProsodySession, "measure", lambda self, requests: (Measurement(values=values) for _ in requests))
    outcome = job(tmp_path).open().run(batch(request("s1", clip)))
    (failed,) = outcome.failures.to_pylist()
    assert failed["reason"] == "invalid_value"
    assert "hnr_db" in failed["message"]


def test_a_metric_that_answers_too_little_breaks_the_batch(tmp_path, clip, monkeypatch):
    """An answer short is a defect of the metric, never a row without an outcome."""
    monkeypatch.setattr(ProsodySession, "measure", lambda self, requests: iter([]))
    with pytest.raises(ValueError, match="shorter"):
        job(tmp_path).open().run(batch(request("s1", clip)))


def test_the_reference_is_read_where_it_is_needed(tmp_path, reader):
    """SIM reads the reference's clip; without one the row fails with the reason; prosody never touches it."""
    pytest.importorskip("resemblyzer")
    blobs = BlobStore(Workspace(tmp_path))
    one, two = (blobs.put(np.round(clip.waveform * 32767).astype(np.int16), 16000) for clip in reader)
    rows = batch(request("s1", one, two), request("s2", one), request("s3", one, "0" * 32))
    outcome = job(tmp_path, "sim").open().run(rows)
    assert dict(outcome.rows["values"][0].as_py())["sim"] > 0.7
    assert dict(zip(outcome.failures["subject_id"].to_pylist(), outcome.failures["reason"].to_pylist(), strict=True)) == {
        "s2": "no_reference",
        "s3": "damaged_audio",
    }
    assert job(tmp_path).open().run(rows).failures.num_rows == 0


def test_a_job_travels(tmp_path, clip):
    """A pickled job opens elsewhere and measures the same."""
    original = job(tmp_path)
    copy = pickle.loads(pickle.dumps(original))
    rows = batch(request("s1", clip))
    assert copy == original
    assert copy.open().run(rows).rows == original.open().run(rows).rows
    assert (copy.stage, copy.table, copy.resources.gpus) == ("metrics", "metrics", 0.0)


def test_wrong_names_and_missing_machines_are_told_apart(tmp_path):
    """An unknown metric is the recipe's fault, a missing model the machine's."""
    with pytest.raises(RecipeError, match="prosody"):
        job(tmp_path, "prosodie").open()
    with pytest.raises(SetupError, match="CTranslate2"):
        job(tmp_path, "wer", f'{{"asr":"whisper_large_v3","asr_options":{{"model_path":"{tmp_path}"}}}}').open()


def test_key_depends_on_sample_metric_and_options():
    """Each part of the key tells rows apart, the order of options does not."""
    keys = {
        metric_key("s", "wer", {}),
        metric_key("t", "wer", {}),
        metric_key("s", "sim", {}),
        metric_key("s", "wer", {"asr": "x"}),
    }
    assert len(keys) == 4
    assert metric_key("s", "wer", {"a": 1, "b": 2}) == metric_key("s", "wer", {"b": 2, "a": 1})
