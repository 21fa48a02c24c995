"""Interface of rule plug-ins: for each annotator, a rule finds whether it could be checked, and whether it is broken.

A rule is a frozen, keyword-only dataclass in ``annotate/people/rules`` whose fields are its thresholds. It sees the table of
answers only: no store, no page, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pyarrow as pa

from contracts.errors import DataError
from contracts.schema_columns import SCORES

ANSWERS: Final = pa.schema(
    [
        pa.field("answer_id", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("subject_id", pa.string(), nullable=False),  # pair or sample
        pa.field("annotator_id", pa.string(), nullable=False),
        pa.field("number", pa.int64()),  # 0, 1, ...: number of answers of the annotator before this one; null = unknown
        pa.field("language", pa.string(), nullable=False),
        pa.field("gold", pa.list_(pa.string()), nullable=False),  # values that are right, in the stored order; empty = ordinary
        pa.field("qualification", pa.bool_(), nullable=False),  # part of the qualification test
        pa.field("value", pa.string()),  # in the stored order, whatever order was played
        pa.field("side", pa.string()),  # a or b: preferred clip, in the stored order; null = neither
        pa.field("errors_a", pa.list_(pa.string())),
        pa.field("errors_b", pa.list_(pa.string())),
        pa.field("scores", SCORES, nullable=False),
        pa.field("order", pa.string()),  # ab or ba: what was played first; null = unknown
        pa.field("time_s", pa.float64()),  # from the showing to the answer; null = unknown
        pa.field("audio_s", pa.float64()),  # total length of the required clips; null = unknown
        pa.field("plays_a", pa.int64()),  # null = unknown
        pa.field("plays_b", pa.int64()),  # null = unknown, or there is no second clip
        pa.field("discarded", pa.string()),  # why it does not count; null = it counts
    ]
)
"""One row per answer, as rules see it. Unknown values of imported votes are null; a rule must not count them as a finding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The result of one rule for one annotator.

    Attributes:
        annotator_id: pseudonym.
        broken: True = exclude, False = fine, None = could not be checked.
        evidence: the numbers behind it, JSON-ready: what was counted, its threshold, and for None what is missing.
    """

    annotator_id: str
    broken: bool | None
    evidence: Mapping[str, Any]


class ListenerRule(Protocol):
    """Shape of a rule plug-in."""

    def findings(self, answers: pa.Table) -> list[Finding]:
        """Return one finding per annotator of a table of schema ANSWERS, sorted by annotator id."""
        ...


def findings_of(name: str, rule: ListenerRule, answers: pa.Table) -> list[Finding]:
    """Return the findings of a rule.

    Raises:
        DataError: it gave something else, or found something of somebody who has not answered.
    """
    found = rule.findings(answers)
    known = set(answers["annotator_id"].to_pylist())
    if not isinstance(found, list) or not all(isinstance(one, Finding) and one.annotator_id in known for one in found):
        raise DataError(f"listener_rule {name!r}: findings() must return a list with one Finding per annotator of its table")
    return found
