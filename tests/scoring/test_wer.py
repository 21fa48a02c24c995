"""Word error rate with the embedded recogniser."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import plugins
from contracts.errors import RecipeError
from contracts.jobs import Failure
from scoring.metric import MetricRequest
from scoring.metrics.wer import error_counts
from scoring.text import units
from synth.resampling import resample

words = st.lists(st.sampled_from("abcd"), max_size=8)


@pytest.fixture
def session(opened):
    return opened("wer")


def _edits(a, b):
    """Levenshtein distance by the textbook recurrence (Wagner & Fischer 1974)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


@given(words.filter(bool), words)
def test_counts_are_a_shortest_alignment(reference, hypothesis):
    """Errors are as many as the edit distance, and the rate is errors over reference units."""
    counts = error_counts(reference, hypothesis)
    errors = counts["substitutions"] + counts["deletions"] + counts["insertions"]
    assert errors == _edits(reference, hypothesis)
    assert counts["wer"] == pytest.approx(errors / len(reference))
    assert counts["reference_words"] == len(reference)
    assert len(hypothesis) == len(reference) - counts["deletions"] + counts["insertions"]


def test_insertions_lift_the_rate_above_one():
    """WER has no upper bound (Morris, Maier & Green, Interspeech 2004): three words for one are a rate of 3."""
    assert error_counts(["x"], ["a", "b", "c"])["wer"] == 3.0


def test_clear_speech_has_few_errors(session, reader, speaker):
    """Human recordings come out nearly right against their transcripts."""
    answers = list(session.measure([recording.request() for recording in [*reader, *speaker]]))
    errors = sum(answer.values["wer"] * answer.values["reference_words"] for answer in answers)
    assert errors / sum(answer.values["reference_words"] for answer in answers) < 0.2


def test_rows_tell_the_rules_that_counted_them(session):
    """The version of a row names the version of the readings, so that rows of older rules are told apart."""
    assert session.model_version.endswith("; readings 4")


def test_a_perfect_reading_of_digits_has_no_error():
    """What a recogniser writes in digits, the text may spell, and the other way round."""
    assert error_counts(units("On May 3rd I paid $3.50.", "en"), units("on may third i paid three dollars and fifty cents", "en")) == {
        "wer": 0.0, "substitutions": 0.0, "deletions": 0.0, "insertions": 0.0, "reference_words": 10.0,
    }  # fmt: skip


def test_the_wrong_text_is_noticed(session, reader):
    """A clip that says something else has a high rate, and the detail keeps what was heard."""
    first, second = reader
    wrong = MetricRequest(sample_id="x", waveform=first.waveform, sample_rate_hz=16000, text=second.text, language="en")
    (answer,) = session.measure([wrong])
    assert answer.values["wer"] > 0.5
    assert "young man" in json.loads(answer.detail)["transcript"]


def test_rate_of_the_clip_does_not_matter(session, reader):
    """A clip at 48 kHz is heard like the same clip at 16 kHz."""
    clip = reader[0]
    fast = MetricRequest(
        sample_id="x", waveform=resample(clip.waveform, 16000, 48000), sample_rate_hz=48000, text=clip.text, language="en"
    )
    at_16k, at_48k = session.measure([clip.request(), fast])
    assert at_16k.values == at_48k.values


@pytest.mark.parametrize(
    ("text", "language", "samples", "reason"),
    [
        ("...", "en", 16000, "empty_reference"),
        ("你好", "zh", 16000, "unsupported_language"),
        ("hello", "en", 0, "empty_audio"),
    ],
)
def test_what_cannot_be_scored_says_why(session, text, language, samples, reason):
    """No text, no samples or a language that the model does not know: a reason instead of a number."""
    request = MetricRequest(
        sample_id="x", waveform=np.zeros(samples, np.float32), sample_rate_hz=16000, text=text, language=language
    )
    (answer,) = session.measure([request])
    assert isinstance(answer, Failure)
    assert answer.reason == reason


def test_silence_deletes_every_word(session):
    """A silent clip has a WER of 1, all deletions."""
    request = MetricRequest(
        sample_id="x", waveform=np.zeros(32000, np.float32), sample_rate_hz=16000, text="hello there", language="en"
    )
    (answer,) = session.measure([request])
    assert answer.values["deletions"] + answer.values["substitutions"] == 2


def test_unknown_recogniser_names_the_nearest():
    """A typo in a recipe is answered with the plug-in that was meant."""
    with pytest.raises(RecipeError, match="whisper_tiny"):
        plugins.configure("metric", "wer", {"asr": "whisper_tini"}).missing()
