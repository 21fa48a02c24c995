"""One pyarrow schema per table. These schemas are the file format and the contract between stages.

Field metadata carries ``meaning`` and, where there is one, ``unit``. Null means unknown; NaN is refused.
"""

import math
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts import ids
from contracts.errors import SchemaError

SCORES: Final = pa.map_(pa.string(), pa.float64())
"""Named numbers: dimension or metric value -> score."""


def _field(name: str, kind: pa.DataType, meaning: str, *, unit: str = "", nullable: bool = False) -> pa.Field:
    metadata = {"meaning": meaning} | ({"unit": unit} if unit else {})
    return pa.field(name, kind, nullable=nullable, metadata=metadata)


_s, _f, _i, _b = pa.string(), pa.float64(), pa.int64(), pa.bool_()

RATING_LIST: Final = pa.list_(
    pa.struct(
        [
            pa.field("scale", _s, nullable=False),
            pa.field("rater", _s),
            pa.field("score", _f, nullable=False),
            pa.field("raters", _i),
            pa.field("std", _f),
        ]
    )
)
"""Ratings of one clip: scale, rater (null = a mean over raters), score, how many raters a mean rests on, their deviation."""

UTTERANCES: Final = pa.schema(
    [
        _field("utterance_id", _s, "id of the recording in its corpus"),
        _field("corpus", _s, "name of the corpus as the recipe calls it"),
        _field("source_id", _s, "the corpus's own id of the recording"),
        _field("source_ref", _s, "metadata file and line that names the recording, relative to the corpus root", nullable=True),
        _field("audio_path", _s, "audio file, relative to the corpus root, POSIX separators", nullable=True),
        _field("text", _s, "transcript", nullable=True),
        _field("language", _s, "BCP 47 language tag: en, zh"),
        _field("speaker_id", _s, "speaker, unique inside the corpus", nullable=True),
        _field("style", _s, "regular or expressive"),
        _field("emotion", _s, "emotion label of the corpus", nullable=True),
        _field("dialogue_id", _s, "dialogue that the recording is a turn of, unique inside the corpus", nullable=True),
        _field("turn", _i, "place in its dialogue: 1, 2, 3, ... without gaps", nullable=True),
        _field("duration_s", _f, "length that the file header states", unit="s", nullable=True),
        _field("license", _s, "SPDX identifier of the recording's licence"),
        _field(
            "problem", _s, "why the row cannot be used (missing_audio, missing_transcript, ...); null = usable", nullable=True
        ),
        _field("system", _s, "what spoke; null = a person", nullable=True),
        _field("content_id", _s, "what is said, unique inside the corpus: clips of one content say the same", nullable=True),
        _field("condition", _s, "condition of the recording or transmission, as the corpus names it", nullable=True),
        _field("split", _s, "split that the corpus puts it in", nullable=True),
        _field("references", pa.list_(_s), "reference answers or translations", nullable=True),
        _field("ratings", RATING_LIST, "ratings that the corpus brings along", nullable=True),
        _field("problem_detail", _s, "what is wrong and what to do, where the problem's name does not say it", nullable=True),
        _field("question", _s, "what is asked about the recording", nullable=True),
    ]
)

PROMPTS: Final = pa.schema(
    [
        _field("prompt_id", _s, "id of target text + reference recording"),
        _field("group_id", _s, "id of the target text: pairs, cycles and splits respect it"),
        _field("text", _s, "target text; null = the corpus does not say it", nullable=True),
        _field("language", _s, "language of the target text"),
        _field("reference_language", _s, "language of the reference speech; null = there is none", nullable=True),
        _field("style", _s, "regular or expressive"),
        _field("corpus", _s, "corpus of the target text"),
        _field("speaker_id", _s, "speaker of the reference", nullable=True),
        _field("target_utterance_id", _s, "the human recording of the target text", nullable=True),
        _field("reference_utterance_id", _s, "the reference speech (a_ref)", nullable=True),
        _field("reference_text", _s, "transcript of the reference speech", nullable=True),
        _field("license", _s, "SPDX identifier of the text's corpus"),
    ]
)

RECORDINGS: Final = pa.schema(
    [
        _field("recording_id", _s, "id of utterance + audio format: the row_id of the request"),
        _field("utterance_id", _s, "the utterance"),
        _field("audio_id", _s, "blob of the recording as a clip"),
        _field("duration_s", _f, "length of the blob", unit="s"),
        _field("sample_rate_hz", _i, "rate of the blob", unit="Hz"),
        _field("native_sample_rate_hz", _i, "rate of the source file", unit="Hz"),
        _field("loudness_lufs", _f, "integrated loudness of the blob", unit="LUFS"),
        _field("source_sha256", _s, "sha256 of the source file"),
    ]
)

SAMPLES: Final = pa.schema(
    [
        _field("sample_id", _s, "id of prompt + system + voice + seed + audio format"),
        _field("prompt_id", _s, "the prompt it renders"),
        _field("group_id", _s, "the text group"),
        _field("system", _s, "name of the system in the recipe; human = ground-truth recording"),
        _field("engine", _s, "engine plug-in; human = none"),
        _field("engine_version", _s, "version that the engine reported"),
        _field("model", _s, "model or voice data that spoke", nullable=True),
        _field("voice", _s, "voice of the engine", nullable=True),
        _field("seed", _i, "seed given to the engine", nullable=True),
        _field("params", _s, "canonical JSON of the parameters sent to the engine"),
        _field("spoken_text", _s, "what the engine was told to say where it is not the prompt's text", nullable=True),
        _field("audio_id", _s, "blob of the normalised clip"),
        _field("duration_s", _f, "length of the blob", unit="s"),
        _field("sample_rate_hz", _i, "rate of the blob", unit="Hz"),
        _field("native_sample_rate_hz", _i, "rate at which the engine spoke", unit="Hz"),
        _field("loudness_lufs", _f, "integrated loudness after normalisation", unit="LUFS"),
        _field(
            "utterance_id",
            _s,
            "the corpus's recording that this clip is; null = none, or the prompt's own target",
            nullable=True,
        ),
        _field("is_synthetic", _b, "false for human recordings only"),
        _field("license", _s, "SPDX identifier of the voice's or the recording's licence"),
    ]
)

METRICS: Final = pa.schema(
    [
        _field("metric_key", _s, "id of sample + metric + its configuration"),
        _field("sample_id", _s, "the sample measured"),
        _field("metric", _s, "name of the metric plug-in"),
        _field("model", _s, "model that measured"),
        _field("model_version", _s, "version of that model or its package"),
        _field("values", SCORES, "value name -> number; a null value = could not be scored"),
        _field("detail", _s, "what the number rests on, such as the ASR transcript", nullable=True),
    ]
)

PAIRS: Final = pa.schema(
    [
        _field("pair_id", _s, "id of the two samples, whatever their order"),
        _field("group_id", _s, "the text group"),
        _field("prompt_id", _s, "the prompt that both render"),
        _field("kind", _s, "human (against the recording), inter (two systems) or intra (one system twice)"),
        _field("sample_a", _s, "sample shown as A"),
        _field("sample_b", _s, "sample shown as B"),
        _field("system_a", _s, "system of A"),
        _field("system_b", _s, "system of B"),
    ]
)

JUDGMENTS: Final = pa.schema(
    [
        _field("judgment_id", _s, "id of pair + question: judge, model, prompt version, rendered prompt, audio, parameters"),
        _field("pair_id", _s, "the pair judged"),
        _field("task", _s, "task plug-in that asked and parsed"),
        _field("judge", _s, "judge plug-in"),
        _field("judge_version", _s, "version of the judge's rule or client"),
        _field("model", _s, "model asked for"),
        _field("model_served", _s, "model that answered, as it names itself", nullable=True),
        _field("prompt_version", _s, "hash of the prompt template"),
        _field("settings", _s, "hash of the judge's parameters"),
        _field("order", _s, "ab = A was played first; ba = B was, and all that is said here is turned back"),
        _field("vote", _i, "0, 1, ...: how often the same question was put before"),
        _field("verdict", _s, "a or b; null = equal totals", nullable=True),
        _field("scores_a", SCORES, "dimension -> score of A"),
        _field("scores_b", SCORES, "dimension -> score of B"),
        _field("total_a", _f, "sum of A's scores"),
        _field("total_b", _f, "sum of B's scores"),
        _field("completion", _s, "the reply in the task's layout, of the speeches as they were played"),
        _field("input_tokens", _i, "tokens billed as input", nullable=True),
        _field("output_tokens", _i, "tokens billed as output", nullable=True),
    ]
)

RULINGS: Final = pa.schema(
    [
        _field("pair_id", _s, "the pair"),
        _field("verdict", _s, "a or b; null = no preference", nullable=True),
        _field("scores_a", SCORES, "dimension -> mean score of A over the judgments"),
        _field("scores_b", SCORES, "dimension -> mean score of B over the judgments"),
        _field("total_a", _f, "mean total of A"),
        _field("total_b", _f, "mean total of B"),
        _field("votes_a", _i, "judgments for A; where ratings make the verdict, ratings of A"),
        _field("votes_b", _i, "judgments for B; likewise"),
        _field("votes_none", _i, "judgments without a preference"),
        _field("order_flip", _b, "the verdict changed with the order of playing; null = one order only", nullable=True),
        _field("judgment_ids", pa.list_(_s), "all judgments that it rests on, the one it is told by first"),
    ]
)

WRITINGS: Final = pa.schema(
    [
        _field("writing_id", _s, "id of row + question: judge, model, prompt version, rendered prompt, audio, parameters"),
        _field("task", _s, "task plug-in that asked and parsed"),
        _field("subject", _s, "table of the row it is about: prompts, samples or judgments"),
        _field("subject_id", _s, "key of that row"),
        _field("judge", _s, "judge plug-in that wrote"),
        _field("judge_version", _s, "version of the judge's client"),
        _field("model", _s, "model asked for"),
        _field("model_served", _s, "model that answered, as it names itself", nullable=True),
        _field("prompt_version", _s, "hash of the prompt template"),
        _field("settings", _s, "hash of the judge's parameters"),
        _field("content", _s, "canonical JSON object: what was written, by the names of the task's fields"),
        _field("scores", SCORES, "name -> number, for tasks that score; empty elsewhere"),
        _field("completion", _s, "the reply in the task's layout"),
        _field("input_tokens", _i, "tokens billed as input", nullable=True),
        _field("output_tokens", _i, "tokens billed as output", nullable=True),
    ]
)

VOTES: Final = pa.schema(
    [
        _field("vote_id", _s, "id of pair + annotator + protocol"),
        _field("pair_id", _s, "the pair voted on"),
        _field("annotator_id", _s, "pseudonym of the annotator"),
        _field("protocol", _s, "protocol plug-in: speechjudge (A+2 A+1 T B+1 B+2) or unisrm (A B invalid)"),
        _field("value", _s, "the vote, in the pair's stored order, whatever order was played"),
        _field("text_accurate_a", _b, "A speaks the text without error", nullable=True),
        _field("text_accurate_b", _b, "B speaks the text without error", nullable=True),
        _field("errors_a", pa.list_(_s), "omission, insertion, substitution heard in A; null = not asked", nullable=True),
        _field("errors_b", pa.list_(_s), "likewise in B", nullable=True),
        _field("order", _s, "ab = A was played first; null = unknown", nullable=True),
        _field("time_s", _f, "seconds from the item's showing to the vote", nullable=True),
        _field("plays_a", _i, "how often A was played", nullable=True),
        _field("plays_b", _i, "how often B was played", nullable=True),
        _field("source", _s, "app, or the file that it was imported from"),
        _field(
            "discarded",
            _s,
            "why it does not count, such as the rule that excluded the annotator; null = it counts",
            nullable=True,
        ),
        _field(
            "aggregated",
            _b,
            "true = a label made elsewhere of votes that are not here, no vote of a person; null = a vote",
            nullable=True,
        ),
    ]
)

RATINGS: Final = pa.schema(
    [
        _field("rating_id", _s, "id of sample + annotator + protocol"),
        _field("sample_id", _s, "the sample rated"),
        _field("annotator_id", _s, "pseudonym of the annotator"),
        _field("protocol", _s, "protocol plug-in"),
        _field("scores", SCORES, "scale -> rating"),
        _field("time_s", _f, "seconds from the item's showing to the rating", nullable=True),
        _field("plays", _i, "how often it was played", nullable=True),
        _field("source", _s, "app, or the file that it was imported from"),
        _field("discarded", _s, "why it does not count; null = it counts", nullable=True),
    ]
)

LABELS: Final = pa.schema(
    [
        _field("item_id", _s, "what is labelled: a pair's id"),
        _field("label", _s, "a, b or tie"),
        _field("source", _s, "judgment, votes, ratings or construction"),
        _field("judgment_ids", pa.list_(_s), "judgments that the label rests on"),
        _field("vote_ids", pa.list_(_s), "votes that the label rests on"),
    ]
)

DROPS: Final = pa.schema(
    [
        _field("stage", _s, "stage in which the row left"),
        _field("row_id", _s, "id of the row in that stage's input"),
        _field("filter", _s, "filter or rule that removed it"),
        _field("reason", _s, "why, as a counted word"),
        _field("evidence", _s, "JSON of what the reason rests on"),
    ]
)

WANTED: Final = pa.schema(
    [
        _field("row_id", _s, "key of a row that the stage is to make"),
        _field("subject_id", _s, "the input row that it is made of"),
        _field("part", pa.int32(), "which system, metric, judge or role of the recipe makes it, counted from 0"),
    ]
)

FAILURES: Final = pa.schema(
    [
        _field("failure_id", _s, "id of stage + row"),
        _field("stage", _s, "stage in which the row failed"),
        _field("row_id", _s, "key that the stage wanted to produce"),
        _field("subject_id", _s, "the input row: utterance, prompt, sample or pair"),
        _field("reason", _s, "why, as a counted word"),
        _field("message", _s, "what happened, for a person"),
    ]
)

SPLITS: Final = pa.schema(
    [
        _field("item_id", _s, "what is assigned: a pair's id"),
        _field("group_id", _s, "its text group"),
        _field("leakage_group", _s, "everything that must stay on one side together"),
        _field("split", _s, "name of the split, as the recipe has it"),
    ]
)

SCHEMAS: Final[dict[str, pa.Schema]] = {
    "utterances": UTTERANCES,
    "prompts": PROMPTS,
    "recordings": RECORDINGS,
    "samples": SAMPLES,
    "metrics": METRICS,
    "pairs": PAIRS,
    "judgments": JUDGMENTS,
    "rulings": RULINGS,
    "writings": WRITINGS,
    "votes": VOTES,
    "ratings": RATINGS,
    "labels": LABELS,
    "drops": DROPS,
    "failures": FAILURES,
    "wanted": WANTED,
    "splits": SPLITS,
}

KEYS: Final[dict[str, str]] = {
    "utterances": "utterance_id",
    "prompts": "prompt_id",
    "recordings": "recording_id",
    "samples": "sample_id",
    "metrics": "metric_key",
    "pairs": "pair_id",
    "judgments": "judgment_id",
    "rulings": "pair_id",
    "writings": "writing_id",
    "votes": "vote_id",
    "ratings": "rating_id",
    "labels": "item_id",
    "failures": "failure_id",
    "wanted": "row_id",
    "splits": "item_id",
}
"""Key column of each table that has one."""


def schema_of(name: str) -> pa.Schema:
    """Return the schema of a table or of one partition of it: ``drops@filters`` is a part of ``drops``."""
    return SCHEMAS[name.partition("@")[0]]


def key_of(name: str) -> str:
    """Return the key column of a table or of one partition of it."""
    return KEYS[name.partition("@")[0]]


def conform(table: pa.Table, name: str, schema: pa.Schema | None = None) -> pa.Table:
    """Return ``table`` with exactly the columns, order and types of the named schema; nullable columns may be missing.

    Args:
        table: the rows.
        name: the table, or one partition of it.
        schema: instead of today's: some of its columns, or the schema of an older version.

    Raises:
        SchemaError: a column is missing or unknown, a type does not fit, a required value is null, or a number is NaN; the
            message names table, column and first bad row.
    """
    schema = schema_of(name) if schema is None else schema
    missing = [field.name for field in schema if field.name not in table.column_names and not field.nullable]
    unknown = [column for column in table.column_names if column not in schema.names]
    if missing or unknown:
        raise SchemaError(f"table {name}: missing columns {missing or 'none'}, unknown columns {unknown or 'none'}")
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, field.type)]))
            continue
        column = table[field.name]
        if column.type != field.type:
            try:
                column = column.cast(field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise SchemaError(
                    f"table {name}, column {field.name}{_misfit(column, field)}: wants {field.type}, got {column.type}: {error}"
                ) from error
        if not field.nullable and column.null_count:
            row = pc.index(pc.is_null(column), True).as_py()
            raise SchemaError(f"table {name}, column {field.name}, row {row}: null where a value is required")
        _refuse_nan(column, name, field)
        if field.type == RATING_LIST:
            _check_ratings(column, name, field)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _refuse_nan(column: pa.ChunkedArray, name: str, field: pa.Field) -> None:
    if pa.types.is_floating(field.type):
        row = pc.index(pc.is_nan(column), True).as_py()
        if row >= 0:
            raise SchemaError(f"table {name}, column {field.name}, row {row}: NaN; unknown is null")
    elif field.type == SCORES and any(pc.any(pc.is_nan(chunk.items)).as_py() for chunk in column.chunks):
        for row, named in enumerate(column.to_pylist()):
            for under, value in named or ():
                if value is not None and math.isnan(value):
                    raise SchemaError(f"table {name}, column {field.name}, row {row}: NaN under {under}; unknown is null")


def _check_ratings(column: pa.ChunkedArray, name: str, field: pa.Field) -> None:
    """Raise where a rating lacks what it must have, or has NaN: Arrow checks neither inside of lists."""
    ratings = pc.list_flatten(column)
    for part in ratings.type:
        values = pc.struct_field(ratings, part.name)
        bad = pc.is_null(values, nan_is_null=True) if pa.types.is_floating(part.type) else pc.is_null(values)
        if part.nullable:
            bad = pc.and_(bad, pc.is_valid(values))
        if (first := pc.index(bad, True).as_py()) >= 0:
            row = pc.list_parent_indices(column)[first].as_py()
            raise SchemaError(f"table {name}, column {field.name}, row {row}: null or NaN under {part.name}")


def _misfit(column: pa.ChunkedArray, field: pa.Field) -> str:
    """Return which row a column's type fails at, as a message says it; nothing where it fails as a whole."""
    for row in range(len(column)):
        try:
            column.slice(row, 1).cast(field.type)
        except pa.ArrowInvalid:
            return f", row {row}"
        except pa.ArrowNotImplementedError:
            return ""
    return ""


def empty(name: str) -> pa.Table:
    """Return a table of the named schema without rows."""
    return schema_of(name).empty_table()


def legible(text: str) -> str:
    """Return a text from outside as a table can hold it: JSON can spell halves of surrogate pairs, UTF-8 cannot."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def failure(stage: str, row_id: str, subject_id: str, reason: str, message: str) -> dict[str, str]:
    """Return one row of ``failures`` as a dict; what a provider's message holds that is no text is replaced."""
    return {
        "failure_id": ids.row_id("failure", stage, row_id),
        "stage": stage,
        "row_id": row_id,
        "subject_id": subject_id,
        "reason": reason,
        "message": legible(message)[:2000],
    }
