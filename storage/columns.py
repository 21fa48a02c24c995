"""Columns of the released rows, by task: what a row is, and all that its task shows to whom it asks.

A prompt of the task can be put together again from one row: that is what a reward model is trained on.
"""

from typing import Final

import pyarrow as pa

AUDIO: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""An audio column of a release. The rows given to the writer carry the audio id (string) in its place."""

AUDIOS: Final = pa.list_(AUDIO)
"""Likewise with several clips, in the order in which they are heard: a list of audio ids."""

_DIMENSION_SCORES: Final = pa.list_(pa.struct([("dimension", pa.string()), ("score", pa.float64())]))
_METRIC_VALUES: Final = pa.list_(pa.struct([("metric", pa.string()), ("value", pa.float64())]))
_VOTE_COUNTS: Final = pa.list_(pa.struct([("value", pa.string()), ("count", pa.int64())]))


def _field(name: str, kind: pa.DataType, meaning: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})


def _sides(name: str, kind: pa.DataType, meaning: str, *, nullable: bool = False) -> list[pa.Field]:
    return [_field(f"{name}_{side}", kind, f"{meaning} of {side.upper()}", nullable=nullable) for side in "ab"]


_s, _f, _i, _b = pa.string(), pa.float64(), pa.int64(), pa.bool_()

TASK1: Final = pa.schema(
    [
        _field("pair_id", _s, "id of the two clips, whatever their order"),
        _field("text", _s, "target text: both clips speak it, but for one with a spoken_text of its own"),
        _field("language", _s, "BCP 47 tag of the text"),
        _field("setting", _s, "reference language 2 target language"),
        _field("emotion", _s, "emotion of the text's recording, as its corpus labels it", nullable=True),
        _field("style", _s, "regular or expressive"),
        _field("prompt_audio", AUDIO, "reference speech; null = the systems got none", nullable=True),
        _field("prompt_text", _s, "transcript of the reference speech", nullable=True),
        *_sides("audio", AUDIO, "clip"),
        *_sides("system", _s, "system"),
        *_sides("spoken_text", _s, "what was to be said instead of the text; null = the text itself,", nullable=True),
        _field("label", _s, "the better clip: a or b"),
        _field("label_source", _s, "what the label rests on: judgment, votes or construction"),
        _field("completion", _s, "the judge's reasoning and verdict in the training format (SPEC U5)", nullable=True),
        *_sides("scores", _DIMENSION_SCORES, "the judge's score per dimension, mean over its judgments,", nullable=True),
        *_sides("judge_votes", _i, "number of judgments in favour", nullable=True),
        _field("judge_votes_none", _i, "number of judgments without a preference", nullable=True),
        _field("judge", _s, "judge; null = labelled by people alone", nullable=True),
        _field("judge_version", _s, "version of the judge's rule or client", nullable=True),
        _field("judge_model", _s, "model that the judge named as the one that answered", nullable=True),
        _field("prompt_version", _s, "hash of the judge's prompt template", nullable=True),
        _field("votes", _VOTE_COUNTS, "human votes by value; null = nobody voted", nullable=True),
        _field("agreement", _s, "level of agreement of the votes: FA, WA, WD, FD", nullable=True),
        _field("vote_ids", pa.list_(_s), "the human votes that count; null = nobody voted", nullable=True),
        *_sides("wer", _f, "word (zh: character) error rate against the text", nullable=True),
        *_sides("metrics", _METRIC_VALUES, "all objective measurements", nullable=True),
        _field("filters_passed", pa.list_(_s), "filters that looked at the row and kept it"),
        _field("pair_kind", _s, "human, inter or intra"),
        _field("leakage_group", _s, "rows of one group share a text or a recording and lie in one split"),
        _field("license", _s, "SPDX expression for the row as a whole"),
        *_sides("license", _s, "SPDX identifier of the voice or recording"),
        *_sides("is_synthetic", _b, "whether a machine spoke"),
        *_sides(
            "digital_source_type", _s, "IPTC digital source type: trainedAlgorithmicMedia, algorithmicMedia, digitalCapture"
        ),
        *_sides("engine", _s, "engine; human = none"),
        *_sides("engine_version", _s, "engine version"),
        *_sides("model", _s, "model or voice data", nullable=True),
        *_sides("voice", _s, "voice", nullable=True),
        *_sides("seed", _i, "seed given to the engine", nullable=True),
        *_sides("params", _s, "parameters sent to the engine, as JSON,"),
        _field("corpus", _s, "corpus of the text"),
        _field("source_id", _s, "the corpus's own id of the text's recording", nullable=True),
        _field("reference_source_id", _s, "the corpus's own id of the reference speech", nullable=True),
        _field("speaker_id", _s, "speaker of the reference in that corpus", nullable=True),
    ]
)
"""One row of task 1: an utterance-level preference pair with all that it came from."""

TASK3: Final = pa.schema(
    [
        *TASK1,
        _field("scenario_description", _s, "scene in which the text is said, by a language model", nullable=True),
        _field("paragraph_context", _s, "paragraph around the text, by a language model", nullable=True),
    ]
)
"""One row of task 3: which clip suits the scene."""

TASK4: Final = pa.schema(
    [
        *TASK1,
        _field("dialogue_id", _s, "dialogue that the text is a turn of, in its corpus", nullable=True),
        _field("turn", _i, "place of the text in its dialogue, from 1 on", nullable=True),
        _field(
            "history_audio", AUDIOS, "recordings of the turns before, in order, up to the one before the text", nullable=True
        ),
    ]
)
"""One row of task 4: which clip is the better next turn of a dialogue."""

RATED_PAIRS: Final = pa.schema(
    [
        _field("pair_id", _s, "id of the two clips, whatever their order"),
        _field("text", _s, "what both clips say; null = the corpus does not tell", nullable=True),
        _field("language", _s, "language of the clips"),
        _field("content_id", _s, "what is said, as the corpus names it"),
        *_sides("audio", AUDIO, "clip, as it was heard"),
        *_sides("system", _s, "system, as the corpus names it; human = a person"),
        *_sides("condition", _s, "condition of recording or transmission, as the corpus names it,", nullable=True),
        *_sides("speaker_id", _s, "speaker in that corpus", nullable=True),
        _field("label", _s, "the clip that was rated higher: a or b"),
        _field("label_source", _s, "what the label rests on: ratings"),
        _field("scale", _s, "the scale of the ratings that decide"),
        *_sides("rating", _f, "mean rating on that scale"),
        _field("rating_gap", _f, "difference of the two ratings, above 0"),
        *_sides("raters", _i, "ratings behind the mean; null = unknown,", nullable=True),
        _field("votes", _VOTE_COUNTS, "human votes on the pair by value; null = nobody voted", nullable=True),
        _field("agreement", _s, "level of agreement of the votes: FA, WA, WD, FD", nullable=True),
        _field("vote_ids", pa.list_(_s), "the human votes that count; null = nobody voted", nullable=True),
        _field("filters_passed", pa.list_(_s), "filters that looked at the row and kept it"),
        _field("leakage_group", _s, "rows of one group share a text or a recording and lie in one split"),
        _field("license", _s, "SPDX expression for the row as a whole"),
        *_sides("license", _s, "SPDX identifier of the clip"),
        *_sides("is_synthetic", _b, "whether a machine spoke"),
        *_sides("duration_s", _f, "length"),
        *_sides("loudness_lufs", _f, "integrated loudness"),
        _field("corpus", _s, "corpus of the clips"),
        *_sides("source_id", _s, "the corpus's own id of the clip"),
        *_sides("source_ref", _s, "metadata file and line that names the clip, relative to the corpus root", nullable=True),
    ]
)
"""One row of rated pairs: two clips of one content, and which of them people rated higher."""

_BY_TASK: Final = {"task3": TASK3, "task4": TASK4}


def release_schema(task: str) -> pa.Schema:
    """Return the release schema of pairs that were judged in a task; tasks that show no more than Task 1 share its schema."""
    return _BY_TASK.get(task, TASK1)


def row_schema(schema: pa.Schema) -> pa.Schema:
    """Return what the writer takes for a release schema: audio ids (string) where the release has audio."""
    ids = {AUDIO: pa.string(), AUDIOS: pa.list_(pa.string())}
    return pa.schema([field.with_type(ids.get(field.type, field.type)) for field in schema])
