"""One pyarrow schema per table. These schemas are the file format and the contract between stages.

Null means unknown; NaN is refused.
"""

from typing import Final

import pyarrow as pa

from contracts.answer_schemas import ASSESSMENTS, JUDGMENTS, RATINGS, RULINGS, VOTES, WRITINGS
from contracts.item_schemas import AUDIT, CLAIMS, DROPS, FAILURES, LABELS, PAIRS, SPLITS, WANTED
from contracts.listening_schemas import GOLD
from contracts.speech_schemas import METRICS, PROMPTS, RECORDINGS, SAMPLES, UTTERANCES

__all__ = [
    "ASSESSMENTS",
    "AUDIT",
    "CLAIMS",
    "DROPS",
    "FAILURES",
    "GOLD",
    "JUDGMENTS",
    "KEYS",
    "LABELS",
    "METRICS",
    "PAIRS",
    "PROMPTS",
    "RATINGS",
    "RECORDINGS",
    "RULINGS",
    "SAMPLES",
    "SCHEMAS",
    "SPLITS",
    "UTTERANCES",
    "VOTES",
    "WANTED",
    "WRITINGS",
    "empty",
    "key_of",
    "schema_of",
]

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
    "assessments": ASSESSMENTS,
    "labels": LABELS,
    "drops": DROPS,
    "failures": FAILURES,
    "wanted": WANTED,
    "splits": SPLITS,
    "claims": CLAIMS,
    "gold": GOLD,
    "audit": AUDIT,
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
    "assessments": "sample_id",
    "labels": "item_id",
    "failures": "failure_id",
    "wanted": "row_id",
    "splits": "item_id",
    "gold": "gold_id",
}
"""Key column of each table that has one."""


def schema_of(name: str) -> pa.Schema:
    """Return the schema of a table or of one partition of it: ``drops@filters`` is a part of ``drops``."""
    return SCHEMAS[name.partition("@")[0]]


def key_of(name: str) -> str:
    """Return the key column of a table or of one partition of it."""
    return KEYS[name.partition("@")[0]]


def empty(name: str) -> pa.Table:
    """Return a table of the named schema without rows."""
    return schema_of(name).empty_table()
