"""Clips that a corpus brings along, each of a prompt of its own (pure).

A prompt says what its clip says, as far as the corpus does. Clips of one content are one text group, and a clip without a
content is a group of its own.
"""

import pyarrow as pa

from contracts.ids import row_id
from contracts.joins import sorted_by
from contracts.schemas import PROMPTS
from synth.rated_clips import group_of


def grouped(utterances: pa.Table) -> pa.Table:
    """Append ``group_id``, ``prompt_id`` and ``spoken_text`` (null: a prompt has the text) to rows of schema UTTERANCES."""
    columns = ("utterance_id", "corpus", "content_id")
    rows = list(zip(*(utterances[name].to_pylist() for name in columns), strict=True))
    groups = [row_id("clip", one) if content is None else group_of(corpus, content) for one, corpus, content in rows]
    prompts = [row_id("clip prompt", one) for one, _, _ in rows]
    table = utterances.append_column("group_id", pa.array(groups, pa.string()))
    table = table.append_column("prompt_id", pa.array(prompts, pa.string()))
    return table.append_column("spoken_text", pa.nulls(table.num_rows, pa.string()))


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
