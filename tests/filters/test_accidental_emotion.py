"""Negatives that are heard with the right emotion."""

import json

import pyarrow as pa
import pytest

from filters.accidental_emotion import AccidentalEmotion
from filters.comparisons import classes
from scoring.metrics.emotion2vec import PLUGIN, shares

CASES = [  # emotion, corruption of A and B, heard of A and B, reason
    ("Angry", "tts_emotion", None, "anger", "sad", "accidental_emotion"),
    ("Angry", "tts_emotion", None, "sad", "anger", None),
    ("Angry", None, "real_emotion", "angry", "Angry", "accidental_emotion"),
    ("none", None, "real_both", "sad", "neutral", "accidental_emotion"),
    ("生气", "tts_emotion", None, "angry", "angry", "accidental_emotion"),
    ("Angry", "real_text", None, "angry", "angry", None),
    ("Angry", None, None, "angry", "angry", None),
    (None, "tts_emotion", None, "angry", "angry", None),
    ("Angry", "tts_emotion", None, None, "angry", "heard_emotion_unknown"),
    ("Angry", "tts_emotion", None, "other", None, None),
    ("Angry", "speaker_swap", None, "angry", "angry", None),
]


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    names, reason = AccidentalEmotion.columns, case[-1]
    row = dict(zip(names, case[:-1], strict=True))
    table = pa.Table.from_pylist([row], schema=pa.schema([(name, pa.string()) for name in names]))
    reasons = AccidentalEmotion().reasons(table)
    assert reasons.to_pylist() == [reason]
    (evidence,) = AccidentalEmotion().evidence(table, reasons).to_pylist()
    assert (evidence is None) == (reason is None)
    assert evidence is None or json.loads(evidence) == row


def test_of_a_classifier_the_largest_share_counts():
    """FunASR's labels have both languages, and its last one has no name."""
    labels = ["生气/angry", "厌恶/disgusted", "恐惧/fearful", "开心/happy", "中立/neutral", "其他/other", "难过/sad"]
    measured = shares([*labels, "吃惊/surprised", "<unk>"], [0.1, 0, 0, 0.6, 0.1, 0.1, 0.05, 0.04, 0.01])
    assert set(measured) == set(PLUGIN.value_names)
    assert measured["emotion_other"] == pytest.approx(0.11)
    assert sum(measured.values()) == pytest.approx(1)
    facts = {name: pa.array([measured[name], None]) for name in measured}
    found = classes(pa.table({"sample_id": ["s", "t"]} | facts), [PLUGIN.classifies])
    assert found.to_pydict() == {"sample_id": ["s", "t"], "heard_emotion": ["happy", None]}
