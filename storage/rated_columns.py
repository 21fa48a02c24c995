"""Release schemas of rated pairs beyond the pairs themselves: with prompts, with critiques, and clip by clip (MOS-RMBench)."""

from typing import Final

import pyarrow as pa

from contracts.schema_columns import FLOAT, INT, TEXT, column
from storage.clip_columns import OF_CLIP
from storage.columns import AUDIO, RATED_PAIRS, Body, Count, ReleaseSchema

_PROMPT: Final = column("prompt", TEXT, "asks for a critique of both clips and two scores; [Audio 1] is A and [Audio 2] is B")
_SCORES: Final = pa.list_(pa.struct([("dimension", TEXT), ("score", FLOAT)]))

PROMPTED_PAIRS: Final = ReleaseSchema(
    columns=pa.schema(
        [
            *RATED_PAIRS.columns,
            _PROMPT,
            column("identifier_prompt", TEXT, "asks for the name of the better clip alone; [Audio 1] is A and [Audio 2] is B"),
            column("chosen", TEXT, "the answer to identifier_prompt that names the clip rated higher"),
            column("rejected", TEXT, "the answer that names the other clip"),
        ]
    ),
    body=RATED_PAIRS.body,
    label_column=RATED_PAIRS.label_column,
    labels=RATED_PAIRS.labels,
)
"""Rated pairs as rows for reinforcement learning: what a model is asked, and which answer is right."""

PAIR_CRITIQUES: Final = ReleaseSchema(
    columns=pa.schema(
        [
            *RATED_PAIRS.columns,
            _PROMPT,
            column("completion", TEXT, "the judge's critique of both clips, with its scores as the last line"),
            column("scores_a", _SCORES, "the judge's score of A"),
            column("scores_b", _SCORES, "the judge's score of B"),
            column("judge", TEXT, "judge"),
            column("judge_version", TEXT, "version of the judge's client"),
            column("judge_model", TEXT, "model that the judge named as the one that answered"),
            column("prompt_version", TEXT, "hash of the judge's prompt template"),
        ]
    ),
    body=Body(
        template="card_pair_critiques.md.jinja",
        counts={"judge": Count(columns=("judge", "judge_version", "judge_model", "prompt_version"))},
    ),
    label_column=RATED_PAIRS.label_column,
    labels=RATED_PAIRS.labels,
)
"""Rated pairs with a critique that agrees with the ratings, as rows for supervised fine-tuning."""

SCALAR_CLIPS: Final = ReleaseSchema(
    columns=pa.schema(
        [
            column("clip_id", TEXT, "id of the clip"),
            column("group_id", TEXT, "id of the content"),
            column("text", TEXT, "what is said; null = the corpus does not tell", nullable=True),
            column("language", TEXT, "language of the clip"),
            column("content_id", TEXT, "what is said, as the corpus names it", nullable=True),
            column("audio", AUDIO, "clip, as it was heard"),
            column("scale", TEXT, "the scale of the ratings"),
            column("rating", FLOAT, "mean rating on that scale"),
            column("raters", INT, "number of ratings behind the mean; null = unknown", nullable=True),
            column("rating_std", FLOAT, "sample standard deviation of the ratings; null = unknown", nullable=True),
            column("critique_prompt", TEXT, "asks for a critique of the clip in words; null = there is none", nullable=True),
            column("critique", TEXT, "what a judge wrote of the clip; null = nothing", nullable=True),
            column("critique_judge", TEXT, "that judge", nullable=True),
            column("critique_model", TEXT, "model that the judge named as the one that answered", nullable=True),
            column("critique_prompt_version", TEXT, "hash of the judge's prompt template", nullable=True),
            *OF_CLIP,
        ]
    ),
    body=Body(
        template="card_scalar_clips.md.jinja",
        counts={
            "scale": Count(columns=("scale",)),
            "raters": Count(columns=("raters",), bounds=(1, 4, 8, 16)),
            "critique": Count(columns=("critique_judge", "critique_model", "critique_prompt_version")),
        },
    ),
)
"""Clips with their mean ratings, as rows for models that score one clip."""
