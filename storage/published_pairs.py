"""Rows of SpeechJudge-Data as it is published (Hub ``RMSnow/SpeechJudge-Data``), as our tables and back (pure).

Split by split: ``train``, ``dev``, ``test`` (SpeechJudge-Eval) and ``other`` (ties and the rest). Of every pair the row has the
prompt, both clips, the votes of each rater in parallel lists, and a label. What it does not have are systems, seeds and WERs.

A tie that is ours has no reason: it is written as ``Tie (missing reason)``, and read as ``T``. The other two keep their words.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from contracts.errors import DataError
from contracts.ids import row_id
from contracts.schema_columns import BOOL, INT, TEXT, column
from contracts.schemas import VOTES
from storage.columns import AUDIO

PROTOCOL: Final = "speechjudge"
"""Protocol of the votes."""

TEACHER: Final = "gemini-2.5-flash"
"""Column of the teacher's reply, named after its model."""

_LABELS: Final = {"A": "a", "B": "b", "Tie": "tie"}
_WITHOUT_REASON: Final = "Tie (missing reason)"
_VALUES: Final = {
    "A+2": "A+2",
    "A+1": "A+1",
    "B+1": "B+1",
    "B+2": "B+2",
    _WITHOUT_REASON: "T",
    "Tie (both not good)": "Tie (both not good)",
    "Tie (both very good)": "Tie (both very good)",
}
_ANNOTATIONS: Final = {ours: theirs for theirs, ours in _VALUES.items()}
_SETTINGS: Final = ("en2en", "en2zh", "zh2zh", "zh2en", "en2mixed", "zh2mixed")
_STYLES: Final = ("regular", "expressive")

PUBLISHED: Final = pa.schema(
    [
        ("index", INT),
        ("subset", TEXT),
        ("language_setting", TEXT),
        ("chosen", BOOL),
        ("prompt", AUDIO),
        ("prompt_text", TEXT),
        ("target_text", TEXT),
        ("audioA", AUDIO),
        ("audioB", AUDIO),
        ("rater", pa.list_(TEXT)),
        ("audioA_text_accuracy", pa.list_(INT)),
        ("audioB_text_accuracy", pa.list_(INT)),
        ("naturalness_annotation", pa.list_(TEXT)),
        ("naturalness_label", TEXT),
        (TEACHER, TEXT),
    ]
)
"""Columns of the published rows."""

WITHOUT_AUDIO: Final = [name for name in PUBLISHED.names if PUBLISHED.field(name).type != AUDIO]
"""Its columns without clips: 211 GB of them are of no use where only votes are read."""

PUBLISHED_PAIRS: Final = pa.schema(
    [
        column("pair_id", TEXT, "id of split and index"),
        column("split", TEXT, "split that the pair is published in"),
        column("index", INT, "number of the row"),
        column("style", TEXT, "regular or expressive"),
        column("setting", TEXT, "language of the reference 2 language of the text"),
        column("text", TEXT, "target text"),
        column("prompt_text", TEXT, "transcript of the reference speech"),
        column("label", TEXT, "a, b or tie: the majority of the votes, as it is published"),
        column("chosen", BOOL, "whether the annotators agree with others above 40 %, as it is published"),
        column("teacher_reply", TEXT, "the teacher's reasoning and scores; null = there are none", nullable=True),
        column("prompt_audio", AUDIO, "reference speech; null = it was not read", nullable=True),
        column("audio_a", AUDIO, "clip A; null = it was not read", nullable=True),
        column("audio_b", AUDIO, "clip B; null = it was not read", nullable=True),
    ]
)
"""One row per published pair; its votes are rows of schema VOTES."""

_CLIPS: Final = {"prompt": "prompt_audio", "audioA": "audio_a", "audioB": "audio_b"}
_PARALLEL: Final = ("rater", "audioA_text_accuracy", "audioB_text_accuracy", "naturalness_annotation")


def tables_of(rows: Iterable[Mapping[str, Any]], split: str, source: str) -> tuple[pa.Table, pa.Table]:
    """Return published rows as a table of PUBLISHED_PAIRS and one of VOTES, in their order.

    Args:
        rows: rows of PUBLISHED; clips may be missing.
        split: split that they are published in.
        source: file, for the votes and for errors.

    Raises:
        DataError: a value that the layout does not have; names file, row and field.
    """
    pairs, votes = list[dict[str, Any]](), list[dict[str, Any]]()
    for number, row in enumerate(rows):
        where = f"{source}, row {number}"
        pair = _pair(row, split, where)
        pairs.append(pair)
        votes += _votes(row, pair["pair_id"], source, where)
    return pa.Table.from_pylist(pairs, schema=PUBLISHED_PAIRS), pa.Table.from_pylist(votes, schema=VOTES)


def rows_of(pairs: Iterable[Mapping[str, Any]], votes: Mapping[str, Sequence[Mapping[str, Any]]]) -> pa.Table:
    """Return rows of PUBLISHED, in the order of the pairs.

    Args:
        pairs: rows of PUBLISHED_PAIRS.
        votes: pair -> its rows of VOTES, in order.

    Raises:
        DataError: a pair or vote cannot be expressed (``refusal``); names the pair.
    """
    rows = []
    for pair in pairs:
        cast = votes.get(pair["pair_id"], ())
        if (why := refusal(pair, cast)) is not None:
            raise DataError(f"pair {pair['pair_id']} has no form in published rows: {why}")
        rows.append(_row(pair, cast))
    return pa.Table.from_pylist(rows, schema=PUBLISHED)


def refusal(pair: Mapping[str, Any], votes: Sequence[Mapping[str, Any]]) -> str | None:
    """Return why the layout cannot express a pair, as a counted word; None = it can."""
    if not votes:
        return "no_votes"
    if any(vote["value"] not in _ANNOTATIONS for vote in votes):
        return "no_cmos_vote"
    if any(vote["text_accurate_a"] is None or vote["text_accurate_b"] is None for vote in votes):
        return "no_text_accuracy"
    if pair["setting"] not in _SETTINGS:
        return "other_language_setting"
    if pair["style"] not in _STYLES:
        return "other_style"
    if pair["prompt_text"] is None:
        return "no_prompt_text"
    return None if pair["label"] in _LABELS.values() else "no_label"


def hub_metadata() -> dict[str, str]:
    """Return the metadata that makes ``datasets`` load the clips as audio."""
    features = {field.name: _feature(field.type) for field in PUBLISHED}
    return {"huggingface": json.dumps({"info": {"features": features}}, separators=(",", ":"))}


def _feature(kind: pa.DataType) -> Any:
    if kind == AUDIO:
        return {"_type": "Audio"}
    return [_feature(kind.value_type)] if pa.types.is_list(kind) else {"dtype": str(kind), "_type": "Value"}


def _pair(row: Mapping[str, Any], split: str, where: str) -> dict[str, Any]:
    for name, known in (("subset", _STYLES), ("language_setting", _SETTINGS), ("naturalness_label", tuple(_LABELS))):
        if row.get(name) not in known:
            raise DataError(f"{where}, {name}: {row.get(name)!r} is none of {', '.join(known)}")
    for name in ("index", "chosen", "target_text", "prompt_text"):
        if row.get(name) is None:
            raise DataError(f"{where}, {name}: it is missing")
    clips = {ours: row.get(theirs) for theirs, ours in _CLIPS.items()}
    return clips | {
        "pair_id": row_id("speechjudge", split, row["index"]),
        "split": split,
        "index": row["index"],
        "style": row["subset"],
        "setting": row["language_setting"],
        "text": row["target_text"],
        "prompt_text": row["prompt_text"],
        "label": _LABELS[row["naturalness_label"]],
        "chosen": row["chosen"],
        "teacher_reply": row.get(TEACHER) or None,
    }


def _votes(row: Mapping[str, Any], pair_id: str, source: str, where: str) -> list[dict[str, Any]]:
    lists = {name: row.get(name) or [] for name in _PARALLEL}
    if len({len(values) for values in lists.values()}) > 1:
        raise DataError(f"{where}: {', '.join(f'{name} has {len(values)}' for name, values in lists.items())} values")
    raters: list[str] = lists["rater"]
    if len(set(raters)) < len(raters) or None in raters:
        raise DataError(f"{where}, rater: each must be named, and once")
    votes = []
    for number, rater in enumerate(raters):
        annotation = lists["naturalness_annotation"][number]
        if annotation not in _VALUES:
            raise DataError(f"{where}, naturalness_annotation: {annotation!r} is none of {', '.join(_VALUES)}")
        accurate = {}
        for side in "ab":
            name = f"audio{side.upper()}_text_accuracy"
            if lists[name][number] not in (0, 1):
                raise DataError(f"{where}, {name}: {lists[name][number]!r} is neither 0 nor 1")
            accurate[f"text_accurate_{side}"] = bool(lists[name][number])
        vote_id = row_id("vote", pair_id, rater, PROTOCOL)
        votes.append(
            accurate
            | {
                "vote_id": vote_id,
                "pair_id": pair_id,
                "annotator_id": rater,
                "protocol": PROTOCOL,
                "value": _VALUES[annotation],
                "source": source,
            }
        )
    return votes


def _row(pair: Mapping[str, Any], votes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    label = next(theirs for theirs, ours in _LABELS.items() if ours == pair["label"])
    return {theirs: pair.get(ours) for theirs, ours in _CLIPS.items()} | {
        "index": pair["index"],
        "subset": pair["style"],
        "language_setting": pair["setting"],
        "chosen": pair["chosen"],
        "prompt_text": pair["prompt_text"],
        "target_text": pair["text"],
        "rater": [vote["annotator_id"] for vote in votes],
        "audioA_text_accuracy": [int(vote["text_accurate_a"]) for vote in votes],
        "audioB_text_accuracy": [int(vote["text_accurate_b"]) for vote in votes],
        "naturalness_annotation": [_ANNOTATIONS[vote["value"]] for vote in votes],
        "naturalness_label": label,
        TEACHER: pair.get("teacher_reply") or "",
    }
