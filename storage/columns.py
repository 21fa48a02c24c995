"""Release schemas: the columns of the released rows by sort of item, and what general code must know of them.

A row of a task holds all that the task shows to whom it asks: a prompt can be put together again from one row, which is what a
reward model is trained on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa

AUDIO: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""An audio column of a release. The rows given to the writer carry the audio id (string) in its place."""

AUDIOS: Final = pa.list_(AUDIO)
"""Likewise with several clips, in the order in which they are heard: a list of audio ids."""

GROUP: Final = "leakage_group"
"""Column of every release: rows with one value of it lie in one split."""


def item_column(columns: pa.Schema) -> str:
    """Return the column with the item's id: the first one of every release, so that a file alone says which it is."""
    return str(columns.names[0])


@dataclass(frozen=True, kw_only=True)
class Count:
    """A tally of the card: how many rows have which values in some columns.

    Attributes:
        columns: columns counted together.
        sides: what is put behind ``_`` to each column's name; every side is counted, so that two clips count twice.
        bounds: count one column of numbers in bins, of which these are the upper bounds, themselves included.
    """

    columns: tuple[str, ...]
    sides: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    def names(self) -> list[list[str]]:
        """Return the lists of columns to count."""
        return [[f"{column}_{side}" for column in self.columns] for side in self.sides] or [list(self.columns)]


@dataclass(frozen=True, kw_only=True)
class Body:
    """What a card says of one sort of item.

    Attributes:
        template: template of the blocks ``synthetic``, ``items``, ``body`` and ``licences``, which stand in the frame
            (``card.md.jinja``): a name in this folder, or the absolute path of a file.
        counts: name of a tally in the template -> what is counted.
    """

    template: str
    counts: Mapping[str, Count]


@dataclass(frozen=True, kw_only=True)
class ReleaseSchema:
    """What one configuration of a release consists of.

    Attributes:
        columns: Arrow schema of the rows; the first column is the item's id.
        body: what the card says of such rows.
        label_column: column of the label, if there is one.
        labels: label -> what it means, as the heading of a column of the card.
    """

    columns: pa.Schema
    body: Body
    label_column: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        return list(self.columns.names)

    @property
    def item_column(self) -> str:
        """Column with the item's id, unique in the configuration."""
        return item_column(self.columns)

    @property
    def audio_columns(self) -> list[str]:
        """Columns of clips, those of several among them."""
        return [column.name for column in self.columns if column.type in (AUDIO, AUDIOS)]

    @property
    def audio_list_columns(self) -> list[str]:
        """Columns of several clips each."""
        return [column.name for column in self.columns if column.type == AUDIOS]

    @property
    def synthetic_columns(self) -> list[str]:
        """Columns that say whether a machine spoke a clip."""
        return [name for name in self.columns.names if name.startswith("is_synthetic")]


_DIMENSION_SCORES: Final = pa.list_(pa.struct([("dimension", pa.string()), ("score", pa.float64())]))
_METRIC_VALUES: Final = pa.list_(pa.struct([("metric", pa.string()), ("value", pa.float64())]))
_VOTE_COUNTS: Final = pa.list_(pa.struct([("value", pa.string()), ("count", pa.int64())]))


def _field(name: str, kind: pa.DataType, meaning: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})


def _sides(name: str, kind: pa.DataType, meaning: str, *, nullable: bool = False) -> list[pa.Field]:
    return [_field(f"{name}_{side}", kind, f"{meaning} of {side.upper()}", nullable=nullable) for side in "ab"]


_s, _f, _i, _b = pa.string(), pa.float64(), pa.int64(), pa.bool_()

_TASK1: Final = pa.schema(
    [
        _field("pair_id", _s, "id of the two clips, whatever their order"),
        _field("text", _s, "target text: both clips speak it, but for one with a spoken_text of its own"),
        _field("language", _s, "BCP 47 tag of the text"),
        _field("reference_language", _s, "BCP 47 tag of the reference speech; null = there is none", nullable=True),
        _field("setting", _s, "both languages as the papers write them: en2zh; en2en without a reference speech"),
        _field("emotion", _s, "emotion of the text's recording, as its corpus labels it", nullable=True),
        _field("style", _s, "regular or expressive"),
        _field("prompt_audio", AUDIO, "reference speech of the prompt; null = it has none", nullable=True),
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
            "digital_source_type",
            _s,
            "IPTC digital source type: trainedAlgorithmicMedia, algorithmicMedia, digitalCapture; null = unknown,",
            nullable=True,
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
_TASK3: Final = pa.schema(
    [
        *_TASK1,
        _field("scenario_description", _s, "scene in which the text is said, by a language model", nullable=True),
        _field("paragraph_context", _s, "paragraph around the text, by a language model", nullable=True),
    ]
)
_TASK4: Final = pa.schema(
    [
        *_TASK1,
        _field("dialogue_id", _s, "dialogue that the text is a turn of, in its corpus", nullable=True),
        _field("turn", _i, "place of the text in its dialogue, from 1 on", nullable=True),
        _field(
            "history_audio", AUDIOS, "recordings of the turns before, in order, up to the one before the text", nullable=True
        ),
        _field(
            "flaw",
            _s,
            "what is wrong with the turn that a clip says instead: intent or consistency; null = none does",
            nullable=True,
        ),
    ]
)
_RATED_PAIRS: Final = pa.schema(
    [
        _field("pair_id", _s, "id of the two clips, whatever their order"),
        _field("group_id", _s, "id of the clips that are compared: those of one content, or those that pairs are drawn of"),
        _field("category", _s, "what the clips share: same_content, same_speaker_or_system or neither"),
        _field("language", _s, "language of the clips"),
        *_sides("text", _s, "what is said in the clip; null = the corpus does not tell,", nullable=True),
        *_sides("content_id", _s, "what is said, as the corpus names it,"),
        *_sides("audio", AUDIO, "clip, as it was heard"),
        *_sides("system", _s, "system, as the corpus names it; human = a person"),
        *_sides("condition", _s, "condition of recording or transmission, as the corpus names it,", nullable=True),
        *_sides("speaker_id", _s, "speaker in that corpus", nullable=True),
        _field("label", _s, "the clip that was rated higher: a or b"),
        _field("label_source", _s, "what the label rests on: ratings"),
        _field("scale", _s, "the scale of the ratings that decide"),
        *_sides("rating", _f, "mean rating on that scale"),
        _field("rating_gap", _f, "difference of the two ratings, above 0"),
        *_sides("raters", _i, "number of ratings behind the mean; null = unknown,", nullable=True),
        *_sides("rating_std", _f, "sample standard deviation of the ratings; null = unknown,", nullable=True),
        _field("votes", _VOTE_COUNTS, "human votes on the pair by value; null = nobody voted", nullable=True),
        _field("agreement", _s, "level of agreement of the votes: FA, WA, WD, FD", nullable=True),
        _field("vote_ids", pa.list_(_s), "the human votes that count; null = nobody voted", nullable=True),
        _field("filters_passed", pa.list_(_s), "filters that looked at the row and kept it"),
        _field("leakage_group", _s, "rows of one group share a text or a clip, also through others, and lie in one split"),
        _field("license", _s, "SPDX expression for the row as a whole"),
        *_sides("license", _s, "SPDX identifier of the clip"),
        *_sides("is_synthetic", _b, "whether a machine spoke"),
        *_sides(
            "digital_source_type",
            _s,
            "IPTC digital source type: digitalCapture; null = a machine of which the corpus does not say how it works,",
            nullable=True,
        ),
        *_sides("duration_s", _f, "length in seconds"),
        *_sides("loudness_lufs", _f, "integrated loudness in LUFS"),
        *_sides("native_sample_rate_hz", _i, "sampling rate of the corpus's file"),
        _field("corpus", _s, "corpus of the clips"),
        *_sides("source_id", _s, "the corpus's own id of the clip"),
        *_sides("source_ref", _s, "metadata file and line that names the clip, relative to the corpus root", nullable=True),
    ]
)
_BETTER: Final = {"a": "a is better", "b": "b is better"}

_PAIRS: Final = Body(
    template="card_pairs.md.jinja",
    counts={
        "setting": Count(columns=("setting", "style")),
        "pair_kind": Count(columns=("pair_kind",)),
        "corruption": Count(columns=("corruption",), sides=("a", "b")),
        "flaw": Count(columns=("flaw",)),
        "judge": Count(columns=("judge", "judge_version", "judge_model", "prompt_version")),
        "clip": Count(
            columns=(
                "system",
                "engine",
                "engine_version",
                "model",
                "voice",
                "license",
                "is_synthetic",
                "digital_source_type",
            ),
            sides=("a", "b"),
        ),
    },
)

TASK1: Final = ReleaseSchema(columns=_TASK1, body=_PAIRS, label_column="label", labels=_BETTER)
"""Task 1: an utterance-level preference pair with all that it came from."""

TASK3: Final = ReleaseSchema(columns=_TASK3, body=_PAIRS, label_column="label", labels=_BETTER)
"""Task 3: which clip suits the scene."""

TASK4: Final = ReleaseSchema(columns=_TASK4, body=_PAIRS, label_column="label", labels=_BETTER)
"""Task 4: which clip is the better next turn of a dialogue."""

RATED_PAIRS: Final = ReleaseSchema(
    columns=_RATED_PAIRS,
    body=Body(
        template="card_rated_pairs.md.jinja",
        counts={
            "scale": Count(columns=("scale",)),
            "gap": Count(columns=("rating_gap",), bounds=(0.2, 0.5, 1)),
            "raters": Count(columns=("raters",), sides=("a", "b"), bounds=(1, 4, 8, 16)),
            "clip": Count(columns=("system", "condition", "license", "is_synthetic"), sides=("a", "b")),
        },
    ),
    label_column="label",
    labels=_BETTER,
)
"""Rated pairs: two clips, and which of them people rated higher."""

_BY_TASK: Final = {"task3": TASK3, "task4": TASK4}

_OF_CONTRASTS: Final = (
    *_sides("corruption", _s, "what was made wrong with the clip on purpose; null = nothing,", nullable=True),
    *_sides("recording_source_id", _s, "the corpus's own id of a recording other than the text's", nullable=True),
    *_sides("reference_source_id", _s, "the corpus's own id of what was cloned, where it is not the prompt's,", nullable=True),
    *_sides("reference_license", _s, "SPDX identifier of that reference", nullable=True),
)


_OF_REFERENCES: Final = (
    _field(
        "reference_category", _s, "sort of the reference speech: regular, emotional, accented, whisper, game", nullable=True
    ),
)


def release_schema(task: str, *, has_negatives: bool = False, has_categories: bool = False) -> ReleaseSchema:
    """Return the release schema of pairs that were judged in a task; tasks that show no more than Task 1 share its schema.

    Args:
        task: the task.
        has_negatives: whether one clip of each pair was made worse on purpose: rows say how.
        has_categories: whether rows say of which sort the reference speech is.
    """
    schema = _BY_TASK.get(task, TASK1)
    more = [*(_OF_CONTRASTS if has_negatives else ()), *(_OF_REFERENCES if has_categories else ())]
    return replace(schema, columns=pa.schema([*schema.columns, *more])) if more else schema


def row_schema(schema: ReleaseSchema) -> pa.Schema:
    """Return what the writer takes for a release schema: audio ids (string) where the release has audio."""
    ids = {AUDIO: pa.string(), AUDIOS: pa.list_(pa.string())}
    return pa.schema([column.with_type(ids.get(column.type, column.type)) for column in schema.columns])
