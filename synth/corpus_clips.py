"""Clips that a corpus brings along, each as the one sample of a prompt of its own (pure).

A prompt says what its clip says, as far as the corpus does. Clips of one content are one text group, and a clip without a
content is a group of its own.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.ids import row_id
from contracts.joins import attach, sorted_by
from contracts.schemas import PROMPTS
from synth.pairing import HUMAN
from synth.rated_clips import group_of

_OF_RECORDING: Final = (
    *("audio_id", "duration_s", "sample_rate_hz", "native_sample_rate_hz", "loudness_lufs", "license", "utterance_id"),
)


def grouped(utterances: pa.Table) -> pa.Table:
    """Append ``group_id`` and ``prompt_id`` to rows of schema UTTERANCES."""
    columns = ("utterance_id", "corpus", "content_id")
    rows = list(zip(*(utterances[name].to_pylist() for name in columns), strict=True))
    groups = [row_id("clip", one) if content is None else group_of(corpus, content) for one, corpus, content in rows]
    prompts = [row_id("clip prompt", one) for one, _, _ in rows]
    table = utterances.append_column("group_id", pa.array(groups, pa.string()))
    return table.append_column("prompt_id", pa.array(prompts, pa.string()))


def prompts(clips: pa.Table) -> pa.Table:
    """Return a row of schema PROMPTS per clip, by id.

    Args:
        clips: rows of schema UTTERANCES with ``group_id`` and ``prompt_id``.
    """
    kept = ("prompt_id", "group_id", "text", "language", "style", "corpus", "license")
    table = pa.table(
        {field.name: clips[field.name] if field.name in kept else pa.nulls(clips.num_rows, field.type) for field in PROMPTS}
    )
    return sorted_by(table, "prompt_id")


def samples(clips: pa.Table, recordings: pa.Table) -> pa.Table:
    """Return a row of schema SAMPLES per recording of these clips, by id; a clip without a system is a person's.

    Args:
        clips: ``utterance_id, prompt_id, group_id, system, license``.
        recordings: table of schema RECORDINGS.
    """
    names = ("prompt_id", "group_id", "system", "license")
    rows = attach(recordings, "utterance_id", clips, "utterance_id", {name: name for name in names})
    table = pa.table(
        {
            "sample_id": pa.array([row_id("rated sample", one) for one in rows["recording_id"].to_pylist()], pa.string()),
            "prompt_id": rows["prompt_id"],
            "group_id": rows["group_id"],
            "system": pc.coalesce(rows["system"], HUMAN),
            "engine": pa.repeat("corpus", rows.num_rows),
            "engine_version": pa.repeat("", rows.num_rows),
            "params": pa.repeat("{}", rows.num_rows),
            "is_synthetic": pc.is_valid(rows["system"]),
            **{name: rows[name] for name in _OF_RECORDING},
        }
    )
    return sorted_by(table, "sample_id")
