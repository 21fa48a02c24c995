"""Schemas of what is labelled, filtered and split, and of what is wanted or failed."""

from typing import Final

import pyarrow as pa

from contracts.schema_columns import BOOL, FAILED_TRIES, FLOAT, INT, TEXT, column

PAIRS: Final = pa.schema(
    [
        column("pair_id", TEXT, "id of the two samples, whatever their order"),
        column("group_id", TEXT, "the text group"),
        column("prompt_id", TEXT, "the prompt that both render"),
        column("kind", TEXT, "human (against the recording), inter (two systems) or intra (one system twice)"),
        column("sample_a", TEXT, "sample shown as A"),
        column("sample_b", TEXT, "sample shown as B"),
        column("system_a", TEXT, "system of A"),
        column("system_b", TEXT, "system of B"),
        column("category", TEXT, "of rated pairs: same_content, same_speaker_or_system or neither", nullable=True),
    ]
)

LABELS: Final = pa.schema(
    [
        column("item_id", TEXT, "what is labelled: the id of a pair or sample"),
        column("label", TEXT, "a, b or tie; of a rated clip its scores, of a question its first reference"),
        column("source", TEXT, "judgment, votes, ratings, construction or references"),
        column("judgment_ids", pa.list_(TEXT), "judgments that the label rests on"),
        column("vote_ids", pa.list_(TEXT), "votes, or listeners' ratings, that the label rests on"),
    ]
)

SPLITS: Final = pa.schema(
    [
        column("item_id", TEXT, "what is assigned: the id of a pair or sample"),
        column("group_id", TEXT, "its text group"),
        column("leakage_group", TEXT, "everything that must stay on one side together"),
        column("split", TEXT, "name of the split, as the recipe has it"),
    ]
)

CLAIMS: Final = pa.schema(
    [
        column("kind", TEXT, "what sort of thing it is: text, recording, source file, audio, dialogue, content, ..."),
        column("thing", TEXT, "its name: what no two splits of a collection may share"),
        column("split", TEXT, "the split that has it"),
        column("part", TEXT, "the part of the collection that has it there"),
    ]
)
DROPS: Final = pa.schema(
    [
        column("stage", TEXT, "stage in which the row left"),
        column("row_id", TEXT, "id of the row in that stage's input"),
        column("filter", TEXT, "filter or rule that removed it"),
        column("reason", TEXT, "why, as a counted word"),
        column("evidence", TEXT, "JSON of what the reason rests on"),
    ]
)

WANTED: Final = pa.schema(
    [
        column("row_id", TEXT, "key of a row that the stage is to make"),
        column("subject_id", TEXT, "the input row that it is made of"),
        column("part", pa.int32(), "which system, metric, judge or role of the recipe makes it, counted from 0"),
    ]
)

FAILURES: Final = pa.schema(
    [
        column("failure_id", TEXT, "id of stage + row"),
        column("stage", TEXT, "stage in which the row failed"),
        column("row_id", TEXT, "key that the stage wanted to produce"),
        column("subject_id", TEXT, "the input row: utterance, prompt, sample or pair"),
        column("reason", TEXT, "why, as a counted word"),
        column("message", TEXT, "what happened, for a person"),
        column("failed_tries", TEXT, FAILED_TRIES, nullable=True),
    ]
)

AUDIT: Final = pa.schema(
    [
        column("target", TEXT, "what is told: chosen, shown_as_a, a scale, or reference_length"),
        column("told_by", TEXT, "the feature that tells it, or not_listening: a classifier over all measured ones"),
        column("family", TEXT, "nuisance (says nothing of quality), origin (what made the clip) or reader (the classifier)"),
        column("split", TEXT, "split whose items are looked at; null = all", nullable=True),
        column("measure", TEXT, "what effect is: probability (0.5 = none), accuracy (0.5 = none) or correlation (0 = none)"),
        column("items", INT, "items of which the feature is known"),
        column("differing", INT, "items that say something: the feature differs between the two clips"),
        column("effect", FLOAT, "that the chosen clip has more; that the classifier is right; or Spearman's correlation"),
        column("low", FLOAT, "lower end of its 95 % interval, by bootstrap over leakage groups"),
        column("high", FLOAT, "upper end"),
        column("bound", FLOAT, "effect that chance alone stays within, but for the rate of false alarms"),
        column("p_value", FLOAT, "share of permutations that go as far, of any feature"),
        column("is_found", BOOL, "whether it is a shortcut, at that rate"),
    ]
)
