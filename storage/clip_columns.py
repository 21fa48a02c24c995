"""Release schemas of single clips: rated ones, and those that are asked about."""

from typing import Final

import pyarrow as pa

from contracts.schema_columns import BOOL, FLOAT, INT, SCALE_SCORES, TEXT, column
from storage.columns import AUDIO, Body, Count, ReleaseSchema

_METRIC_VALUES: Final = pa.list_(pa.struct([("metric", TEXT), ("value", FLOAT)]))
_TEXTS: Final = pa.list_(pa.struct([("name", TEXT), ("text", TEXT)]))

OF_CLIP: Final = (
    column("system", TEXT, "system, as the corpus names it; human = a person"),
    column("condition", TEXT, "condition of recording or transmission, as the corpus names it", nullable=True),
    column("speaker_id", TEXT, "speaker in that corpus", nullable=True),
    column("metrics", _METRIC_VALUES, "all objective measurements of the clip", nullable=True),
    column("filters_passed", pa.list_(TEXT), "filters that looked at the row and kept it"),
    column("leakage_group", TEXT, "rows of one group share a text or a recording and lie in one split"),
    column("license", TEXT, "SPDX expression of the clip, and so of the row"),
    column("is_synthetic", BOOL, "whether a machine spoke"),
    column(
        "digital_source_type",
        TEXT,
        "IPTC digital source type: digitalCapture; null = a machine of which the corpus does not say how it works",
        nullable=True,
    ),
    column("duration_s", FLOAT, "length in seconds"),
    column("loudness_lufs", FLOAT, "integrated loudness in LUFS"),
    column("native_sample_rate_hz", INT, "sampling rate of the corpus's file"),
    column("corpus", TEXT, "corpus of the clip"),
    column("source_id", TEXT, "the corpus's own id of the clip"),
    column("source_ref", TEXT, "metadata file and line that names the clip, relative to the corpus root", nullable=True),
)
"""Columns of every sort of single clips."""

_SPEAKERS: Final = Count(columns=("system", "condition", "license", "is_synthetic"))

RATED_CLIPS: Final = ReleaseSchema(
    columns=pa.schema(
        [
            column("clip_id", TEXT, "id of the clip"),
            column("group_id", TEXT, "id of what is said: clips of one content share it"),
            column("text", TEXT, "what is said; null = the corpus does not tell", nullable=True),
            column("language", TEXT, "language of the clip"),
            column("content_id", TEXT, "what is said, as the corpus names it", nullable=True),
            column("prompt", TEXT, "what a judge is asked about the clip; null = the recipe names no task", nullable=True),
            column("audio", AUDIO, "the clip, as it was heard"),
            column("scores", SCALE_SCORES, "score per scale; the mean before rounding, the ratings behind it, their deviation"),
            column("descriptions", _TEXTS, "the reasons in words, by name; null = there are none", nullable=True),
            column("completion", TEXT, "reasons and scores in the training format (SPEC U2); null = no reasons", nullable=True),
            column("label_source", TEXT, "who gave the scores: ratings (of the corpus), votes (of listeners) or judgment"),
            column(
                "judge",
                TEXT,
                "judge that gave the scores, or wrote the reasons alone; null = neither",
                nullable=True,
            ),
            column("judge_version", TEXT, "version of the judge's rule or client", nullable=True),
            column("judge_model", TEXT, "model that the judge named as the one that answered", nullable=True),
            column("prompt_version", TEXT, "hash of the judge's prompt template", nullable=True),
            column("rating_ids", pa.list_(TEXT), "the listeners' ratings that count; empty = others gave the scores"),
            *OF_CLIP,
        ]
    ),
    body=Body(
        template="card_rated_clips.md.jinja",
        counts={
            "source": Count(columns=("label_source", "judge", "judge_model", "prompt_version")),
            "clip": _SPEAKERS,
        },
    ),
)
"""Rated clips: one clip with scores on named scales, and in words."""

ANSWERS: Final = ReleaseSchema(
    columns=pa.schema(
        [
            column("question_id", TEXT, "id of the recording and what is asked about it"),
            column("group_id", TEXT, "id of the recording, as far as the corpus names it: all questions about it share it"),
            column("text", TEXT, "what is said; null = the corpus does not tell", nullable=True),
            column("language", TEXT, "language of the recording"),
            column("content_id", TEXT, "what is said, as the corpus names it", nullable=True),
            column("prompt", TEXT, "what is asked about the recording"),
            column("audio", AUDIO, "the recording"),
            column("references", pa.list_(TEXT), "answers or translations to compare with"),
            column("reference_language", TEXT, "language of the references"),
            column(
                "completion",
                TEXT,
                "the first reference: for SFT, or as an off-policy sample of RL; null = left out",
                nullable=True,
            ),
            column("reward", TEXT, "signature of the BLEU that rewards a completion (sacrebleu)"),
            column("label_source", TEXT, "where the references come from: references (of the corpus)"),
            *OF_CLIP,
        ]
    ),
    body=Body(
        template="card_answers.md.jinja",
        counts={"asked": Count(columns=("language", "reference_language", "reward")), "clip": _SPEAKERS},
    ),
)
"""Answers: a recording, what is asked about it, and the references."""
