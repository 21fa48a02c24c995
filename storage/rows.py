"""Release rows: every kept pair joined with all that it came from (pure)."""

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import among, attach, sorted_by
from storage.columns import RATED_PAIRS, TASK1

_SIDE: Final = ("system", "spoken_text", "is_synthetic", "engine", "engine_version", "model", "voice", "seed", "params")
_VOTES: Final = ("votes_a", "votes_b", "votes_none")
_METRIC: Final = pa.struct([("metric", pa.string()), ("value", pa.float64())])
_SCORE: Final = pa.struct([("dimension", pa.string()), ("score", pa.float64())])


def pair_rows(
    *,
    splits: pa.Table,
    pairs: pa.Table,
    labels: pa.Table,
    rulings: pa.Table,
    judgments: pa.Table,
    prompts: pa.Table,
    utterances: pa.Table,
    recordings: pa.Table,
    samples: pa.Table,
    metrics: pa.Table,
    source_types: Mapping[str, str],
    filters: Sequence[str],
    schema: pa.Schema = TASK1,
    written: pa.Table | None = None,
    histories: pa.Table | None = None,
    heard: pa.Table | None = None,
) -> pa.Table:
    """Return one row per assigned pair: the columns of ``row_schema(schema)`` and ``split``; rows of a prompt are neighbours.

    Args:
        splits: table of schema SPLITS; decides which pairs are released.
        pairs: table of schema PAIRS.
        labels: table of schema LABELS.
        rulings: table of schema RULINGS.
        judgments: table of schema JUDGMENTS with those that the rulings are told by.
        prompts: table of schema PROMPTS.
        utterances: table of schema UTTERANCES.
        recordings: table of schema RECORDINGS, one row per utterance.
        samples: table of schema SAMPLES.
        metrics: table of schema METRICS.
        source_types: sample id -> IPTC digital source type.
        filters: names of the filters that every row passed.
        schema: release schema of the task.
        written: ``prompt_id`` and columns of the schema that language models wrote about the prompt; None = they wrote none.
        histories: ``prompt_id, history_utterance_ids``: the turns before, for a schema that has them.
        heard: ``pair_id, votes, agreement, vote_ids`` of the pairs that people voted on; None = nobody was asked.
    """
    rows = attach(
        splits,
        "pair_id",
        pairs,
        "pair_id",
        {name: name for name in ("prompt_id", "sample_a", "sample_b")} | {"pair_kind": "kind"},
    )
    rows = sorted_by(rows, "prompt_id", "pair_id")
    rows = _with_prompt(rows, prompts, utterances, recordings)
    if written is not None:
        wanted = {name: name for name in written.column_names if name in schema.names and name not in rows.column_names}
        rows = attach(rows, "prompt_id", written, "prompt_id", wanted)
    if histories is not None:
        before = _histories(among(histories, "prompt_id", rows["prompt_id"]), utterances, recordings)
        rows = attach(rows, "prompt_id", before, "prompt_id", {"history_audio": "audio_ids", "history_licenses": "licenses"})
    rows = attach(rows, "pair_id", labels, "pair_id", {"label": "label", "label_source": "source"})
    rows = _with_ruling(rows, rulings, judgments)
    sampled = samples.append_column(
        "source_type", pa.array([source_types[key] for key in samples["sample_id"].to_pylist()], pa.string())
    )
    measured = _metric_lists(metrics)
    for side in ("a", "b"):
        names = {f"{name}_{side}": name for name in _SIDE}
        names |= {f"audio_{side}": "audio_id", f"license_{side}": "license", f"digital_source_type_{side}": "source_type"}
        rows = attach(rows, f"sample_{side}", sampled, "sample_id", names)
        rows = attach(rows, f"sample_{side}", measured, "sample_id", {f"metrics_{side}": "metrics", f"wer_{side}": "wer"})
    rows = rows.append_column("license", _row_licenses(rows))
    passed = pa.array([list(filters)] * rows.num_rows, pa.list_(pa.string()))
    rows = rows.append_column("filters_passed", passed)
    if heard is not None:
        rows = attach(rows, "pair_id", heard, "pair_id", {name: name for name in ("votes", "agreement", "vote_ids")})
    have = [name for name in schema.names if name in rows.column_names]
    return rows.select([*have, "split"])


def rated_pair_rows(
    *,
    splits: pa.Table,
    pairs: pa.Table,
    labels: pa.Table,
    rulings: pa.Table,
    prompts: pa.Table,
    utterances: pa.Table,
    samples: pa.Table,
    filters: Sequence[str],
    scale: str,
    heard: pa.Table | None = None,
) -> pa.Table:
    """Return one row per assigned pair of rated clips: the columns of ``row_schema(RATED_PAIRS)`` and ``split``.

    Args:
        splits: table of schema SPLITS; decides which pairs are released.
        pairs: table of schema PAIRS.
        labels: table of schema LABELS.
        rulings: table of schema RULINGS: totals are mean ratings, votes the ratings behind them (0 = unknown).
        prompts: table of schema PROMPTS.
        utterances: table of schema UTTERANCES.
        samples: table of schema SAMPLES, each of which is an utterance.
        filters: names of the filters that every row passed.
        scale: the scale of the ratings.
        heard: ``pair_id, votes, agreement, vote_ids`` of the pairs that people voted on; None = nobody was asked.
    """
    rows = attach(splits, "pair_id", pairs, "pair_id", {name: name for name in ("prompt_id", "sample_a", "sample_b")})
    rows = sorted_by(rows, "prompt_id", "pair_id")
    rows = attach(rows, "prompt_id", prompts, "prompt_id", {name: name for name in ("text", "language", "corpus")})
    rows = attach(rows, "pair_id", labels, "pair_id", {"label": "label", "label_source": "source"})
    ratings = {f"rating_{side}": f"total_{side}" for side in "ab"} | {f"counted_{side}": f"votes_{side}" for side in "ab"}
    rows = attach(rows, "pair_id", rulings, "pair_id", ratings)
    clip = ("system", "license", "is_synthetic", "duration_s", "loudness_lufs", "utterance_id")
    source = ("condition", "speaker_id", "source_id", "source_ref")
    for side in "ab":
        names = {f"{name}_{side}": name for name in clip} | {f"audio_{side}": "audio_id"}
        rows = attach(rows, f"sample_{side}", samples, "sample_id", names)
        rows = attach(rows, f"utterance_id_{side}", utterances, "utterance_id", {f"{name}_{side}": name for name in source})
        counted = rows[f"counted_{side}"]
        rows = rows.append_column(f"raters_{side}", pc.if_else(pc.greater(counted, 0), counted, pa.scalar(None, pa.int64())))
    rows = attach(rows, "utterance_id_a", utterances, "utterance_id", {"content_id": "content_id"})
    licenses = zip(rows["license_a"].to_pylist(), rows["license_b"].to_pylist(), strict=True)
    made = {
        "rating_gap": pc.abs(pc.subtract(rows["rating_a"], rows["rating_b"])),
        "scale": pa.repeat(pa.scalar(scale, pa.string()), rows.num_rows),
        "license": pa.array([_conjunction(pair) for pair in licenses], pa.string()),
        "filters_passed": pa.array([list(filters)] * rows.num_rows, pa.list_(pa.string())),
    }
    for name, column in made.items():
        rows = rows.append_column(name, column)
    if heard is not None:
        rows = attach(rows, "pair_id", heard, "pair_id", {name: name for name in ("votes", "agreement", "vote_ids")})
    return rows.select([*(name for name in RATED_PAIRS.names if name in rows.column_names), "split"])


def _with_prompt(rows: pa.Table, prompts: pa.Table, utterances: pa.Table, recordings: pa.Table) -> pa.Table:
    names = {
        name: name
        for name in (
            "text",
            "language",
            "setting",
            "style",
            "corpus",
            "speaker_id",
            "target_utterance_id",
            "reference_utterance_id",
        )
    }
    rows = attach(
        rows, "prompt_id", prompts, "prompt_id", names | {"prompt_text": "reference_text", "prompt_license": "license"}
    )
    told = {name: name for name in ("source_id", "emotion", "dialogue_id", "turn")}
    rows = attach(rows, "target_utterance_id", utterances, "utterance_id", told)
    heard = {"reference_source_id": "source_id", "reference_license": "license"}
    rows = attach(rows, "reference_utterance_id", utterances, "utterance_id", heard)
    return attach(rows, "reference_utterance_id", recordings, "utterance_id", {"prompt_audio": "audio_id"})


def _histories(histories: pa.Table, utterances: pa.Table, recordings: pa.Table) -> pa.Table:
    """Return ``prompt_id, audio_ids, licenses`` of the turns before; null where there are none, or one has no audio."""
    turns = histories["history_utterance_ids"].to_pylist()
    used = pa.array(sorted({turn for ids in turns for turn in ids or []}), pa.string())
    audio, licenses = (
        dict(zip(found["utterance_id"].to_pylist(), found[column].to_pylist(), strict=True))
        for table, column in ((recordings, "audio_id"), (utterances, "license"))
        for found in [among(table, "utterance_id", used)]
    )
    lists = pa.list_(pa.string())
    return pa.table(
        {
            "prompt_id": histories["prompt_id"],
            "audio_ids": pa.array(
                [[audio[turn] for turn in ids] if ids and all(turn in audio for turn in ids) else None for ids in turns], lists
            ),
            "licenses": pa.array([[licenses[turn] for turn in ids or []] for ids in turns], lists),
        }
    )


def _with_ruling(rows: pa.Table, rulings: pa.Table, judgments: pa.Table) -> pa.Table:
    rulings = rulings.append_column("told_by", pc.list_element(rulings["judgment_ids"], 0))
    names = {name: name for name in ("verdict", "scores_a", "scores_b", "told_by")}
    rows = attach(rows, "pair_id", rulings, "pair_id", names | {f"judge_{name}": name for name in _VOTES})
    judgments = among(judgments, "judgment_id", rulings["told_by"])
    judgments = judgments.append_column("judge_model", pc.coalesce(judgments["model_served"], judgments["model"]))
    names = {name: name for name in ("completion", "judge", "judge_version", "judge_model", "prompt_version", "order")}
    rows = attach(rows, "told_by", judgments, "judgment_id", names | {"told": "verdict"})
    # No training text for this label is a reasoning that ends in another verdict, or that calls A what was played second.
    telling = pc.and_(pc.equal(rows["told"], rows["label"]), pc.equal(rows["order"], "ab"))
    told = pc.if_else(telling, rows["completion"], pa.scalar(None, pa.string()))
    rows = rows.set_column(rows.column_names.index("completion"), "completion", told)
    for side in ("a", "b"):
        column = f"scores_{side}"
        listed = [
            None if scores is None else [{"dimension": name, "score": score} for name, score in scores]
            for scores in rows[column].to_pylist()
        ]
        rows = rows.set_column(rows.column_names.index(column), column, pa.array(listed, pa.list_(_SCORE)))
    return rows


def _metric_lists(metrics: pa.Table) -> pa.Table:
    """Return ``sample_id``, ``metrics`` (list of metric and value, sorted) and ``wer`` (null = not scored)."""
    values: dict[str, list[tuple[str, float | None]]] = {}
    for row in metrics.select(["sample_id", "values"]).to_pylist():
        values.setdefault(row["sample_id"], []).extend(row["values"])
    listed = [[{"metric": name, "value": value} for name, value in sorted(items)] for items in values.values()]
    wer = [dict(items).get("wer") for items in values.values()]
    return pa.table(
        {
            "sample_id": pa.array(list(values), pa.string()),
            "metrics": pa.array(listed, pa.list_(_METRIC)),
            "wer": pa.array(wer, pa.float64()),
        }
    )


def _row_licenses(rows: pa.Table) -> pa.Array:
    """Return the licence of all that a row holds: both clips, the text, the reference speech, the turns before."""
    columns = [rows[name].to_pylist() for name in ("license_a", "license_b", "prompt_license", "reference_license")]
    before = rows["history_licenses"].to_pylist() if "history_licenses" in rows.column_names else [None] * rows.num_rows
    return pa.array(
        [
            _conjunction([one for one in (*own, *(heard or [])) if one is not None])
            for *own, heard in zip(*columns, before, strict=True)
        ],
        pa.string(),
    )


def _conjunction(licenses: Sequence[str]) -> str:
    """Join SPDX expressions by AND, each licence once; what contains an OR is put in brackets."""
    terms: set[str] = set()
    for expression in licenses:
        terms |= {f"({expression})"} if " OR " in expression else set(expression.split(" AND "))
    return " AND ".join(sorted(terms))
