"""Rows of single clips: what was said, who gave the scores, and what a clip came from."""

import json

import pyarrow as pa
import pytest

from contracts.schemas import ASSESSMENTS, LABELS, METRICS, SAMPLES, SPLITS, UTTERANCES, WRITINGS
from storage.clip_columns import ANSWERS, RATED_CLIPS
from storage.clip_rows import AnswerRows, ClipRows, RatedClipRows
from storage.columns import row_schema
from tests.rows import rows

CLIPS = {"s1": ("u1", "tts"), "s2": ("u2", None)}
SAMPLE_ROWS = rows(
    SAMPLES,
    *(
        {
            "sample_id": sample,
            "prompt_id": f"p {sample}",
            "utterance_id": utterance,
            "system": system or "human",
            "is_synthetic": system is not None,
            "audio_id": f"audio {sample}",
            "license": "MIT",
        }
        for sample, (utterance, system) in CLIPS.items()
    ),
)
UTTERANCE_ROWS = rows(
    UTTERANCES,
    {
        "utterance_id": "u1",
        "source_id": "one",
        "language": "en",
        "references": ["Ja.", "Jawohl."],
        "text": "Yes.",
        "source_ref": "t:1",
    },
    {"utterance_id": "u2", "source_id": "two", "language": "en", "references": ["A dog."], "question": "Who  barks?"},
)
ASSIGNED = rows(SPLITS, {"item_id": "s2", "split": "rl"}, {"item_id": "s1", "split": "sft"})


def clips(source):
    labels = rows(LABELS, *({"item_id": sample, "label": "-", "source": source} for sample in CLIPS))
    measured = rows(METRICS, {"metric_key": "m", "sample_id": "s1", "metric": "wer", "values": [("wer", 0.5)]})
    return ClipRows(samples=SAMPLE_ROWS, utterances=UTTERANCE_ROWS, labels=labels, metrics=measured, filters=["short"])


def joined(made, schema, at_once):
    """Return id -> row, joined so many rows at once."""
    assigned = made.ordered(ASSIGNED)
    found = pa.concat_tables([made.batch(assigned.slice(start, at_once)) for start in range(0, assigned.num_rows, at_once)])
    wanted = row_schema(schema)
    assert found.column_names == wanted.names
    assert found.schema.types == wanted.types
    return {row[schema.item_column]: row for row in found.to_pylist()}


@pytest.mark.parametrize("at_once", [1, 10])
def test_a_rated_clip_tells_its_scores_and_who_gave_them(at_once):
    """A judge's names model and prompt; its texts stand field by field, without those that say nothing."""
    scores = [{"scale": "overall", "score": 4.0, "mean": 3.5, "raters": 2, "std": 0.5}]
    assessments = rows(
        ASSESSMENTS,
        {
            "sample_id": "s1",
            "scores": scores,
            "writing_id": "w1",
            "content": json.dumps({"noise": "hum", "pause": None}),
            "completion": "<think>",
        },
        {"sample_id": "s2", "scores": scores, "rating_ids": ["r1", "r2"]},
    )
    writings = rows(WRITINGS, {"writing_id": "w1", "judge": "openai", "model": "asked", "model_served": "served"})
    made = RatedClipRows(
        clips("judgment"), samples=SAMPLE_ROWS, assessments=assessments, writings=writings, prompts={"s1": "How is it?"}
    )
    found = joined(made, RATED_CLIPS, at_once)
    one, two = found["s1"], found["s2"]
    assert (one["scores"], one["descriptions"], one["completion"]) == (scores, [{"name": "noise", "text": "hum"}], "<think>")
    assert (one["judge"], one["judge_model"], one["rating_ids"]) == ("openai", "served", [])
    assert (one["audio"], one["system"], one["digital_source_type"]) == ("audio s1", "tts", None)
    assert (one["prompt"], one["label_source"], one["source_ref"]) == ("How is it?", "judgment", "t:1")
    assert (one["metrics"], one["filters_passed"]) == ([{"metric": "wer", "value": 0.5}], ["short"])
    assert (two["descriptions"], two["completion"], two["judge"], two["prompt"], two["metrics"]) == (
        None,
        None,
        None,
        None,
        None,
    )
    assert (two["rating_ids"], two["digital_source_type"]) == (["r1", "r2"], "digitalCapture")


@pytest.mark.parametrize("at_once", [1, 10])
def test_a_question_tells_its_references_and_how_an_answer_is_rewarded(at_once):
    """Its own question before the instruction; the first reference is the completion, but in a split without."""
    made = AnswerRows(
        clips("references"),
        instruction="Translate.",
        reference_language="de",
        without_completion=["rl"],
        signature=lambda language, count: f"{language} {count}",
    )
    found = joined(made, ANSWERS, at_once)
    one, two = found["s1"], found["s2"]
    assert (one["prompt"], one["references"], one["completion"]) == ("Translate.", ["Ja.", "Jawohl."], "Ja.")
    assert (one["reward"], two["reward"], one["reference_language"]) == ("de 2", "de 1", "de")
    assert (two["prompt"], two["references"], two["completion"]) == ("Who barks?", ["A dog."], None)
    assert (one["text"], two["text"]) == ("Yes.", None)
