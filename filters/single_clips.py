"""What filters see of single clips: one row per clip, with all that is known of it (pure)."""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from contracts.joins import among, attach, sorted_by

_OF_SAMPLE: Final[Mapping[str, str]] = {
    "group_id": "group_id",
    "prompt_id": "prompt_id",
    "system": "system",
    "duration": "duration_s",
    "sample_rate": "sample_rate_hz",
    "loudness": "loudness_lufs",
}
_OF_PROMPT: Final = ("text", "language")

SEEN: Final = frozenset({"item_id", "label", *_OF_SAMPLE, *_OF_PROMPT})
"""Columns that every clip has; others are values of the recipe's metrics."""


def join(*, labels: pa.Table, samples: pa.Table, facts: pa.Table, prompts: pa.Table) -> pa.Table:
    """Return one row per labelled clip, sorted by its id.

    Args:
        labels: ``item_id``, the clip, ``label``, and any other columns.
        samples: table of schema SAMPLES.
        facts: ``sample_id`` and one double column per metric value (scoring.facts.wide).
        prompts: table of schema PROMPTS.

    Returns:
        The columns of ``labels``; ``duration`` (s), ``sample_rate`` (Hz), ``loudness`` (LUFS), ``system``, ``text``,
        ``language``, and every metric value.
    """
    table = attach(
        sorted_by(labels, "item_id"), "item_id", among(samples, "sample_id", labels["item_id"]), "sample_id", _OF_SAMPLE
    )
    table = attach(table, "prompt_id", prompts, "prompt_id", {name: name for name in _OF_PROMPT})
    return attach(table, "item_id", facts, "sample_id", {name: name for name in facts.column_names if name != "sample_id"})
